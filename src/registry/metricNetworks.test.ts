import { expect, test } from 'vitest'
import { hashed } from '../../test/hashed.ts'
import { type Checkpoint, loadTensor, type StoredTensor } from '../checkpoints/checkpoint.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { float32Data, viewAs } from '../core/data.ts'
import type { NamedData } from '../core/session.ts'
import { Inception } from '../models/metricNetworks/inception.ts'
import { Lpips } from '../models/metricNetworks/lpips.ts'
import { emptyInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { nodeSession } from '../runtime/session/nodeOnnxSession.ts'
import { type MetricNetwork, metricNetworks } from './metricNetworks.ts'

const golden = readCheckpoint('test/golden/metrics/networks.safetensors').tensors
const expected = (key: string) => viewAs(loadTensor(golden.get(key)!).bytes, Float32Array)

/** Values of a key, by the formula of networks.py. */
function valuesOf(key: string, shape: readonly number[]): Float32Array {
  const values = hashed(key, shape)
  const spread = (scale: number) => {
    for (let i = 0; i < values.length; i++) values[i] = Math.fround(2 * values[i]! - 1) * scale
    return values
  }
  if (key.startsWith('lin')) return values
  if (key.endsWith('bn.weight') || key.endsWith('running_var')) return values.map((value) => 0.5 + value)
  if (/bn\.(bias|running_mean)$/.test(key)) return spread(0.2)
  if (key.endsWith('.bias')) return spread(0.1)
  return spread(Math.fround(Math.sqrt(6 / shape.slice(1).reduce((product, size) => product * size, 1))))
}

function stored(shape: readonly number[], values: () => Float32Array): StoredTensor {
  return { dtype: 'float32', shape, read: () => float32Data(values(), shape).bytes }
}

function checkpoint(module: object, more: Readonly<Record<string, StoredTensor>> = {}): Checkpoint {
  const tensors = new Map(
    [...stateDict(module)].map(([key, tensor]) => {
      const shape = tensor.shape as readonly number[]
      return [key, stored(shape, () => valuesOf(key, shape))] as const
    }),
  )
  for (const [key, tensor] of Object.entries(more)) tensors.set(key, tensor)
  return { tensors, metadata: new Map(), container: 'zip', path: [], prefix: '', name: 'x', others: [] }
}

/** A checkpoint with only the tensors whose keys match. */
function part(whole: Checkpoint, pattern: RegExp): Checkpoint {
  return { ...whole, tensors: new Map([...whole.tensors].filter(([key]) => pattern.test(key))) }
}

const scalar = stored([1], () => new Float32Array(1))

function image(key: string, shape: readonly number[]) {
  return float32Data(
    hashed(key, shape).map((value) => 2 * value - 1),
    shape,
  )
}

async function run(network: MetricNetwork | undefined, inputs: NamedData) {
  const session = nodeSession(network!)
  try {
    const [result] = Object.values(await session.run(inputs))
    return viewAs(result!.bytes, Float32Array)
  } finally {
    await session.close()
  }
}

const pair = {
  reference: image('reference', [1, 3, 64, 72]),
  output: image('output', [1, 3, 64, 72]),
}

for (const [backbone, name] of [
  ['alexnet', 'lpips'],
  ['vgg16', 'lpips-vgg'],
] as const) {
  test(`LPIPS on ${backbone} equals PyTorch's distance`, async () => {
    const found = metricNetworks([checkpoint(new Lpips(emptyInit(), backbone))])
    expect(Object.keys(found)).toEqual([name])
    expect((await run(found[name], pair))[0]).toBeCloseTo(expected(backbone)[0]!, 5)
  })
}

test('backbone and heads of LPIPS may be two files, and an image has distance 0 to itself', async () => {
  const whole = checkpoint(new Lpips(emptyInit(), 'alexnet'), { 'classifier.1.weight': scalar })
  const { lpips } = metricNetworks([part(whole, /^(features|classifier)/), part(whole, /^lin/)])
  expect(await run(lpips, { ...pair, output: pair.reference })).toEqual(Float32Array.of(0))
})

test('Inception equals PyTorch’s features and ignores other keys in its file', async () => {
  const file = checkpoint(new Inception(emptyInit()), {
    'fc.weight': scalar,
    'Mixed_7c.branch_pool.bn.num_batches_tracked': scalar,
    'AuxLogits.conv0.conv.weight': scalar,
  })
  const features = await run(metricNetworks([file]).fid, { image: image('image', [1, 3, 299, 299]) })
  const reference = expected('features')
  expect(features).toHaveLength(2048)
  const largest = reference.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
  const worst = reference.reduce((max, value, i) => Math.max(max, Math.abs(value - features[i]!)), 0)
  expect(worst / largest).toBeLessThan(1e-5)
})

test('incomplete weights are rejected with what is missing', () => {
  const whole = checkpoint(new Lpips(emptyInit(), 'alexnet'))
  expect(() => metricNetworks([part(whole, /^features/)])).toThrow(/expected the heads of lpips/)
  expect(() => metricNetworks([part(whole, /^lin/)])).toThrow(/expected the backbone of LPIPS/)
  expect(() => metricNetworks([])).toThrow(/expected weights of LPIPS or Inception/)
  expect(() => metricNetworks([part(whole, /^(?!features\.3\.bias)/)])).toThrow(
    /missing 1: features\.3\.bias/,
  )
})

test('heads of another backbone are rejected', () => {
  const [alexnet, vgg16] = (['alexnet', 'vgg16'] as const).map((name) =>
    checkpoint(new Lpips(emptyInit(), name)),
  )
  expect(() => metricNetworks([part(alexnet!, /^features/), part(vgg16!, /^lin/)])).toThrow(/heads of lpips/)
})
