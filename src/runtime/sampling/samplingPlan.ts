// By what a picture is sampled: the SDE that its network was trained with, and what was asked for.

import { RestoreError } from '../../core/errors.ts'
import {
  createSde,
  denoisingSde,
  restoringSde,
  type Sampler,
  type Schedule,
  type Sde,
  type SdeOptions,
  samplers,
  startStep,
} from '../../diffusion/irsde.ts'
import { type ModelCard, objectOf, ownCard } from '../../registry/cards.ts'
import type { ModelId } from '../../registry/networkSignatures.ts'
import { builders } from '../../registry/networks.ts'

export interface SamplingRequest {
  /** Steps in place of the network's own: fewer are faster. */
  readonly steps?: number | undefined
  /** That which the network was published with unless given. */
  readonly sampler?: Sampler | undefined
  /** Chance: a seed and a picture determine the result; 0 unless given. */
  readonly seed?: number | undefined
  /** How many restorations, by this seed and those after it, of which the result is the mean; 1 unless given. */
  readonly samples?: number | undefined
  /** Deviation of the noise in the picture, 0 to 255: a network of the denoising SDE has to be told. */
  readonly noise255?: number | undefined
}

/** A network that samples, or may. */
export interface SamplingNetwork {
  readonly model: ModelId
  readonly options: object
}

/** What a network was trained with, and the sampler that it was published with. */
export interface TrainedSampling {
  readonly sde: SdeOptions
  readonly sampler: Sampler
}

/** What is done to a picture. */
export interface Sampling {
  readonly sde: Sde
  readonly sampler: Sampler
  readonly startStep: number
  readonly seed: number
  readonly samples: number
}

/** Of options that the command line calls otherwise. */
const names = { noise255: 'noise255 (--noise)', maxSigma: 'maxSigma (--max-sigma)' } as const

const networks: readonly ModelId[] = ['conditional-unet', 'conditional-nafnet', 'light-diffusion']

/** Whether a network restores in steps. */
export function isSampling(model: ModelId): boolean {
  return networks.includes(model)
}

export interface TrainingFacts {
  /** What errors call the network. */
  readonly weights: string
  readonly metadata: ReadonlyMap<string, string>
  readonly card: ModelCard | undefined
  /** The SDE's deviation where neither file nor card tells it, 1 to 255. */
  readonly maxSigma: number | undefined
}

/** What the weights say they were trained with, else the card, else what all published networks of their kind were. */
export function trainedSampling(network: SamplingNetwork, facts: TrainingFacts): TrainedSampling {
  const { weights, metadata, card, maxSigma } = facts
  if (maxSigma !== undefined && !(maxSigma >= 1 && maxSigma <= 255))
    throw new RestoreError('usage', `${names.maxSigma}: expected a deviation from 1 to 255, got ${maxSigma}`)
  const told = embeddedSampling(weights, metadata) ?? card?.sampling ?? defaultSampling(network)
  if (!told && network.model === 'light-diffusion')
    throw new RestoreError(
      'checkpoint',
      `${weights}: expected the SDE of their training, with its dataSigma, in the card that limpid train writes, got none; give the file as it was written`,
    )
  if (maxSigma !== undefined) {
    const { sde, sampler } = told ?? { sde: restoringSde, sampler: 'posterior' }
    return { sde: { ...sde, maxSigma }, sampler }
  }
  if (told) return told
  throw new RestoreError(
    'usage',
    `${weights}: expected ${names.maxSigma}, the deviation of the SDE that these weights were trained with, which the file does not tell, got none; the published networks have 10 for rain, blur and shadow, 30 for enlarging and holes`,
  )
}

/** None for IR-SDE's own U-Net and the light network: each of their tasks has an SDE of its own. */
function defaultSampling({ model, options }: SamplingNetwork): TrainedSampling | undefined {
  if (model === 'light-diffusion') return undefined
  const taken = builders[model].inputNames(options)
  if (!taken.includes('degraded')) return { sde: denoisingSde, sampler: 'ode' }
  const isGuided = taken.includes('content') || taken.includes('degradation')
  if (model === 'conditional-unet' && !isGuided) return undefined
  return { sde: restoringSde, sampler: 'posterior' }
}

/** What `limpid train` wrote into a file. */
function embeddedSampling(
  weights: string,
  metadata: ReadonlyMap<string, string>,
): TrainedSampling | undefined {
  const text = Reflect.get(ownCard(metadata), 'sampling')
  if (text === undefined) return undefined
  const found = objectOf(String(text))
  const [sde, sampler] = [
    Reflect.get(found, 'sde'),
    samplers.find((one) => one === Reflect.get(found, 'sampler')),
  ]
  if (sampler && isSde(sde)) return { sde, sampler }
  throw new RestoreError(
    'checkpoint',
    `${weights}: expected the SDE and the sampler in its card, as limpid train writes them, got ${text}`,
  )
}

const kinds: readonly unknown[] = ['restoring', 'denoising'] satisfies readonly SdeOptions['kind'][]
const schedules: readonly unknown[] = ['cosine', 'linear', 'constant'] satisfies readonly Schedule[]
const sampleTimes: readonly unknown[] = [
  undefined,
  'even',
  'matched',
] satisfies readonly SdeOptions['sampleTimes'][]

function isSde(value: unknown): value is SdeOptions {
  if (typeof value !== 'object' || value === null) return false
  const of = (name: keyof SdeOptions): unknown => Reflect.get(value, name)
  const numbers = [
    ...(['steps', 'maxSigma', 'eps'] as const).map(of),
    of('dataSigma') ?? 0,
    of('sampleSteps') ?? 1,
  ]
  return (
    kinds.includes(of('kind')) &&
    schedules.includes(of('schedule')) &&
    sampleTimes.includes(of('sampleTimes')) &&
    numbers.every((number) => typeof number === 'number')
  )
}

/** Refuses what makes no sense for a network that restores at once, by its name. */
export function refuseSampling(
  model: ModelId,
  request: SamplingRequest & { readonly maxSigma?: number | undefined; readonly guide?: string | undefined },
): void {
  const { steps, sampler, seed, samples, noise255, maxSigma, guide } = request
  const told = { [names.noise255]: noise255, [names.maxSigma]: maxSigma }
  const given = Object.entries({ steps, sampler, seed, samples, guide, ...told })
  const [name, value] = given.find(([, one]) => one !== undefined) ?? []
  if (name === undefined) return
  throw new RestoreError(
    'usage',
    `${name}: expected a network that samples (${networks.join(', ')}), got ${value} for ${model}, which restores at once; leave it out`,
  )
}

/** Steps, chance and number as they are asked for; refuses what is out of range or not the network's. */
export function planSampling({ sde, sampler: usual }: TrainedSampling, request: SamplingRequest): Sampling {
  const { steps = sde.sampleSteps ?? sde.steps, sampler = usual, seed = 0, samples = 1, noise255 } = request
  checkWhole('steps', steps, 1, sde.steps)
  checkWhole('samples', samples, 1, Number.MAX_SAFE_INTEGER)
  checkWhole('seed', seed, 0, Number.MAX_SAFE_INTEGER - samples)
  const able = samplers.filter((name) => sde.kind === 'restoring' || name !== 'posterior')
  if (!able.includes(sampler))
    throw new RestoreError(
      'usage',
      `sampler: expected one of ${able.join(', ')} for a ${sde.kind} SDE, got ${sampler}`,
    )
  const stepped = createSde({ ...sde, sampleSteps: steps })
  return { sde: stepped, sampler, seed, samples, startStep: firstStep(stepped, noise255) }
}

/** The denoising SDE starts where its noise is that of the picture. */
function firstStep(sde: Sde, noise255: number | undefined): number {
  if (sde.kind === 'restoring') {
    if (noise255 === undefined) return sde.steps
    throw new RestoreError(
      'usage',
      `${names.noise255}: expected weights of a denoising SDE, got ${noise255} for others; leave it out`,
    )
  }
  const most = Math.round(255 * sde.maxSigma)
  if (noise255 !== undefined && noise255 > 0 && noise255 <= most)
    return startStep(sde, Math.min(noise255 / 255, sde.maxSigma))
  throw new RestoreError(
    'usage',
    `${names.noise255}: expected the deviation of the noise in the picture, above 0 and up to ${most}, as these weights are of a denoising SDE, got ${noise255 ?? 'none'}`,
  )
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new RestoreError('usage', `${name}: expected a whole number from ${least} to ${most}, got ${value}`)
}
