import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import type { Tensor } from '../core/tensor.ts'
import { toOnnx } from './compile.ts'
import { lower } from './lower.ts'
import { trace } from './tracer.ts'

/** What a function of x [1 2 h w] gives for 0, 1, 2, … */
async function evaluate(forward: (x: Tensor) => Tensor, h: number, w: number) {
  const graph = trace([{ name: 'x', shape: [1, 2, 'h', 'w'] }], ({ x }) => ({ y: forward(x!) }))
  const session = await runtime.InferenceSession.create(toOnnx(graph), { logSeverityLevel: 4 })
  const values = Float32Array.from({ length: 2 * h * w }, (_, i) => i)
  const { y } = await session.run({ x: new runtime.Tensor(values, [1, 2, h, w]) })
  return { data: y?.data, dims: y?.dims, ops: lower(graph, {}).nodes.map(({ opType }) => opType) }
}

describe('a graph for any size', () => {
  test('takes the mean over channels as a product', async () => {
    const { data, dims, ops } = await evaluate((x) => x.mean([1], { keepDim: true }), 2, 3)
    expect(data).toEqual(Float32Array.of(3, 4, 5, 6, 7, 8))
    expect(dims).toEqual([1, 1, 2, 3])
    expect(ops).toContain('MatMul')
  })

  test('reshapes without computing sizes where one is new and the others keep their places', async () => {
    const { dims, ops } = await evaluate((x) => x.reshape([1, 2, -1]), 2, 3)
    expect(dims).toEqual([1, 2, 6])
    expect(ops).toEqual(['Reshape', 'Identity'])
  })

  test('computes sizes where two named ones change places', async () => {
    const { dims } = await evaluate((x) => x.reshape([2, 'w', 'h', 1]), 2, 3)
    expect(dims).toEqual([2, 3, 2, 1])
  })

  test('computes products and quotients of sizes', async () => {
    const pairs = (x: Tensor) => x.reshape([1, 2, 'h/2', 2, 'w/3', 3]).permute([0, 1, 2, 4, 3, 5])
    const { dims } = await evaluate((x) => pairs(x).reshape([1, 2, 'h*w/6', 6]), 4, 9)
    expect(dims).toEqual([1, 2, 6, 6])
  })
})
