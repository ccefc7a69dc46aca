// Recognizes checkpoints and loads them into their networks.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import type { LicenseId } from '../models/modelCard.ts'
import type { ConfiguredNetwork, NamedTensors, NetworkDescription, Tap } from '../models/networkDescriptor.ts'
import { emptyInit } from '../nn/init.ts'
import { loadWeights } from '../nn/module.ts'
import { detectNetwork } from './networkSignatures.ts'
import { type ModelId, networkOf } from './networks.ts'
import { shapesOf, weightSources } from './storedWeights.ts'

/** Network that a checkpoint belongs to. */
export interface RecognizedNetwork {
  readonly id: ModelId
  /** Options the weights imply, by name. */
  readonly options: Readonly<Record<string, unknown>>
  /** License of the network's official weights. */
  readonly license: LicenseId
}

/**
 * Recognizes the network of a checkpoint from its keys and shapes, without reading weights.
 * @throws RestoreError 'checkpoint' for keys of no known network
 */
export function recognize(checkpoint: Checkpoint): RecognizedNetwork {
  const { id, tensors } = detectNetwork(checkpoint)
  const { optionsFromWeights, facts } = networkOf(id)
  return { id, options: optionsFromWeights(shapesOf(tensors)), license: facts.license }
}

/**
 * Describes the network of a checkpoint, ready to be created, without reading weights.
 * @param overrides options that replace those the weights imply
 * @throws RestoreError 'checkpoint' for keys of no known network; 'usage' for an unknown or mistyped override
 */
export function describeNetwork(checkpoint: Checkpoint, overrides?: object): ConfiguredNetwork<ModelId> {
  const { id, tensors } = detectNetwork(checkpoint)
  return networkOf(id).fromWeights(shapesOf(tensors), overrides)
}

/** A network with its weights in host memory. */
export interface LoadedModel extends NetworkDescription<ModelId> {
  readonly network: object
  /** Maps named inputs to named outputs, eager or traced; checks names and shapes. */
  forward(inputs: NamedTensors, tap?: Tap): NamedTensors
  /**
   * Returns the same network with a part as its `forward`.
   * @throws RestoreError 'usage' for an unknown part
   */
  part(name: string): LoadedModel
}

/**
 * Builds the network of a checkpoint and loads its weights, strict about keys, shapes and finite values.
 * @param overrides options that replace those the weights imply
 * @throws RestoreError 'checkpoint' that lists all missing, unexpected and misshaped keys
 * @example
 * const { network, options } = loadModel(readCheckpoint('deraining.pth'))
 */
export function loadModel(checkpoint: Checkpoint, overrides?: object): LoadedModel {
  const { id, tensors } = detectNetwork(checkpoint)
  const configured = networkOf(id).fromWeights(shapesOf(tensors), overrides)
  const { create, adaptWeights, ignoredKeys, ...description } = configured
  const { network, forward, part } = create(emptyInit(64 + 4 * tensors.size))
  loadWeights(network, weightSources(adaptWeights(tensors), ignoredKeys), checkpoint.name)
  const model: LoadedModel = {
    ...description,
    network,
    forward,
    part: (name) => ({ ...model, forward: part(name) }),
  }
  return model
}
