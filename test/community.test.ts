// Families of networks that the community trains: every configuration is found from the keys and shapes of a file, and both backends compute what
// spandrel does (community/generate.py).

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Checkpoint, StoredTensor } from '../src/checkpoints/checkpoint.ts'
import { float32Data, viewAs } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import { loadModel, recognize } from '../src/registry/loadModel.ts'
import { nodeSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { moveToTorch, noGrad, toTorch } from '../src/torch/backend.ts'
import { libtorchMissing } from './libtorch.ts'

interface Case {
  readonly options: Readonly<Record<string, unknown>>
  readonly gain: number
  readonly keys: readonly (readonly [key: string, shape: readonly number[]])[]
  readonly size: readonly [height: number, width: number]
  readonly shape: readonly number[]
  /** Base64 of float32. */
  readonly y: string
}

const folder = fileURLToPath(new URL('community/', import.meta.url))

/** Elements after which the weights repeat. */
const period = 2 ** 16

/** The weights of `fill` in generate.py. */
function filled(key: string, shape: readonly number[], k: number, gain: number): StoredTensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const scale = shape.length > 1 ? gain * Math.sqrt((3 * shape[0]!) / count) : 0.1
  const shift = key.endsWith('running_var') ? 1 : 0
  const values = new Float32Array(count)
  for (let i = 0; i < Math.min(count, period); i++)
    values[i] = shift + scale * Math.sin(0.7 * i + 1.3 * k + 0.001 * i * k)
  for (let at = period; at < count; at += period) values.copyWithin(at, 0, period)
  return { dtype: 'float32', shape, read: () => float32Data(values, shape).bytes }
}

function checkpointOf({ keys, gain }: Case): Checkpoint {
  const tensors = new Map(keys.map(([key, shape], k) => [key, filled(key, shape, k, gain)]))
  return { name: 'case', tensors, metadata: new Map(), container: 'zip', path: [], prefix: '', others: [] }
}

function picture(shape: readonly number[]): Float32Array {
  const count = shape.reduce((a, b) => a * b, 1)
  return Float32Array.from({ length: count }, (_, i) => 0.5 + 0.5 * Math.sin(0.37 * i + 0.0003 * i * i))
}

/** Largest difference, relative to the range of what is expected. */
function difference(actual: Float32Array, expected: Float32Array): number {
  const range = expected.reduce((a, b) => Math.max(a, b)) - expected.reduce((a, b) => Math.min(a, b))
  return actual.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i]!)), 0) / range
}

const families = readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []))

describe.each(families)('%s', (family) => {
  const cases: readonly Case[] = JSON.parse(readFileSync(`${folder}${family}.json`, 'utf8'))
  test.each(cases)('$options at $size', async (one) => {
    const checkpoint = checkpointOf(one)
    expect(recognize(checkpoint)).toMatchObject({ id: family, options: one.options })
    const model = loadModel(checkpoint)
    const shape = [1, model.channels.input, ...one.size]
    const expected = viewAs(Buffer.from(one.y, 'base64'), Float32Array)
    expect(one.shape).toEqual([
      1,
      model.channels.output,
      one.size[0] * model.scale,
      one.size[1] * model.scale,
    ])
    const x = float32Data(picture(shape), shape)
    const session = nodeSession(model)
    const { y } = await session.run({ x }).finally(() => session.close())
    expect(difference(viewAs((y ?? expect.fail()).bytes, Float32Array), expected)).toBeLessThan(1e-5)
    if (libtorchMissing !== undefined) return
    moveToTorch(model.network)
    const eager = noGrad(() => (model.forward({ x: toTorch(hostTensor(x)) }).y ?? expect.fail()).read())
    expect(difference(viewAs(eager.bytes, Float32Array), expected)).toBeLessThan(1e-5)
  })
})
