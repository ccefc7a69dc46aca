import { expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { float32Data } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'
import { toTorch } from '../torch/backend.ts'
import { Conv2d } from './conv.ts'
import { emptyInit } from './init.ts'
import { mapTensors } from './module.ts'
import { ChannelLayerNorm } from './norm.ts'

const c = 6
const out = 4
const pixels = 10

function waves(shape: readonly number[], phase: number, shift = 0): Float32Array {
  const count = shape.reduce((n, size) => n * size, 1)
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + phase) + shift)
}

/** conv(norm(x)) by definition, per pixel in double precision. */
function reference(
  x: Float32Array,
  w: Float32Array,
  g: Float32Array,
  beta?: Float32Array,
  bias?: Float32Array,
): number[] {
  const result: number[] = []
  for (let o = 0; o < out; o++) {
    for (let p = 0; p < pixels; p++) {
      const values = Array.from({ length: c }, (_, k) => x[k * pixels + p]!)
      const mean = values.reduce((sum, v) => sum + v, 0) / c
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / c
      // Restormer's bias-free form does not center the numerator.
      const normalized = values.map((v, k) => {
        const centered = beta ? v - mean : v
        return (centered / Math.sqrt(variance + 1e-5)) * g[k]! + (beta ? beta[k]! : 0)
      })
      result.push(normalized.reduce((sum, v, k) => sum + v * w[o * c + k]!, bias ? bias[o]! : 0))
    }
  }
  return result
}

test.skipIf(libtorchMissing !== undefined).each([
  { bias: false, convBias: false },
  { bias: false, convBias: true },
  { bias: true, convBias: false },
  { bias: true, convBias: true },
])('a norm folded into a 1×1 convolution equals the two in sequence: %j', ({ bias, convBias }) => {
  const norm = new ChannelLayerNorm(emptyInit(), c, { bias })
  const conv = new Conv2d(emptyInit(), c, out, { kernel: 1, bias: convBias })
  const filled: Record<string, Float32Array> = {}
  const module = { norm, conv }
  mapTensors(module, ({ shape }, key): Tensor => {
    const values = waves(shape as readonly number[], key.length, key.startsWith('norm.body.weight') ? 1 : 0)
    filled[key] = values
    return toTorch(hostTensor(float32Data(values, shape as readonly number[])))
  })
  const x = waves([1, c, 2, 5], 0.3, 0.5)
  const folded = norm.foldInto(conv)
  const y = norm
    .normalize(toTorch(float32Data(x, [1, c, 2, 5])))
    .conv2d(folded.weight, folded.bias, folded)
    .read()
  const expected = reference(
    x,
    filled['conv.weight']!,
    filled['norm.body.weight']!,
    filled['norm.body.bias'],
    filled['conv.bias'],
  )
  expect(y.shape).toEqual([1, out, 2, 5])
  const actual = new Float32Array(new Uint8Array(y.bytes).buffer)
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 4)
  })
})
