import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { type DType, float32Data } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'
import { toOnnx } from './compile.ts'
import { lower } from './lower.ts'
import { trace } from './tracer.ts'

/** Evaluates a function of x [1 2 h w] at 0, 1, 2, … */
async function evaluate(forward: (x: Tensor) => Tensor, h: number, w: number) {
  const graph = trace([{ name: 'x', shape: [1, 2, 'h', 'w'] }], ({ x }) => ({ y: forward(x!) }))
  const session = await runtime.InferenceSession.create(toOnnx(graph), { logSeverityLevel: 4 })
  const values = Float32Array.from({ length: 2 * h * w }, (_, i) => i)
  const { y } = await session.run({ x: new runtime.Tensor(values, [1, 2, h, w]) })
  return { data: y?.data, dims: y?.dims, ops: lower(graph, {}).nodes.map(({ opType }) => opType) }
}

describe('a graph for any size', () => {
  test('computes the mean over channels as a product', async () => {
    const { data, dims, ops } = await evaluate((x) => x.mean([1], { keepDim: true }), 2, 3)
    expect(data).toEqual(Float32Array.of(3, 4, 5, 6, 7, 8))
    expect(dims).toEqual([1, 1, 2, 3])
    expect(ops).toContain('MatMul')
  })

  test('reshapes without computing sizes if only one differs from the input', async () => {
    const { dims, ops } = await evaluate((x) => x.reshape([1, 2, -1]), 2, 3)
    expect(dims).toEqual([1, 2, 6])
    expect(ops).toEqual(['Reshape', 'Identity'])
  })

  test('computes sizes if two named ones are swapped', async () => {
    const { dims } = await evaluate((x) => x.reshape([2, 'w', 'h', 1]), 2, 3)
    expect(dims).toEqual([2, 3, 2, 1])
  })

  test('computes products and quotients of sizes', async () => {
    const pairs = (x: Tensor) => x.reshape([1, 2, 'h/2', 2, 'w/3', 3]).permute([0, 1, 2, 4, 3, 5])
    const { dims } = await evaluate((x) => pairs(x).reshape([1, 2, 'h*w/6', 6]), 4, 9)
    expect(dims).toEqual([1, 2, 6, 6])
  })
})

describe('names', () => {
  /** x + weight, with a key for the weight. */
  function keyed(key: string, output = 'y') {
    const weight = hostTensor(float32Data(Float32Array.of(10), [1]))
    weight.key = key
    return trace([{ name: 'x', shape: [1] }], ({ x }) => ({ [output]: x!.add(weight) }))
  }

  test.each(['x', 'y', 'Add_0', 'Add_1'])('of a weight may collide with another value: %s', async (key) => {
    const session = await runtime.InferenceSession.create(toOnnx(keyed(key)), { logSeverityLevel: 4 })
    const { y } = await session.run({ x: new runtime.Tensor(Float32Array.of(1), [1]) })
    expect(y?.data).toEqual(Float32Array.of(11))
  })

  test('of inputs and outputs must differ', () => {
    expect(() => toOnnx(keyed('weight', 'x'))).toThrow(
      "graph: expected distinct names of inputs and outputs, got 'x' twice",
    )
  })
})

describe('a scalar operand', () => {
  const constants = (dtype: DType, value: number) => {
    const graph = trace([{ name: 'x', shape: [1], dtype }], ({ x }) => ({ y: x!.add(value) }))
    return [...lower(graph, {}).initializers.values()].map(({ dtype, bytes }) => ({
      dtype,
      bytes: [...bytes],
    }))
  }

  test('keeps its full precision', () => {
    const bytesOf = (values: Float64Array | BigInt64Array) => [...new Uint8Array(values.buffer)]
    expect(constants('float64', 0.1)).toEqual([{ dtype: 'float64', bytes: bytesOf(Float64Array.of(0.1)) }])
    expect(constants('int32', 16_777_217)).toEqual([
      { dtype: 'int64', bytes: bytesOf(BigInt64Array.of(16_777_217n)) },
    ])
  })
})
