// Weights and pictures by formula, which both sides of a benchmark make for themselves.

import { elementCount, float32Data, type TensorData } from '../../src/core/data.ts'
import { hostTensor } from '../../src/core/host.ts'
import { mapTensors } from '../../src/nn/module.ts'

/** What a tensor's values s are scaled to: offset + scale · s. */
export type ScaleOf = (key: string, shape: readonly number[]) => readonly [scale: number, offset: number]

/** By fan-in, times a gain; biases and other vectors are small. */
export function usualScale(shape: readonly number[], gain = 1): ReturnType<ScaleOf> {
  return shape.length > 1 ? [gain / Math.sqrt(elementCount(shape.slice(1))), 0] : [0.1, 0]
}

/** Element i of the k-th tensor: s = sin(0.7·(i mod 1024) + 1.3·k), scaled; tensors that `skip` names keep theirs and do not count. */
export function fillByFormula(
  model: object,
  scaleOf: ScaleOf,
  skip: (key: string) => boolean = () => false,
): void {
  let k = 0
  mapTensors(model, (tensor, key) => {
    if (skip(key)) return tensor
    const shape = tensor.shape as readonly number[]
    const values = new Float32Array(elementCount(shape))
    const [scale, offset] = scaleOf(key, shape)
    for (let i = 0; i < Math.min(1024, values.length); i++)
      values[i] = offset + scale * Math.sin(0.7 * i + 1.3 * k)
    for (let filled = 1024; filled < values.length; filled *= 2) values.copyWithin(filled, 0, filled)
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
