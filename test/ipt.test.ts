// Compares IPT with values of the official network, on libtorch and on ONNX Runtime.

import { describe, expect, test } from 'vitest'
import { memorySource } from '../src/checkpoints/checkpoint.ts'
import { openCheckpoint } from '../src/checkpoints/open.ts'
import { encodeSafetensors } from '../src/checkpoints/safetensors.ts'
import { elementCount, float32Data, int64Data, type TensorData } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import type { Tensor } from '../src/core/tensor.ts'
import {
  Ipt,
  type IptOptions,
  iptDefaults,
  iptOptionsFromWeights,
  iptTaskIndex,
  iptTasks,
} from '../src/models/ipt/ipt.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { mapTensors, parameterCount, parameters, stateDict } from '../src/nn/module.ts'
import { toOnnx } from '../src/onnx/compile.ts'
import { trace } from '../src/onnx/tracer.ts'
import { loadModel, recognize } from '../src/registry/loadModel.ts'
import { onnxSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { moveToTorch, noGrad, scope, toTorch } from '../src/torch/backend.ts'
import { libtorchMissing } from './libtorch.ts'
import { difference, numbersOf, type Tolerance } from './values.ts'

// The reference ran in float64 with values in 0..255; the residual stream of these
// weights reaches several thousand.
const tolerance: Tolerance = { absolute: 0.02, relative: 2e-5 }

const tiny: IptOptions = { ...iptDefaults, channels: 4, patchSize: 12, layers: 2, hidden: 144 }

interface Case {
  readonly name: string
  readonly options: Partial<IptOptions>
  readonly task: number
  /** Number of trained tensors in the official state dict. */
  readonly tensors: number
  /** Mean, deviation and elements 0, 1, 2, n/3, n/2 and n − 1 of the output in 0..255. */
  readonly values: readonly number[]
}

const cases: readonly Case[] = [
  {
    name: 'task 0, ×2',
    options: {},
    task: 0,
    tensors: 136,
    values: [
      103.7327954, 717.713011199, 340.87810088, 260.676262537, 284.164168264, 362.251606016, 27.551816864,
      485.421143868,
    ],
  },
  {
    name: 'task 1, ×3',
    options: {},
    task: 1,
    tensors: 136,
    values: [
      107.482352285, 333.693828211, 98.391894716, 66.936015912, 76.256860511, 99.074377564, 403.486687085,
      126.175298681,
    ],
  },
  {
    name: 'task 2, ×4',
    options: {},
    task: 2,
    tensors: 136,
    values: [
      111.460424603, 1054.569374139, 211.326870081, 206.760448485, 215.705572469, 213.475827594, 82.880292567,
      211.268008722,
    ],
  },
  {
    name: 'task 3, ×1',
    options: {},
    task: 3,
    tensors: 136,
    values: [
      111.849762495, 483.224422691, -233.476211183, -560.050801939, -656.389852776, -208.977510858,
      228.681732745, -384.739020353,
    ],
  },
  {
    name: 'task 5, ×1',
    options: {},
    task: 5,
    tensors: 136,
    values: [
      99.986150284, 373.885097549, 60.352837717, 227.148402254, 274.460634416, 42.850083607, 215.100768723,
      93.000469739,
    ],
  },
  {
    name: 'positions at every layer',
    options: { positionEvery: true },
    task: 0,
    tensors: 136,
    values: [
      103.755229844, 718.438169933, 339.93980758, 260.243275214, 283.706109661, 361.232483749, 29.186300495,
      485.044475102,
    ],
  },
  {
    name: 'no positions',
    options: { hasPosition: false },
    task: 0,
    tensors: 135,
    values: [
      97.347647514, 717.255159588, 81.788045319, 64.723047909, 148.148193699, 86.757631198, 825.417674139,
      176.143543018,
    ],
  },
  {
    name: 'no norms',
    options: { hasNorm: false },
    task: 0,
    tensors: 116,
    values: [
      114.739184393, 591.395086427, 164.115165617, 253.091532636, 261.636862717, 148.260407402, 280.705368485,
      121.217914425,
    ],
  },
  {
    name: 'no mlp',
    options: { hasMlp: false },
    task: 0,
    tensors: 129,
    values: [
      115.269094556, 687.940046657, 86.086771992, 70.923863345, 60.41735935, 81.847014476, -391.648215314,
      653.118993281,
    ],
  },
]

/**
 * Tensor k, element i: s = sin(0.7 i + 1.3 k), scaled by the kind of weight; mean shifts keep their values.
 */
function formulaNetwork(changed: Partial<IptOptions>): Ipt {
  const network = new Ipt(
    randomInit(() => 0.5),
    { ...tiny, ...changed },
  )
  let k = 0
  mapTensors(network, (tensor, key) => {
    if (key.includes('_mean.')) return tensor
    const shape = tensor.shape as readonly number[]
    const phase = 1.3 * k++
    const perRow = Math.sqrt(elementCount(shape.slice(1)))
    const value = (i: number) => {
      const s = Math.sin(0.7 * i + phase)
      if (/query_embed|\.pe\./.test(key)) return 0.5 * s
      if (shape.length > 1) return s / perRow
      return key.endsWith('weight') ? 1 + 0.1 * s : 0.1 * s
    }
    return hostTensor(
      float32Data(
        Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
        shape,
      ),
    )
  })
  return network
}

function formulaImage(shape: readonly number[]): TensorData {
  const value = (i: number) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.011 * (i % 97))
  return float32Data(
    Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
    shape,
  )
}

function summary(output: TensorData): TensorData {
  const values = Array.from(numbersOf(output), (value) => 255 * value)
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n)
  const listed = [0, 1, 2, n / 3, n / 2, n - 1].map((at) => values[at] ?? Number.NaN)
  return float32Data(Float32Array.from([mean, deviation, ...listed]), [8])
}

async function runOnnx(network: Ipt, task: number, images: readonly TensorData[]): Promise<TensorData[]> {
  const graph = trace([{ name: 'x', shape: ['b', 3, 12, 12] }], ({ x }) => ({
    y: network.forward(x as Tensor, task),
  }))
  const session = await onnxSession(toOnnx(graph))
  const results: TensorData[] = []
  for (const x of images) results.push((await session.run({ x })).y as TensorData)
  await session.close()
  return results
}

describe.each(cases)('IPT, $name', ({ options, task, tensors, values }) => {
  const image = formulaImage([1, 3, 12, 12])
  const expected = float32Data(Float32Array.from(values), [8])

  test('has the official number of tensors', () => {
    expect(parameters(formulaNetwork(options)).size).toBe(tensors)
  })

  test.skipIf(libtorchMissing !== undefined)('matches the official values on libtorch', () => {
    const network = formulaNetwork(options)
    moveToTorch(network)
    const output = noGrad(() => scope(() => network.forward(toTorch(image), task))).read()
    expect(difference(summary(output), expected, tolerance)).toBeUndefined()
  })

  test('matches the official values on ONNX Runtime', async () => {
    const [output] = await runOnnx(formulaNetwork(options), task, [image])
    expect(difference(summary(output as TensorData), expected, tolerance)).toBeUndefined()
  })
})

test.each([
  [[2], 1, 115_460_443 - 24],
  [[3], 1, 115_645_083 - 24],
  [[4], 1, 115_608_155 - 24],
  [[1], 1, 115_312_731 - 24],
  [[2, 3, 4, 1, 1, 1], 6, 118_892_394 - 24],
] as const)('IPT for scales %j has the published number of parameters', (scales, queries, expected) => {
  expect(parameterCount(new Ipt(emptyInit(), { ...iptDefaults, scales, queries }))).toBe(expected)
})

test('a graph for any number of windows computes them independently', async () => {
  const pair = formulaImage([2, 3, 12, 12])
  const half = pair.bytes.length / 2
  const single = (i: number) => ({
    ...pair,
    shape: [1, 3, 12, 12],
    bytes: pair.bytes.slice(i * half, (i + 1) * half),
  })
  const [both, first, second] = await runOnnx(formulaNetwork({}), 0, [pair, single(0), single(1)])
  const apart = Buffer.concat([first?.bytes ?? [], second?.bytes ?? []].map((bytes) => new Uint8Array(bytes)))
  expect(
    difference(both as TensorData, { ...pair, shape: [2, 3, 24, 24], bytes: apart }, tolerance),
  ).toBeUndefined()
})

describe('IPT’s checkpoint', () => {
  const shapes = (options: IptOptions) =>
    new Map([...stateDict(new Ipt(emptyInit(), options))].map(([key, { shape }]) => [key, shape as number[]]))

  test.each([
    ['the published six tasks', {}],
    ['one task', { scales: [3], queries: 1 }],
    ['more embeddings than tasks', { scales: [1], queries: 6 }],
    ['another patch size', { channels: 9, tokenSize: 8, patchSize: 256, layers: 1 }],
    ['biases after attention', { outProjectionBias: true, layers: 1 }],
    ['neither norms, positions nor mlp', { hasNorm: false, hasPosition: false, hasMlp: false, layers: 1 }],
    ['another hidden width', { hidden: 1152, layers: 1 }],
  ] as readonly (readonly [string, Partial<IptOptions>])[])('determines the options of %s', (_, changed) => {
    const options = { ...iptDefaults, ...changed }
    expect(iptOptionsFromWeights(shapes(options))).toEqual(options)
  })

  function checkpoint(changed: Partial<IptOptions>, extra: readonly (readonly [string, TensorData])[] = []) {
    const tensors = [...stateDict(formulaNetwork(changed))].map(([key, t]) => [key, t.read()] as const)
    return openCheckpoint(memorySource(encodeSafetensors(new Map([...tensors, ...extra]))))
  }

  test('is recognized and loads with the position numbers that the release stores', () => {
    const ids = int64Data(
      Array.from({ length: 16 }, (_, i) => i),
      [1, 16],
    )
    const file = checkpoint({}, [['body.position_encoding.position_ids', ids]])
    expect(recognize(file)).toMatchObject({ id: 'ipt', options: { patchSize: 12, layers: 2, queries: 6 } })
    const model = loadModel(file, { task: 'sr-x3' })
    expect(model.scale).toBe(3)
    expect(model.size.fixedTile).toEqual([12, 12])
  })

  test('runs only on windows of its size, and only with a task', () => {
    const file = checkpoint({})
    const run = (task: string, shape: readonly number[]) =>
      trace([{ name: 'x', shape }], (inputs) => loadModel(file, { task }).forward(inputs))
    expect(() => run('derain', [1, 3, 24, 24])).toThrow('x: expected [b 3 12 12], got [1 3 24 24]')
    expect(() => run('derain', [1, 1, 12, 12])).toThrow('x: expected [b 3 12 12], got [1 1 12 12]')
    expect(() => run('', [1, 3, 12, 12])).toThrow('task: expected one of sr-x2 (0), sr-x3 (1), sr-x4 (2)')
  })

  test('rejects a task without an embedding', () => {
    const network = formulaNetwork({ queries: 1 })
    const graph = (task: number) => () =>
      trace([{ name: 'x', shape: [1, 3, 12, 12] }], ({ x }) => ({ y: network.forward(x as Tensor, task) }))
    expect(graph(1)).toThrow('IPT: expected a task below 1, the number of task embeddings, got 1')
    expect(graph(6)).toThrow('IPT: expected a task from 0 to 5, got 6')
  })
})

describe('a task of IPT', () => {
  const six = { scales: [2, 3, 4, 1, 1, 1] }

  test.each([
    [six, 'sr-x4', 2],
    [six, 'derain', 3],
    [six, 'denoise-50', 5],
    [six, '4', 4],
    [{ scales: [3, 1] }, 'sr-x3', 0],
    [{ scales: [3, 1] }, 'restore', 1],
    [{ scales: [1] }, 'denoise-30', 0],
    [{ scales: [2] }, '', 0],
  ])('is found by name or index: %j %s', (options, task, index) => {
    expect(iptTaskIndex(options, task)).toBe(index)
  })

  test.each([
    [{ scales: [2] }, 'sr-x4', 'task: expected one of sr-x2 (0), which these weights have, got sr-x4'],
    [{ scales: [2] }, 'derain', 'got derain'],
    [{ scales: [1] }, 'sr-x2', 'task: expected one of restore (0), which these weights have, got sr-x2'],
    [{ scales: [1, 1] }, 'derain', 'got derain, which is ambiguous'],
    [six, '6', 'got 6'],
    [six, '-1', 'got -1'],
    [six, 'deblur', 'got deblur'],
  ])('is rejected if the weights lack it: %j %s', (options, task, message) => {
    expect(() => iptTaskIndex(options, task)).toThrow(message)
  })

  test('has a published name only in the published set', () => {
    expect(iptTasks({ scales: [2, 3, 4, 1, 1, 1] })[4]).toBe('denoise-30')
    expect(iptTasks({ scales: [2, 1] })).toEqual(['sr-x2', 'restore'])
  })
})
