import { describe, expect, test } from 'vitest'
import { float32Data } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'
import { Conv2d } from './conv.ts'
import { emptyInit, type Init, randomInit } from './init.ts'
import {
  loadWeights,
  mapTensors,
  parameterCount,
  parameters,
  stateDict,
  type WeightSource,
} from './module.ts'

class Net {
  readonly heads = 2
  first: Conv2d
  layers: readonly (Conv2d | ((x: Tensor) => Tensor))[]
  norm: { body: { weight: Tensor; running_mean: Tensor } }
  visual: Conv2d

  constructor(init: Init) {
    this.first = new Conv2d(init, 3, 4, { kernel: 1, bias: false })
    this.layers = [
      new Conv2d(init, 4, 4, { kernel: 1, bias: true }),
      (x) => x.relu(),
      new Conv2d(init, 4, 2, { kernel: 1, bias: false }),
    ]
    this.norm = { body: { weight: init.weight([2], { constant: 1 }), running_mean: init.buffer([2], 0) } }
    this.visual = this.first
  }
}

function source(shape: readonly number[], fill: (i: number) => number = (i) => i): WeightSource {
  const count = shape.reduce((n, size) => n * size, 1)
  return { shape, floats: () => Float32Array.from({ length: count }, (_, i) => fill(i)) }
}

function sourcesOf(module: object): Map<string, WeightSource> {
  return new Map([...stateDict(module)].map(([key, { shape }]) => [key, source(shape as readonly number[])]))
}

const keys = [
  'first.weight',
  'layers.0.weight',
  'layers.0.bias',
  'layers.2.weight',
  'norm.body.weight',
  'norm.body.running_mean',
  'visual.weight',
]

describe('stateDict', () => {
  test('lists keys in field order; functions in a list take up an index', () => {
    expect([...stateDict(new Net(emptyInit())).keys()]).toEqual(keys)
  })

  test('lists an aliased tensor under each of its keys', () => {
    const tensors = stateDict(new Net(emptyInit()))
    expect(tensors.get('visual.weight')).toBe(tensors.get('first.weight'))
  })
})

describe('parameters', () => {
  test('exclude buffers and aliases', () => {
    const net = new Net(emptyInit())
    expect([...parameters(net).keys()]).toEqual(keys.filter((key) => !/running|visual/.test(key)))
    expect(parameterCount(net)).toBe(12 + 16 + 4 + 8 + 2)
  })
})

describe('mapTensors', () => {
  test('replaces every tensor, keeps aliases and isTrainable, and sets keys', () => {
    const net = new Net(emptyInit())
    const visited: string[] = []
    mapTensors(net, (tensor, key) => {
      visited.push(key)
      return hostTensor(zeros(tensor))
    })
    expect(visited).toEqual(keys.filter((key) => key !== 'visual.weight'))
    expect(net.visual.weight).toBe(net.first.weight)
    expect(net.first.weight.key).toBe('first.weight')
    expect(net.norm.body.running_mean.isTrainable).toBe(false)
    expect(net.norm.body.weight.isTrainable).toBe(true)
  })
})

describe('loadWeights', () => {
  test('fills every tensor, keeping order and names', () => {
    const net = new Net(emptyInit())
    loadWeights(net, sourcesOf(net))
    const { bytes } = net.first.weight.read()
    expect([...new Float32Array(bytes.buffer, bytes.byteOffset, 12)]).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ])
    expect(net.visual.weight).toBe(net.first.weight)
    expect([...stateDict(net).keys()]).toEqual(keys)
  })

  test('reports all missing, unexpected and misshaped keys in one error, and changes nothing', () => {
    const net = new Net(emptyInit())
    const before = net.first.weight
    const weights = sourcesOf(net)
    weights.delete('layers.0.bias')
    weights.set('module.extra', source([1]))
    weights.set('first.weight', source([4, 3, 3, 3]))
    weights.set('layers.2.weight', source([8]))
    const loading = () => loadWeights(net, weights)
    expect(loading).toThrow(RestoreError)
    expect(loading).toThrow(
      'weights: expected exactly the 7 keys of this network; missing 1: layers.0.bias; ' +
        'unexpected 1: module.extra; misshaped 2: first.weight expected [4 3 1 1], got [4 3 3 3], ' +
        'layers.2.weight expected [2 4 1 1], got [8]',
    )
    expect(net.first.weight).toBe(before)
  })

  test.each(['first.weight', 'visual.weight'])(
    'loads an aliased tensor from one of its keys, without %s',
    (absent) => {
      const net = new Net(emptyInit())
      const weights = sourcesOf(net)
      weights.delete(absent)
      loadWeights(net, weights)
      expect(net.first.weight.read().bytes.length).toBe(48)
      expect(net.visual.weight).toBe(net.first.weight)
      expect(net.first.weight.key).toBe('first.weight')
    },
  )

  test('rejects an aliased tensor that is missing or has different values under its keys', () => {
    const net = new Net(emptyInit())
    const weights = sourcesOf(net)
    weights.set(
      'visual.weight',
      source([4, 3, 1, 1], (i) => (i === 11 ? 0 : i)),
    )
    expect(() => loadWeights(net, weights)).toThrow(
      'weights: expected equal values in keys first.weight and visual.weight, which share one tensor, got different ones',
    )
    weights.delete('first.weight')
    weights.delete('visual.weight')
    expect(() => loadWeights(net, weights)).toThrow('missing 1: first.weight or visual.weight')
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('rejects %d and names the key', (bad) => {
    const net = new Net(emptyInit())
    const weights = sourcesOf(net)
    weights.set(
      'layers.2.weight',
      source([2, 4, 1, 1], (i) => (i === 5 ? bad : i)),
    )
    expect(() => loadWeights(net, weights)).toThrow(
      'weights: expected finite values, got NaN or infinity in key layers.2.weight',
    )
  })
})

function zeros({ shape }: Tensor) {
  const sizes = shape as readonly number[]
  return float32Data(new Float32Array(sizes.reduce((n, size) => n * size, 1)), sizes)
}

describe('randomInit', () => {
  /** A fixed sequence in [0, 1). */
  const sequence = () => {
    let state = 1
    return () => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
  }
  const drawn = () => new Conv2d(randomInit(sequence()), 16, 32, { kernel: 3, bias: true })
  const valuesOf = (tensor: Tensor) => {
    const { bytes } = tensor.read()
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  }

  test('draws convolutions uniformly within ±1/√fanIn, as PyTorch does', () => {
    const conv = drawn()
    const bound = 1 / Math.sqrt(16 * 9)
    const values = valuesOf(conv.weight)
    expect(Math.max(...values)).toBeLessThanOrEqual(bound)
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-bound)
    expect(Math.max(...values)).toBeGreaterThan(0.98 * bound)
    const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length
    expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1)
    expect(Math.max(...valuesOf(conv.bias ?? conv.weight).map(Math.abs))).toBeLessThanOrEqual(bound)
  })

  test('takes the fan-in of one group', () => {
    const conv = new Conv2d(
      randomInit(() => 0),
      8,
      8,
      { kernel: 3, bias: false, groups: 8 },
    )
    expect(conv.weight.shape).toEqual([8, 1, 3, 3])
    expect(valuesOf(conv.weight)[0]).toBeCloseTo(-1 / 3, 6)
  })

  test('returns the same weights for the same random numbers', () => {
    expect(valuesOf(drawn().weight)).toEqual(valuesOf(drawn().weight))
  })

  test('fills constants and buffers', () => {
    const init = randomInit(sequence())
    const weight = init.weight([3], { constant: 1 })
    const buffer = init.buffer([2], 0.5)
    expect([...valuesOf(weight)]).toEqual([1, 1, 1])
    expect([...valuesOf(buffer)]).toEqual([0.5, 0.5])
    expect([weight.isTrainable, buffer.isTrainable]).toEqual([true, false])
  })
})

test('emptyInit creates shapes without memory', () => {
  const conv = new Conv2d(emptyInit(), 1024, 1024, { kernel: 3, bias: true })
  expect(conv.weight.shape).toEqual([1024, 1024, 3, 3])
  expect(() => conv.weight.read()).toThrow("expected values, got none; load the network's weights first")
})
