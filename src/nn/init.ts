// How a module's tensors come to be: drawn at random to be trained, or left empty to be loaded. One constructor serves both.

import { elementCount, float32Data } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'

/** What a fresh tensor holds: one value, uniform in ±bound, or normal around 0. */
export type Distribution =
  | { readonly constant: number }
  | { readonly bound: number }
  | { readonly deviation: number }

export interface Init {
  /** A trainable tensor. */
  weight(shape: readonly number[], distribution: Distribution): Tensor
  /** A tensor that is saved but not trained: one value throughout, or all of them. */
  buffer(shape: readonly number[], value: number | readonly number[]): Tensor
}

/** PyTorch's default for convolutions and linear layers, kaiming_uniform(a=√5): ±1/√fanIn for weight and bias. */
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
  // Box and Muller's; 1 − random() is never 0.
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return distribution.deviation * radius * Math.cos(2 * Math.PI * random())
}

/** Draws weights with `random`, uniform in [0, 1). */
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

/** Shapes only, no memory: for a module that is about to be loaded. */
export function emptyInit(): Init {
  const empty = (shape: readonly number[], isTrainable: boolean): Tensor => {
    const tensor = hostTensor({ dtype: 'float32', shape, bytes: new Uint8Array(0) })
    tensor.isTrainable = isTrainable
    return tensor
  }
  return { weight: (shape) => empty(shape, true), buffer: (shape) => empty(shape, false) }
}
