// Weights and images from formulas that both sides of a benchmark implement.

import { elementCount, float32Data, type TensorData } from '../../src/core/data.ts'
import { hostTensor } from '../../src/core/hostBackend.ts'
import { mapTensors } from '../../src/nn/module.ts'

/** Scale and offset of a tensor: its values are offset + scale · s, for s in [-1, 1]. */
export type ScaleOf = (key: string, shape: readonly number[]) => readonly [scale: number, offset: number]

/** Scales by fan-in, times a gain; 0.1 for biases and other vectors. */
export function fanInScale(shape: readonly number[], gain = 1): ReturnType<ScaleOf> {
  return shape.length > 1 ? [gain / Math.sqrt(elementCount(shape.slice(1))), 0] : [0.1, 0]
}

/** Scales of each network. */
export const scales = {
  ipt: (key, shape) => {
    if (/query_embed|\.pe\./.test(key)) return [0.5, 0]
    return /norm\d\.weight/.test(key) ? [0.1, 1] : fanInScale(shape)
  },
  dasr: (key, shape) => (key.endsWith('running_var') ? [0.1, 1] : fanInScale(shape)),
  unet: (key, shape) => {
    if (key.endsWith('.g') || (shape.length === 1 && /norm.*weight$/.test(key))) return [0.1, 1]
    return fanInScale(shape, 0.5)
  },
  daclip: (key, shape) => (/\.ln_\w+\.weight$/.test(key) ? [0.1, 1] : fanInScale(shape)),
} as const satisfies Readonly<Record<string, ScaleOf>>

/** Phase of the sine over a tensor's elements, repeated after `period` of them. */
interface Sine {
  readonly period: number
  phase(i: number): number
}

const smooth: Sine = { period: 1024, phase: (i) => 0.7 * i }

/**
 * For training: gives independent matrix rows. The rows of `smooth` would map all images to nearly the same
 * features.
 */
export const rough: Sine = { period: 1021, phase: (i) => 0.7 * i ** 2 }

interface Filling {
  /** Whether a tensor keeps its values and is not counted in k. */
  readonly skip?: (key: string) => boolean
  readonly sine?: Sine
}

/**
 * Fills a network: element i of the k-th tensor is s = sin(phase(i mod period) + 1.3·k), scaled by `scaleOf`.
 */
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

/** Image whose element i is 0.5 + 0.5·sin(0.37·i + 0.011·(i mod 97)). */
export function formulaImage(shape: readonly number[]): TensorData {
  const value = (i: number) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97))
  return float32Data(
    Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
    shape,
  )
}
