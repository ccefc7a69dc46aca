// Plans how a picture is sampled, from the SDE of the network's training and the caller's options.

import { RestoreError } from '../../core/errors.ts'
import { decimal, type OptionRules, oneOf, whole } from '../../core/options.ts'
import { shownText } from '../../core/text.ts'
import {
  createSde,
  restoringSde,
  type Sampler,
  type Schedule,
  type Sde,
  type SdeOptions,
  samplers,
  startStep,
} from '../../diffusion/irsde.ts'
import type { TrainedSampling } from '../../models/modelCard.ts'
import type { NetworkDescription, Role } from '../../models/networkDescriptor.ts'
import { embeddedCard, type ModelCard, parseRecord } from '../../registry/cards.ts'

/** Options of networks that sample. */
export interface SamplingRequest {
  /**
   * Sampling steps; fewer are faster.
   * @default as recommended for the weights and their own sampler, else the steps of their training
   */
  readonly steps?: number | undefined
  /** Sampling method. @default the sampler the network was published with */
  readonly sampler?: Sampler | undefined
  /** Seed of all randomness; the same seed and picture give the same result. @default 0 */
  readonly seed?: number | undefined
  /** Number of restorations to average, with this seed and the following ones. @default 1 */
  readonly samples?: number | undefined
  /** Standard deviation of the noise in the picture, 0..255; required for weights of the denoising SDE. */
  readonly noise?: number | undefined
}

/** Most samples to average; more differ by less than a level. */
const maxSamples = 1000

export const samplingRules: OptionRules<SamplingRequest> = {
  steps: whole(1),
  sampler: oneOf(samplers),
  seed: whole(0),
  samples: whole(1, maxSamples),
  noise: decimal(0, 255),
}

/** Sampling of one picture. */
export interface Sampling {
  readonly sde: Sde
  readonly sampler: Sampler
  readonly startStep: number
  readonly seed: number
  readonly samples: number
}

/** The role of a network that samples. */
export type SamplingRole = Extract<Role, { readonly kind: 'samples' }>

/** Options that the command line spells differently. */
const maxSigmaName = 'maxSigma (--max-sigma)'

/** Where the sampling of a training may be stated. */
export interface TrainingFacts {
  /** Name of the network's weights in errors. */
  readonly weights: string
  readonly metadata: ReadonlyMap<string, string>
  readonly card: ModelCard | undefined
  /** Stationary deviation of the SDE, 1..255, from the caller. */
  readonly maxSigma: number | undefined
}

/**
 * Finds the sampling a network was trained for: embedded in its weights, else on their card, else that of all
 * official weights. `maxSigma` replaces the deviation found.
 * @throws RestoreError 'usage' if nothing states it, 'checkpoint' if the embedded one is invalid
 */
export function trainedSampling(role: SamplingRole, facts: TrainingFacts): TrainedSampling {
  const { weights, metadata, card, maxSigma } = facts
  if (maxSigma !== undefined && !(maxSigma >= 1 && maxSigma <= 255))
    throw new RestoreError('usage', `${maxSigmaName}: expected a deviation from 1 to 255, got ${maxSigma}`)
  const found = embeddedSampling(weights, metadata) ?? card?.sampling ?? role.sampling
  if (!found && !role.isMaxSigmaEnough)
    throw new RestoreError(
      'checkpoint',
      `${weights}: expected the SDE of its training, with dataSigma, in the card that limpid train embeds, got none; use the file as it was written`,
    )
  if (maxSigma !== undefined) {
    const { sde, sampler } = found ?? { sde: restoringSde, sampler: 'posterior' }
    return { sde: { ...sde, maxSigma }, sampler }
  }
  if (found) return found
  throw new RestoreError(
    'usage',
    `${weights}: expected ${maxSigmaName}, the deviation of the SDE these weights were trained with, which the file does not state, got none; the published networks use 10 for rain, blur and shadow, 30 for upscaling and inpainting`,
  )
}

/** Reads the sampling that `limpid train` embeds in a file. */
function embeddedSampling(
  weights: string,
  metadata: ReadonlyMap<string, string>,
): TrainedSampling | undefined {
  const text = embeddedCard(metadata).sampling
  if (text === undefined) return undefined
  const { sde, sampler: name } = parseRecord(String(text))
  const sampler = samplers.find((one) => one === name)
  if (sampler && isSde(sde)) return { sde, sampler }
  throw new RestoreError(
    'checkpoint',
    `${weights}: expected an SDE and a sampler in its card, as limpid train embeds them, got ${shownText(String(text))}`,
  )
}

/** Most steps of a training; published networks have 1000 at most. */
const maxSteps = 10_000

const sdeKinds: readonly unknown[] = ['restoring', 'denoising'] satisfies readonly SdeOptions['kind'][]
const schedules: readonly unknown[] = ['cosine', 'linear', 'constant'] satisfies readonly Schedule[]
const sampleTimes: readonly unknown[] = [
  undefined,
  'even',
  'matched',
] satisfies readonly SdeOptions['sampleTimes'][]

function isSde(value: unknown): value is SdeOptions {
  if (typeof value !== 'object' || value === null) return false
  const sde: Readonly<Record<string, unknown>> = { ...value }
  const { steps, maxSigma, eps, dataSigma = 1, sampleSteps = 1 } = sde
  return (
    sdeKinds.includes(sde.kind) &&
    schedules.includes(sde.schedule) &&
    sampleTimes.includes(sde.sampleTimes) &&
    [steps, sampleSteps].every((count) => isNumber(count, 1, maxSteps) && Number.isInteger(count)) &&
    isNumber(maxSigma, 1e-6, 255) &&
    isNumber(eps, 1e-9, 1) &&
    isNumber(dataSigma, 1e-6, 1e6)
  )
}

function isNumber(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most
}

/**
 * Rejects sampling options for a network that restores in one pass.
 * @throws RestoreError 'usage' with the option's name
 */
export function rejectSampling(
  { id }: Pick<NetworkDescription, 'id'>,
  request: SamplingRequest & { readonly maxSigma?: number | undefined; readonly guide?: string | undefined },
): void {
  const { steps, sampler, seed, samples, noise, maxSigma, guide } = request
  const options = Object.entries({ steps, sampler, seed, samples, noise, guide, [maxSigmaName]: maxSigma })
  const [name, value] = options.find(([, one]) => one !== undefined) ?? []
  if (name === undefined) return
  throw new RestoreError(
    'usage',
    `${name}: expected a network that samples, such as that of the task universal, got ${value} for ${id}, which restores in one pass; leave it out`,
  )
}

/**
 * Plans the sampling of a picture.
 * @throws RestoreError 'usage' for options that are out of range or belong to another kind of SDE
 */
export function planSampling(
  { sde, sampler: defaultSampler }: TrainedSampling,
  request: SamplingRequest,
): Sampling {
  const { sampler = defaultSampler, seed = 0, samples = 1 } = request
  // Few steps are recommended for the sampler of the weights; others would leave their noise in the picture.
  const recommended = sampler === defaultSampler ? sde.sampleSteps : undefined
  const { steps = recommended ?? sde.steps } = request
  checkWhole('steps', steps, 1, sde.steps)
  checkWhole('samples', samples, 1, maxSamples)
  checkWhole('seed', seed, 0, Number.MAX_SAFE_INTEGER - samples)
  const supported = samplers.filter((name) => sde.kind === 'restoring' || name !== 'posterior')
  if (!supported.includes(sampler))
    throw new RestoreError(
      'usage',
      `sampler: expected one of ${supported.join(', ')} for a ${sde.kind} SDE, got ${sampler}`,
    )
  const stepped = createSde({ ...sde, sampleSteps: steps })
  return { sde: stepped, sampler, seed, samples, startStep: firstStep(stepped, request.noise) }
}

/**
 * Step to start from: all steps remain, but the denoising SDE starts where its noise equals the picture's.
 */
function firstStep(sde: Sde, noise: number | undefined): number {
  if (sde.kind === 'restoring') {
    if (noise === undefined) return sde.steps
    throw new RestoreError(
      'usage',
      `noise: expected weights of a denoising SDE, got ${noise} for others; leave it out`,
    )
  }
  const max = Math.round(255 * sde.maxSigma)
  if (noise !== undefined && noise > 0 && noise <= max)
    return Math.max(1, startStep(sde, Math.min(noise / 255, sde.maxSigma)))
  throw new RestoreError(
    'usage',
    `noise: expected the deviation of the noise in the picture, above 0 and at most ${max}, which weights of a denoising SDE require, got ${noise ?? 'none'}`,
  )
}

function checkWhole(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new RestoreError('usage', `${name}: expected a whole number from ${min} to ${max}, got ${value}`)
}
