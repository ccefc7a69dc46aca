// Recognizes checkpoints and loads them into their networks.

import { type Checkpoint, loadTensor, type StoredTensor } from '../checkpoints/checkpoint.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import type { LicenseId } from '../models/modelCard.ts'
import type {
  ConfiguredNetwork,
  NamedTensors,
  NetworkDescription,
  StoredTensors,
  Tap,
} from '../models/networkDescriptor.ts'
import { emptyInit } from '../nn/init.ts'
import type { KeyShapes } from '../nn/keyShapes.ts'
import { loadWeights, type WeightSource } from '../nn/module.ts'
import { detectNetwork } from './networkSignatures.ts'
import { type ModelId, networkOf } from './networks.ts'

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

function shapesOf(tensors: StoredTensors): KeyShapes {
  return new Map([...tensors].map(([key, { shape }]) => [key, shape]))
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
  const { create, adaptWeights, ignoredKeys, ...description } = describeNetwork(checkpoint, overrides)
  const { network, forward, part } = create(emptyInit())
  const tensors = adaptWeights(detectNetwork(checkpoint).tensors)
  const sources = [...tensors].flatMap(([key, stored]) =>
    ignoredKeys.includes(key) ? [] : [[key, weightSource(stored)] as const],
  )
  loadWeights(network, new Map(sources))
  const model: LoadedModel = {
    ...description,
    network,
    forward,
    part: (name) => ({ ...model, forward: part(name) }),
  }
  return model
}

function weightSource(stored: StoredTensor): WeightSource {
  return { shape: stored.shape, floats: () => toFloat32(loadTensor(stored)) }
}
