import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { float32Data, viewAs } from '../../core/data.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import type { Tensor } from '../../core/tensor.ts'
import { moveToTorch, toTorch } from '../../torch/backend.ts'
import { assign } from '../../torch/optim.ts'
import { Ema, emaPytorch } from './ema.ts'

test('the warm-up of ema_pytorch copies until step 110, then decays by its power law up to beta', () => {
  const decay = emaPytorch({ beta: 0.995 })
  expect([0, 10, 100, 110].map(decay)).toEqual([0, 0, 0, 0])
  expect([1, 9, 121].map(decay)).toEqual([1, 1, 1])
  expect(decay(120)).toBeCloseTo(1 - 21 ** (-2 / 3), 12)
  expect(decay(100_000)).toBe(0.995)
})

interface Net {
  weight: Tensor
  mean: Tensor
}

function net(weight: number, mean: number): Net {
  const scalarTensor = (value: number) => hostTensor(float32Data(Float32Array.of(value), [1]))
  const module = { weight: scalarTensor(weight), mean: scalarTensor(mean) }
  module.weight.isTrainable = true
  return module
}

const firstOf = (tensor: Tensor) => viewAs(tensor.read().bytes, Float32Array)[0]

describe.skipIf(libtorchMissing !== undefined)('the average', () => {
  test('averages parameters by its decay and copies buffers', () => {
    const network = net(1, 5)
    moveToTorch(network)
    const ema = new Ema(network, net(0, 0), 'cpu')
    expect(firstOf(ema.network.weight)).toBe(1)
    assign(network.weight, toTorch(float32Data(Float32Array.of(3), [1])))
    assign(network.mean, toTorch(float32Data(Float32Array.of(7), [1])))
    ema.update(1)
    expect(firstOf(ema.network.weight)).toBe(1)
    ema.update(0.75)
    expect([firstOf(ema.network.weight), firstOf(ema.network.mean)]).toEqual([1.5, 7])
    ema.update(0)
    expect(firstOf(ema.network.weight)).toBe(3)
  })
})
