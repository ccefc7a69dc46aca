import { describe, expect, test } from 'vitest'
import { loadAddon } from '../../native/load.ts'
import { libtorchMissing } from '../../test/libtorch.ts'
import { float32Data, viewAs } from '../core/data.ts'
import type { Session } from '../core/session.ts'
import type { Tensor } from '../core/tensor.ts'
import { Restormer, restormerDefaults } from '../models/restormer/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { inBfloat16 } from '../onnx/bfloat16.ts'
import { fuseNorms } from '../onnx/fuseNorms.ts'
import type { Graph } from '../onnx/graph.ts'
import { regroupChannels } from '../onnx/optimize.ts'
import { trace } from '../onnx/tracer.ts'
import { torchGraphSession } from './torchGraphSession.ts'
import { torchSession } from './torchSession.ts'

const shape = [1, 3, 16, 24]
const x = float32Data(
  Float32Array.from({ length: 3 * 16 * 24 }, (_, i) => (1 + Math.sin(0.37 * i)) / 2),
  shape,
)

function network() {
  let count = 0
  const options = { ...restormerDefaults, dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 } as const
  const model = new Restormer(
    randomInit(() => (++count * 0.618034) % 1),
    options,
  )
  const forward = ({ x }: Readonly<Record<string, Tensor>>) => ({ y: model.forward(x as Tensor) })
  return { model, forward, graph: fuseNorms(regroupChannels(trace([{ name: 'x', shape }], forward))) }
}

async function outputOf(session: Session): Promise<Float32Array> {
  const { y } = await session.run({ x })
  expect(y).toMatchObject({ dtype: 'float32', shape })
  return viewAs(y?.bytes ?? new Uint8Array(), Float32Array)
}

/** PSNR in dB, of a range of 1. */
function closeness(a: Float32Array, b: Float32Array): number {
  return -10 * Math.log10(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length)
}

describe.skipIf(libtorchMissing !== undefined)('a graph on libtorch', () => {
  test('gives what the eager network gives, from run to run', async () => {
    const { model, forward, graph } = network()
    // Frees the weights of the eager network, which otherwise live until garbage collection.
    loadAddon().scopeBegin()
    const eager = await outputOf(torchSession(model, forward))
    loadAddon().scopeEnd([])
    const session = torchGraphSession(graph)
    // float32 sums in a different order
    expect(closeness(eager, await outputOf(session))).toBeGreaterThan(110)
    expect(await outputOf(session)).toEqual(await outputOf(session))
    await session.close()
  })

  test('in bfloat16 stays within 50 dB of float32, and is not float32', async () => {
    const { graph } = network()
    const outputOnce = async (one: Graph) => {
      const session = torchGraphSession(one)
      const output = await outputOf(session)
      await session.close()
      return output
    }
    const [full, reduced] = [await outputOnce(graph), await outputOnce(inBfloat16(graph))]
    expect(closeness(full, reduced)).toBeGreaterThan(50)
    expect(closeness(full, reduced)).toBeLessThan(90)
  })

  test('in bfloat16 keeps no float32 copy of its weights', async () => {
    const { graph } = network()
    const bytesOf = async (one: Graph) => {
      const before = loadAddon().liveTensors().bytes
      const session = torchGraphSession(one)
      const { bytes } = loadAddon().liveTensors()
      await session.close()
      return bytes - before
    }
    const [full, reduced] = [await bytesOf(graph), await bytesOf(inBfloat16(graph))]
    expect(reduced).toBeLessThan(0.6 * full)
  })

  test('frees what it computed, and its weights when it is closed', async () => {
    const { graph } = network()
    const before = loadAddon().liveTensors().count
    const session = torchGraphSession(inBfloat16(graph))
    await session.run({ x })
    const open = loadAddon().liveTensors().count
    await session.run({ x })
    expect(loadAddon().liveTensors().count).toBe(open)
    await session.close()
    expect(loadAddon().liveTensors().count).toBe(before)
  })
})
