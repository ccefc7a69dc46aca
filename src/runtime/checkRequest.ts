// Validates a request against a checkpoint before the network is opened.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import type { License, TrainedSampling } from '../models/modelCard.ts'
import type { NetworkDescription } from '../models/networkDescriptor.ts'
import { licenseOf, type ModelCard } from '../registry/cards.ts'
import { describeNetwork } from '../registry/loadModel.ts'
import { type ModelId, networkOf, networks } from '../registry/networks.ts'
import {
  planSampling,
  rejectSampling,
  type SamplingRequest,
  trainedSampling,
} from './sampling/samplingPlan.ts'

/** Options of a network that apply to all its pictures. */
export interface NetworkRequest extends SamplingRequest {
  /** Output side divided by input side; rejected if it differs from that of the weights. */
  readonly scale?: number | undefined
  /** Stationary deviation of the training's SDE, 1..255; required if the weights do not state it. */
  readonly maxSigma?: number | undefined
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
export function cardOptions({ model, options }: ModelCard): object {
  const { optionsNotInWeights } = networkOf(model)
  return Object.fromEntries(Object.entries(options).filter(([name]) => optionsNotInWeights.includes(name)))
}

/** A valid request. */
export interface CheckedRequest {
  readonly network: NetworkDescription<ModelId>
  readonly license: License
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
): CheckedRequest {
  const network = describeNetwork(checkpoint, overrides)
  if (card) checkVariant({ weights, card, overrides }, network)
  const { id, role, scale } = network
  if (role.kind === 'guides' || role.kind === 'features') throw notARestorer(id)
  network.check()
  const license = licenseOf(checkpoint.metadata, network.license)
  if (request.scale !== undefined && request.scale !== scale) {
    throw new RestoreError(
      'usage',
      `scale: expected ${scale}, which ${weights} is for, got ${request.scale}; leave it out, or use other weights`,
    )
  }
  if (role.kind === 'restores' || role.kind === 'tones') {
    rejectSampling(network, request)
    return { network, license, trained: undefined }
  }
  const facts = { weights, card, metadata: checkpoint.metadata, maxSigma: request.maxSigma }
  const trained = trainedSampling(role, facts)
  planSampling(trained, request)
  return { network, license, trained }
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
  { id, options }: Pick<NetworkDescription, 'id' | 'options'>,
): void {
  if (id !== card.model) {
    throw new RestoreError(
      'checkpoint',
      `${weights}: expected weights of ${card.id}, a network ${card.model}, got those of ${id}; leave out model and task, or name another`,
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
