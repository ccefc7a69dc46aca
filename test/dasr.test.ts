// DASR: its checkpoint, its two parts, and the training of the encoder. test/fixtures
// compares it with the official values.

import { describe, expect, test } from 'vitest'
import { memorySource } from '../src/checkpoints/checkpoint.ts'
import { openCheckpoint } from '../src/checkpoints/open.ts'
import { encodeSafetensors } from '../src/checkpoints/safetensors.ts'
import { float32Data, type TensorData } from '../src/core/data.ts'
import type { Tensor } from '../src/core/tensor.ts'
import {
  contrastiveLoss,
  Dasr,
  type DasrOptions,
  dasrDefaults,
  dasrOptionsFromWeights,
} from '../src/models/dasr/dasr.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { parameterCount, parameters, stateDict } from '../src/nn/module.ts'
import { toOnnx } from '../src/onnx/compile.ts'
import { trace } from '../src/onnx/tracer.ts'
import { loadModel, recognize } from '../src/registry/loadModel.ts'
import { onnxSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { backward, grad, moveToTorch, noGrad, scalar, scope, toTorch } from '../src/torch/backend.ts'
import { adamW } from '../src/torch/optim.ts'
import { contrastStep, startContrast } from '../src/train/networks/momentumContrast.ts'
import { libtorchMissing } from './libtorch.ts'
import { difference, type Tolerance } from './values.ts'

// Float32 sums in a different order.
const tolerance: Tolerance = { absolute: 1e-5, relative: 1e-4 }

const tiny: DasrOptions = {
  scale: 2,
  groups: 1,
  blocks: 2,
  channels: 8,
  reduction: 4,
  encoderChannels: [8, 8, 12],
  queueSize: 0,
}

/** A fixed sequence in [0, 1). */
function sequence(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

const network = (changed: Partial<DasrOptions> = {}) =>
  new Dasr(randomInit(sequence()), { ...tiny, ...changed })

function noise(shape: readonly number[], seed = 0): TensorData {
  const random = sequence()
  for (let i = 0; i < seed; i++) random()
  const count = shape.reduce((n, size) => n * size, 1)
  return float32Data(Float32Array.from({ length: count }, random), shape)
}

async function runOnnx(
  inputs: Readonly<Record<string, TensorData>>,
  shapes: Readonly<Record<string, readonly (number | string)[]>>,
  forward: (inputs: Readonly<Record<string, Tensor>>) => Tensor,
): Promise<TensorData> {
  const traced = Object.entries(shapes).map(([name, shape]) => ({ name, shape }))
  const session = await onnxSession(toOnnx(trace(traced, (named) => ({ out: forward(named) }))))
  const { out } = await session.run(inputs)
  await session.close()
  return out as TensorData
}

describe('DASR’s checkpoint', () => {
  const shapes = (options: DasrOptions) =>
    new Map(
      [...stateDict(new Dasr(emptyInit(), options))].map(([key, { shape }]) => [key, shape as number[]]),
    )

  test.each([
    [2, 469, 4_542_811],
    [3, 469, 4_727_451],
    [4, 471, 4_690_523],
  ])('for ×%d has the published number of tensors and parameters', (scale, tensors, generator) => {
    const full = new Dasr(emptyInit(), { ...dasrDefaults, scale })
    expect(stateDict(full).size).toBe(tensors)
    expect(parameterCount(full.G) + 24).toBe(generator)
    expect(parameterCount(full.E)).toBe(1_278_784)
    // Including the state of training: 519 for ×4.
    const trained = new Dasr(emptyInit(), { ...dasrDefaults, scale, queueSize: 8192 })
    expect(stateDict(trained).size).toBe(tensors + 48)
    expect(parameterCount(trained)).toBe(parameterCount(full))
  })

  test.each([
    {},
    { scale: 2 },
    { scale: 3, queueSize: 8192 },
    { ...tiny, queueSize: 24 },
    { scale: 1, groups: 2, blocks: 3, channels: 16, reduction: 2 },
  ])('determines its options: %j', (changed) => {
    const options = { ...dasrDefaults, ...changed }
    expect(dasrOptionsFromWeights(shapes(options))).toEqual(options)
  })

  test.each([0, 8])('loads with a queue of %d keys', (queueSize) => {
    const tensors = [...stateDict(network({ queueSize }))].map(([key, t]) => [key, t.read()] as const)
    const file = openCheckpoint(memorySource(encodeSafetensors(new Map(tensors))))
    expect(recognize(file)).toMatchObject({ id: 'dasr', options: { queueSize, scale: 2 } })
    const model = loadModel(file)
    expect(model.scale).toBe(2)
    expect(() => trace([{ name: 'x', shape: [1, 1, 8, 8] }], (x) => model.forward(x))).toThrow(
      'x: expected [b 3 h w]',
    )
  })
})

test('one representation serves any number of tiles of a photo', async () => {
  const dasr = network()
  const tiles = noise([3, 3, 10, 12])
  const fea = noise([1, 12], 5)
  const any = { x: ['b', 3, 10, 12], fea: [1, 12] }
  const restore = ({ x, fea }: Readonly<Record<string, Tensor>>) => dasr.restore(x as Tensor, fea as Tensor)
  const together = await runOnnx({ x: tiles, fea }, any, restore)
  const size = tiles.bytes.length / 3
  const parts: Uint8Array[] = []
  for (let i = 0; i < 3; i++) {
    const x = { ...tiles, shape: [1, 3, 10, 12], bytes: tiles.bytes.slice(i * size, (i + 1) * size) }
    parts.push((await runOnnx({ x, fea }, any, restore)).bytes)
  }
  const joined = { ...together, bytes: new Uint8Array(Buffer.concat(parts)) }
  expect(together.shape).toEqual([3, 3, 20, 24])
  expect(difference(together, joined, tolerance)).toBeUndefined()
})

describe.skipIf(libtorchMissing !== undefined)('DASR on libtorch', () => {
  test('agrees with ONNX Runtime, with separate kernels for every sample', async () => {
    const dasr = network({ scale: 3 })
    const inputs = { x: noise([2, 3, 9, 7]), fea: noise([2, 12], 5) }
    const found = await runOnnx(inputs, { x: [2, 3, 9, 7], fea: [2, 12] }, ({ x, fea }) =>
      dasr.restore(x as Tensor, fea as Tensor),
    )
    moveToTorch(dasr)
    const eager = noGrad(() => dasr.restore(toTorch(inputs.x), toTorch(inputs.fea))).read()
    expect(difference(found, eager, tolerance)).toBeUndefined()
  })

  test('fills the queue cyclically and keeps the key encoder out of the optimizer', () => {
    const dasr = network({ queueSize: 6 })
    moveToTorch(dasr)
    startContrast(dasr.E)
    const { queue, queue_ptr, encoder_k } = dasr.E
    if (!queue || !queue_ptr || !encoder_k) throw new Error('expected a network to train')
    const lengths = () =>
      Array.from(new Float32Array(new Uint8Array(queue.pow(2).sum([0]).read().bytes).buffer))
    for (const length of lengths()) expect(length).toBeCloseTo(1, 5)
    const views = { queries: toTorch(noise([2, 3, 8, 8])), keys: toTorch(noise([2, 3, 8, 8], 9)) }
    const pointers = [0, 1, 2].map(() => {
      scope(() => contrastStep(dasr.E, views))
      return scalar(queue_ptr)
    })
    expect(pointers).toEqual([2, 4, 0])
    for (const length of lengths()) expect(length).toBeCloseTo(1, 5)
    expect([...parameters(dasr.E).keys()].filter((key) => !key.startsWith('encoder_q.'))).toEqual([])
    expect(scalar((stateDict(encoder_k).get('E.1.num_batches_tracked') as Tensor).mul(1))).toBe(3)
  })

  test('overfits one batch, distinguishing its degradations', () => {
    const dasr = network({ queueSize: 8 })
    moveToTorch(dasr)
    startContrast(dasr.E)
    const trained = parameters(dasr.E)
    const optimizer = adamW(trained, { weightDecay: 0 })
    const levels = toTorch(float32Data(Float32Array.of(0.1, 0.4, 0.7, 1), [4, 1, 1, 1]))
    const view = (seed: number) => toTorch(noise([4, 3, 12, 12], seed)).mul(levels)
    const step = () =>
      scope(() => {
        optimizer.zeroGrad()
        const { logits } = contrastStep(dasr.E, { queries: view(1), keys: view(7) })
        const loss = contrastiveLoss(logits)
        backward(loss)
        optimizer.step(2e-3)
        return scalar(loss)
      })
    const losses = Array.from({ length: 30 }, step)
    expect(losses.every(Number.isFinite)).toBe(true)
    // The queue holds every key of this batch twice, so a perfect encoder has ln 3 and
    // an uninformative one ln 9.
    expect(Math.min(...losses.slice(-5))).toBeLessThan(1.3)
    expect(losses[2]).toBeGreaterThan(1.4)
    expect(grad(trained.get('encoder_q.E.0.weight') as Tensor)).toBeDefined()
  })

  test('rejects a batch that does not divide the queue, and a network without a queue', () => {
    const views = { queries: toTorch(noise([4, 3, 8, 8])), keys: toTorch(noise([4, 3, 8, 8])) }
    const dasr = network({ queueSize: 6 })
    moveToTorch(dasr)
    expect(() => contrastStep(dasr.E, views)).toThrow(
      'queue: expected a batch that divides its 6 keys, got 4',
    )
    const published = network()
    expect(() => contrastStep(published.E, views)).toThrow('create it with a queueSize')
  })
})
