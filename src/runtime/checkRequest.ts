// Validates a request against a checkpoint before the network is opened.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import { anything, checkOptions, decimal, type OptionRules } from '../core/options.ts'
import { shownText } from '../core/text.ts'
import type { License, TrainedSampling } from '../models/modelCard.ts'
import type { NetworkDescription } from '../models/networkDescriptor.ts'
import { graphLicense, licenseOf, type ModelCard } from '../registry/cards.ts'
import { describeNetwork } from '../registry/loadModel.ts'
import { type ModelId, networkOf, networks } from '../registry/networks.ts'
import { checkScale, largestScale } from './enlargement.ts'
import { describeGraph, type ImageGraph, type RestoringNetwork } from './graphs/imageGraph.ts'
import {
  planSampling,
  rejectSampling,
  type SamplingRequest,
  samplingRules,
  trainedSampling,
} from './sampling/samplingPlan.ts'

/** Options of a network that apply to all its pictures. */
export interface NetworkRequest extends SamplingRequest {
  /**
   * Output side divided by input side, 1..8, for networks that enlarge. They run until it is reached; the
   * result is resampled to it. @default the network's own
   */
  readonly scale?: number | undefined
  /** Stationary deviation of the training's SDE, 1..255; required if the weights do not state it. */
  readonly maxSigma?: number | undefined
}

/** A second file of the same network, whose weights are mixed into the first's. */
export interface Mix<Weights = string> {
  readonly weights: Weights
  /** Share of its weights, 0..1; the rest is the first file's. */
  readonly share: number
}

/** Checks the option `mix`. @throws RestoreError 'usage' */
export function checkMix(mix: Mix<unknown> | undefined): void {
  if (mix === undefined) return
  checkOptions('mix', mix, { weights: anything, share: decimal(0, 1) })
  if (mix.weights !== undefined && mix.share !== undefined) return
  throw new RestoreError(
    'usage',
    'mix: expected weights and their share, such as { weights, share: 0.5 }, got one of them',
  )
}

export const networkRules: OptionRules<NetworkRequest> = {
  ...samplingRules,
  scale: decimal(1, largestScale),
  maxSigma: decimal(1, 255),
}

/** Weights of a request. */
export interface RequestedWeights {
  /** Name in errors. */
  readonly weights: string
  readonly checkpoint: Checkpoint
  readonly card: ModelCard | undefined
  /** Network options that replace those the weights imply. */
  readonly overrides: object
}

/** Options a card supplies because no tensor shape reveals them. */
export function cardOptions({ model, options = {} }: ModelCard): object {
  const { optionsNotInWeights } = networkOf(model)
  return Object.fromEntries(Object.entries(options).filter(([name]) => optionsNotInWeights.includes(name)))
}

/** A valid request. */
export interface CheckedRequest<Network extends RestoringNetwork = RestoringNetwork> {
  readonly network: Network
  readonly license: License
  /** Output side divided by input side. */
  readonly scale: number
  /** Sampling the network was trained for; undefined if it restores in one pass. */
  readonly trained: TrainedSampling | undefined
}

/**
 * Checks a request against its weights.
 * @throws RestoreError 'checkpoint' for weights of another variant, 'usage' for a network that restores
 * nothing by itself and for options that do not apply to the network or cannot run
 */
export function checkRequest(
  { weights, checkpoint, card, overrides }: RequestedWeights,
  request: NetworkRequest & { readonly guide?: string | undefined },
): CheckedRequest<NetworkDescription<ModelId>> {
  const network = describeNetwork(checkpoint, overrides)
  if (card) checkVariant({ weights, card, overrides }, network)
  const { id, role, scale } = network
  if (role.kind === 'guides' || role.kind === 'features') throw notARestorer(id)
  network.check()
  const license = licenseOf({ metadata: checkpoint.metadata, card, official: network.license })
  const resultScale = checkScale(request.scale, scale, card?.id ?? weights)
  if (role.kind === 'restores' || role.kind === 'tones') {
    rejectSampling(network, request)
    return { network, license, scale: resultScale, trained: undefined }
  }
  const facts = { weights, card, metadata: checkpoint.metadata, maxSigma: request.maxSigma }
  const trained = trainedSampling(role, facts)
  planSampling(trained, request)
  return { network, license, scale: resultScale, trained }
}

/** Options that an ONNX file, which is its own network, has no use for. */
interface NotForGraphs {
  readonly model?: string | undefined
  readonly tensors?: string | undefined
  readonly task?: string | undefined
  readonly options?: object | undefined
  readonly guide?: unknown
  readonly mix?: unknown
  readonly backend?: string | undefined
}

/** Refuses options that an ONNX file cannot heed. @throws RestoreError 'usage' */
export function rejectForGraph(weights: string, request: NotForGraphs): void {
  const { backend, options = {}, ...others } = request
  const given = { ...others, options: Object.keys(options).length > 0 ? JSON.stringify(options) : undefined }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const got = typeof value === 'string' ? shownText(value) : 'one'
    throw new RestoreError(
      'usage',
      `${name}: expected none beside ${weights}, an ONNX file, which is its own network, got ${got}; leave it out`,
    )
  }
  if (backend === 'torch')
    throw new RestoreError(
      'usage',
      `backend: expected auto or onnx for ${weights}, an ONNX file, got torch; leave it out`,
    )
}

/**
 * Checks a request against the graph of an ONNX file.
 * @throws RestoreError 'usage' for options that do not apply to it
 */
export function checkGraphRequest(
  weights: string,
  graph: ImageGraph,
  request: NetworkRequest,
): CheckedRequest {
  const network = describeGraph(graph)
  rejectSampling(network, request)
  const license = graphLicense(graph.license)
  return { network, license, scale: checkScale(request.scale, network.scale, weights), trained: undefined }
}

function notARestorer(id: ModelId): RestoreError {
  const restorers = networks
    .flatMap((one) => (one.roleKind === 'guides' || one.roleKind === 'features' ? [] : [one.id]))
    .join(', ')
  return new RestoreError(
    'usage',
    `restore: expected weights of ${restorers}, got ${id}, which restores nothing by itself; pass it as the guide of a network that samples`,
  )
}

/**
 * Checks that weights are of their card's variant: others would run but restore nothing.
 * @throws RestoreError 'checkpoint' that lists the options that differ
 */
export function checkVariant(
  { weights, card, overrides }: { weights: string; card: ModelCard; overrides: object },
  { id, options, scale }: Pick<NetworkDescription, 'id' | 'options' | 'scale'>,
): void {
  if (id !== card.model) {
    throw new RestoreError(
      'checkpoint',
      `${weights}: expected weights of ${card.id}, a network ${card.model}, got those of ${id}; leave out model and task, or name another`,
    )
  }
  if (card.options === undefined) {
    if (scale === card.scale) return
    throw new RestoreError(
      'checkpoint',
      `${weights}: expected weights of ${card.id}, which enlarge ${card.scale} times, got those of a network that enlarges ${scale} times; try another model, or none`,
    )
  }
  const expected = { ...networkOf(card.model).defaults, ...card.options }
  // `task` is the caller's choice, and overrides replace what the weights imply.
  const differing = Object.entries(expected).filter(
    ([name, value]) =>
      name !== 'task' &&
      !Object.hasOwn(overrides, name) &&
      JSON.stringify(options[name]) !== JSON.stringify(value),
  )
  if (differing.length === 0) return
  const difference = differing.map(([name, value]) => `${name} ${value}, got ${options[name]}`).join('; ')
  throw new RestoreError(
    'checkpoint',
    `${weights}: expected weights of ${card.id} with ${difference}; try another model, or none`,
  )
}
