// Creates a module's tensors: random for training, or empty for loading. One module constructor serves both.

import { elementCount, float32Data } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'

/** Initial values of a tensor: one value, uniform in ±bound, or normal around 0. */
export type Distribution =
  | { readonly constant: number }
  | { readonly bound: number }
  | { readonly deviation: number }

/** Creates the tensors of a network: random, or empty to be loaded. */
export interface Init {
  /** Creates a trainable tensor. */
  weight(shape: readonly number[], distribution: Distribution): Tensor
  /** Creates a tensor that is saved but not trained, from one value or from all of them. */
  buffer(shape: readonly number[], value: number | readonly number[]): Tensor
}

/**
 * PyTorch's default for convolutions and linear layers, kaiming_uniform(a=√5): ±1/√fanIn for weight and bias.
 */
export function uniformByFanIn(fanIn: number): Distribution {
  return { bound: 1 / Math.sqrt(fanIn) }
}

function create(
  shape: readonly number[],
  isTrainable: boolean,
  fill: (values: Float32Array) => void,
): Tensor {
  const values = new Float32Array(elementCount(shape))
  fill(values)
  const tensor = hostTensor(float32Data(values, shape))
  tensor.isTrainable = isTrainable
  return tensor
}

function draw(distribution: Distribution, random: () => number): number {
  if ('constant' in distribution) return distribution.constant
  if ('bound' in distribution) return (2 * random() - 1) * distribution.bound
  // Box–Muller; 1 − random() is never 0.
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return distribution.deviation * radius * Math.cos(2 * Math.PI * random())
}

/**
 * Draws weights for ReLU (He et al., ICCV 2015), biases 0: with narrower ones little of the input would reach
 * the last layer.
 */
export function forRelu(init: Init): Init {
  const weight: Init['weight'] = (shape, distribution) =>
    init.weight(
      shape,
      shape.length > 1 && 'bound' in distribution
        ? { bound: Math.sqrt(6) * distribution.bound }
        : { constant: 0 },
    )
  return { ...init, weight }
}

/** Draws weights from `random`, which is uniform in [0, 1). */
export function randomInit(random: () => number): Init {
  return {
    weight: (shape, distribution) =>
      create(shape, true, (values) => {
        for (let i = 0; i < values.length; i++) values[i] = draw(distribution, random)
      }),
    buffer: (shape, value) =>
      create(shape, false, (values) => (typeof value === 'number' ? values.fill(value) : values.set(value))),
  }
}

/**
 * Creates shapes without memory, for a module that is about to be loaded.
 * @param mostTensors limit for options that come from a file or a user
 * @throws RestoreError 'usage' for more tensors
 */
export function emptyInit(mostTensors = Number.POSITIVE_INFINITY): Init {
  let count = 0
  const empty = (shape: readonly number[], isTrainable: boolean): Tensor => {
    if (++count > mostTensors)
      throw new RestoreError(
        'usage',
        `options: expected a network of at most ${mostTensors} tensors, which its weights could fill, got one of more; leave the options out, or correct them`,
      )
    const tensor = hostTensor({ dtype: 'float32', shape, bytes: new Uint8Array(0) })
    tensor.isTrainable = isTrainable
    return tensor
  }
  return { weight: (shape) => empty(shape, true), buffer: (shape) => empty(shape, false) }
}
