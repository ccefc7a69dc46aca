// Compares every op with PyTorch, as a graph that is lowered to ONNX and run by ONNX Runtime.

import * as runtime from 'onnxruntime-node'
import { expect } from 'vitest'
import type { DType, TensorData } from '../../src/core/data.ts'
import { type Dim, factorsOfDim, type Shape } from '../../src/core/dims.ts'
import { hostTensor } from '../../src/core/hostBackend.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { toOnnx } from '../../src/onnx/compile.ts'
import type { Graph } from '../../src/onnx/graph.ts'
import { trace } from '../../src/onnx/tracer.ts'
import { type OpCase, opCases } from '../ops.cases.ts'
import type { Tolerance } from '../values.ts'
import { applyOp, runCases } from './cases.ts'

// All in float32; exp, erf and tanh of ONNX Runtime are polynomials accurate to about
// 1e-6, and sums run in a different order.
const tolerance: Tolerance = { absolute: 2e-5, relative: 2e-5 }

const arrayTypes = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const

type RunnableDType = keyof typeof arrayTypes

function isRunnable(dtype: DType): dtype is RunnableDType {
  return dtype in arrayTypes
}

function toRuntime({ dtype, shape, bytes }: TensorData): runtime.Tensor {
  if (!isRunnable(dtype)) throw new Error(`onnxruntime-node has no tensors of ${dtype}`)
  const copy = new Uint8Array(bytes)
  return new runtime.Tensor(dtype, new arrayTypes[dtype](copy.buffer), shape)
}

function fromRuntime({ type, dims, data }: runtime.Tensor): TensorData {
  if (!ArrayBuffer.isView(data)) throw new Error(`expected numbers, got ${type}`)
  return {
    dtype: type as DType,
    shape: dims,
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  }
}

/** Output shape predicted by the trace, with the sizes of a case substituted for names. */
function sizesOf({ inputs, outputs }: Graph, testCase: OpCase): readonly number[] | undefined {
  const sizes = new Map<Dim, number>()
  for (const { name = '', shape } of inputs) {
    for (const [i, dim] of shape.entries()) sizes.set(dim, testCase.inputs[Number(name.slice(1))]!.shape[i]!)
  }
  return outputs[0]?.value.shape.map((dim) => {
    const { numerator, denominator, names } = factorsOfDim(dim)
    return names.reduce((product, name) => product * sizes.get(name)!, numerator) / denominator
  })
}

interface Variant {
  /** Shape of each traced input; undefined for a constant. */
  readonly shapes: readonly (Shape | undefined)[]
  readonly attrs: OpCase['attrs']
}

async function runTraced(testCase: OpCase, { shapes, attrs }: Variant): Promise<TensorData> {
  const traced = shapes.flatMap((shape, i) =>
    shape ? [{ name: `x${i}`, shape, dtype: testCase.inputs[i]?.dtype ?? 'float32' }] : [],
  )
  const graph = trace(traced, (tensors) => {
    const inputs = testCase.inputs.map((data, i): Tensor => tensors[`x${i}`] ?? hostTensor(data))
    return { y: applyOp({ op: testCase.op, attrs }, inputs) }
  })
  expect(sizesOf(graph, testCase), 'shape rule').toEqual(testCase.expected.shape)
  const session = await runtime.InferenceSession.create(toOnnx(graph), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  })
  try {
    const feeds = traced.map(
      ({ name }) => [name, toRuntime(testCase.inputs[Number(name.slice(1))]!)] as const,
    )
    const { y } = await session.run(Object.fromEntries(feeds))
    if (!y) throw new Error('no output y')
    return fromRuntime(y)
  } finally {
    await session.release()
  }
}

const skip = [
  {
    reason: 'onnxruntime-node has no tensors of bfloat16',
    cases: ['cast: float32 to bfloat16', 'cast: bfloat16 to float32'],
  },
  {
    reason: 'ONNX Runtime has no float64 kernel on the CPU',
    cases: ['gelu: float64', 'silu: float64'],
  },
]

const fixedShapes = ({ inputs }: OpCase) => inputs.map(({ shape }) => shape)

runCases({
  backend: {
    name: 'ONNX Runtime, fixed sizes',
    tolerance,
    run: (testCase) => runTraced(testCase, { shapes: fixedShapes(testCase), attrs: testCase.attrs }),
  },
  skip,
})

runCases({
  backend: {
    name: 'ONNX Runtime, weights as constants',
    tolerance,
    run: (testCase) => {
      const { weights, attrs } = testCase
      const shapes = fixedShapes(testCase).map((shape, i) => (weights.includes(i) ? undefined : shape))
      return runTraced(testCase, { shapes, attrs })
    },
  },
  cases: opCases.filter(({ weights }) => weights.length > 0),
})

runCases({
  backend: {
    name: 'ONNX Runtime, sizes known at run time',
    tolerance,
    run: (testCase) => {
      const { named, weights } = testCase
      if (!named) throw new Error('a case without named sizes')
      const shapes = named.shapes.map((shape, i) => (weights.includes(i) ? undefined : shape))
      return runTraced(testCase, { shapes, attrs: named.attrs })
    },
  },
  cases: opCases.filter(({ named }) => named !== undefined),
  skip,
})
