// What is asked of weights, looked at before their network is opened: all that can be refused by then is.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import { type License, licenseOf, type ModelCard } from '../registry/cards.ts'
import { builders, recognize } from '../registry/networks.ts'
import { prepareNetwork } from './networks/prepareNetworks.ts'
import {
  isSampling,
  planSampling,
  refuseSampling,
  type SamplingNetwork,
  type SamplingRequest,
  type TrainedSampling,
  trainedSampling,
} from './sampling/samplingPlan.ts'

/** What holds for all pictures of a network, besides how each is restored. */
export interface NetworkRequest extends SamplingRequest {
  /** Side of the result over that of the picture: refused where the weights are for another. */
  readonly scale?: number | undefined
  /** Deviation of the SDE that the network was trained with, 1 to 255, where its weights do not tell. */
  readonly maxSigma?: number | undefined
}

/** Weights that something is asked of. */
export interface RequestedWeights {
  /** What errors call them. */
  readonly weights: string
  readonly checkpoint: Checkpoint
  readonly card: ModelCard | undefined
  /** Options that they do not tell. */
  readonly given: object
}

/** Options that no shape tells, by network. */
const untold: Readonly<Record<string, readonly string[]>> = {
  ipt: ['heads', 'positionEvery', 'patchSize', 'task'],
}

/** Those of a card: they are given to the network. */
export function untoldOptions({ model, options }: ModelCard): object {
  const names = untold[model] ?? []
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name)))
}

/** What they are. */
export interface FoundNetwork extends SamplingNetwork {
  readonly license: License
  /** Where the network samples. */
  readonly trained: TrainedSampling | undefined
}

/** Refuses weights of another variant, networks that do not restore by themselves, and what these cannot do. */
export function checkRequest(
  { weights, checkpoint, card, given }: RequestedWeights,
  request: NetworkRequest & { readonly guide?: string | undefined },
): FoundNetwork {
  const { id: model, options } = recognize(checkpoint, given)
  if (card) checkVariant({ weights, card, given }, { model, options })
  prepareNetwork(model)
  const license = licenseOf(checkpoint.metadata, builders[model].license)
  const scale = builders[model].scale(options)
  if (request.scale !== undefined && request.scale !== scale) {
    const wanted = `expected ${scale}, which ${weights} is for, got ${request.scale}`
    throw new RestoreError('usage', `scale: ${wanted}; leave it out, or use other weights`)
  }
  if (!isSampling(model)) {
    refuseSampling(model, request)
    return { model, options, license, trained: undefined }
  }
  const facts = { weights, card, metadata: checkpoint.metadata, maxSigma: request.maxSigma }
  const trained = trainedSampling({ model, options }, facts)
  planSampling(trained, request)
  return { model, options, license, trained }
}

/** Weights of another variant would run and restore nothing: every option that the card's variant fixes must be theirs. */
export function checkVariant(
  { weights, card, given }: { weights: string; card: ModelCard; given: object },
  { model, options }: SamplingNetwork,
): void {
  if (model !== card.model) {
    throw new RestoreError(
      'checkpoint',
      `${weights}: expected weights of ${card.id}, a network ${card.model}, got those of ${model}; leave model and task out, or name another`,
    )
  }
  const wanted = { ...builders[card.model].defaults, ...card.options }
  // A task is what is asked of the weights; what was given was not found in them.
  const differing = Object.entries(wanted).filter(([name, value]) => {
    const isAsked = name === 'task' || Object.hasOwn(given, name)
    return !isAsked && JSON.stringify(Reflect.get(options, name)) !== JSON.stringify(value)
  })
  if (differing.length === 0) return
  const difference = differing
    .map(([name, value]) => `${name} ${value}, got ${Reflect.get(options, name)}`)
    .join('; ')
  throw new RestoreError(
    'checkpoint',
    `${weights}: expected weights of ${card.id} with ${difference}; try another model, or none`,
  )
}
