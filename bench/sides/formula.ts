// Weights and pictures by formula, which both sides of a benchmark make for themselves.

import { elementCount, float32Data, type TensorData } from '../../src/core/data.ts'
import { hostTensor } from '../../src/core/hostBackend.ts'
import { mapTensors } from '../../src/nn/module.ts'

/** What a tensor's values s are scaled to: offset + scale · s. */
export type ScaleOf = (key: string, shape: readonly number[]) => readonly [scale: number, offset: number]

/** By fan-in, times a gain; biases and other vectors are small. */
export function usualScale(shape: readonly number[], gain = 1): ReturnType<ScaleOf> {
  return shape.length > 1 ? [gain / Math.sqrt(elementCount(shape.slice(1))), 0] : [0.1, 0]
}

/** The networks' scales. */
export const scales = {
  ipt: (key, shape) => {
    if (/query_embed|\.pe\./.test(key)) return [0.5, 0]
    return /norm\d\.weight/.test(key) ? [0.1, 1] : usualScale(shape)
  },
  dasr: (key, shape) => (key.endsWith('running_var') ? [0.1, 1] : usualScale(shape)),
  unet: (key, shape) => {
    if (key.endsWith('.g') || (shape.length === 1 && /norm.*weight$/.test(key))) return [0.1, 1]
    return usualScale(shape, 0.5)
  },
  daclip: (key, shape) => (/\.ln_\w+\.weight$/.test(key) ? [0.1, 1] : usualScale(shape)),
} as const satisfies Readonly<Record<string, ScaleOf>>

/** A sine over the elements of a tensor, which begins again after `period` of them. */
interface Sine {
  readonly period: number
  phase(i: number): number
}

const smooth: Sine = { period: 1024, phase: (i) => 0.7 * i }

/** For training: rows of a matrix are independent, where those of a smooth one send all pictures to about the same features. */
export const rough: Sine = { period: 1021, phase: (i) => 0.7 * i ** 2 }

interface Filling {
  /** Tensors that keep their values and do not count. */
  readonly skip?: (key: string) => boolean
  readonly sine?: Sine
}

/** Element i of the k-th tensor: s = sin(phase(i mod period) + 1.3·k), scaled. */
export function fillByFormula(
  model: object,
  scaleOf: ScaleOf,
  { skip = () => false, sine: { period, phase } = smooth }: Filling = {},
): void {
  let k = 0
  mapTensors(model, (tensor, key) => {
    if (skip(key)) return tensor
    const shape = tensor.shape as readonly number[]
    const values = new Float32Array(elementCount(shape))
    const [scale, offset] = scaleOf(key, shape)
    for (let i = 0; i < Math.min(period, values.length); i++)
      values[i] = offset + scale * Math.sin(phase(i) + 1.3 * k)
    for (let filled = period; filled < values.length; filled *= 2) values.copyWithin(filled, 0, filled)
    k++
    return hostTensor(float32Data(values, shape))
  })
}

/** Element i is 0.5 + 0.5·sin(0.37·i + 0.011·(i mod 97)). */
export function formulaImage(shape: readonly number[]): TensorData {
  const value = (i: number) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97))
  return float32Data(
    Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
    shape,
  )
}
