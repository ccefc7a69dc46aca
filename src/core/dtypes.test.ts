import { describe, expect, test } from 'vitest'
import { trace } from '../onnx/tracer.ts'
import { type DType, float32Data, int64Data } from './data.ts'
import { dtypeOf } from './dtypes.ts'
import { RestoreError } from './errors.ts'
import { hostTensor } from './hostBackend.ts'
import { cat, type Tensor } from './tensor.ts'

const floats = hostTensor(float32Data(new Float32Array(2), [2]))
const ids = hostTensor(int64Data([0, 1], [2]))

/** Dtype of the result of tracing a function of x [2]. */
function traced(dtype: DType, body: (x: Tensor) => Tensor): DType {
  const graph = trace([{ name: 'x', shape: [2], dtype }], ({ x }) => ({ y: body(x ?? floats) }))
  return graph.outputs[0]!.value.dtype
}

describe('the dtype of a result', () => {
  test('comes from the attribute or the op, otherwise from the inputs', () => {
    expect(dtypeOf('cast', { dtype: 'float16' }, ['float32'])).toBe('float16')
    expect(dtypeOf('argmax', { dim: 0, keepDim: false }, ['float32'])).toBe('int64')
    expect(dtypeOf('add', {}, ['float64', 'float64'])).toBe('float64')
    expect(dtypeOf('embedding', {}, ['float16', 'int64'])).toBe('float16')
  })

  test('stays integer with integer scalars and infinite bounds', () => {
    expect(traced('int32', (x) => x.add(2).mul(-3).pow(2).clamp(0).maximum(x))).toBe('int32')
    expect(traced('int64', (x) => x.sum([0]))).toBe('int64')
    expect(traced('bool', (x) => x.reshape([1, 2]))).toBe('bool')
  })
})

describe('rejects what torch would promote and ONNX would not', () => {
  // [rejected, dtype of x, call, message]
  const cases: readonly (readonly [string, DType, (x: Tensor) => Tensor, string])[] = [
    [
      'integers and floats',
      'int64',
      (x) => x.add(floats),
      'add: expected inputs of one dtype, got int64, float32; cast them to one first',
    ],
    [
      'two floats',
      'float16',
      (x) => x.mul(floats),
      'mul: expected inputs of one dtype, got float16, float32',
    ],
    [
      'joined dtypes',
      'int32',
      (x) => cat([x, ids], 0),
      'cat: expected inputs of one dtype, got int32, int64',
    ],
    [
      'a fraction added to integers',
      'int64',
      (x) => x.add(0.5),
      "addScalar: expected a number whose result fits int64, got 0.5; cast the tensor first: .cast('float32')",
    ],
    [
      'integers divided by a number',
      'int32',
      (x) => x.div(4),
      'mulScalar: expected a number whose result fits int32',
    ],
    ['roots of integers', 'int64', (x) => x.pow(0.5), 'powScalar: expected a number whose result fits int64'],
    [
      'reciprocals of integers',
      'int64',
      (x) => x.pow(-1),
      'powScalar: expected a number whose result fits int64',
    ],
    [
      'a fractional bound',
      'uint8',
      (x) => x.clamp(0, 0.5),
      'clamp: expected a number whose result fits uint8',
    ],
    [
      'integers padded with a fraction',
      'int64',
      (x) => x.pad([1, 1], 'constant', 0.5),
      'pad: expected a number',
    ],
    [
      'quotients',
      'int64',
      (x) => x.div(x),
      "div: expected floats, got int64; cast it first: .cast('float32')",
    ],
    ['functions of integers', 'int64', (x) => x.exp(), 'exp: expected floats, got int64'],
    ['means of integers', 'int64', (x) => x.mean(), 'mean: expected floats, got int64'],
    [
      'sums that torch widens',
      'int32',
      (x) => x.sum(),
      "sum: expected int64 or floats, got int32; cast it first: .cast('int64')",
    ],
    ['sums of booleans', 'bool', (x) => x.sum(), 'sum: expected int64 or floats, got bool'],
    ['products of booleans', 'bool', (x) => x.mul(x), 'mul: expected numbers, got bool'],
    [
      'lookups by floats',
      'float32',
      (x) => x.gather(0, floats),
      "gather: expected int64 for the second input, got float32; cast it first: .cast('int64')",
    ],
  ]
  test.each(cases)('%s', (_, dtype, body, message) => {
    expect(() => traced(dtype, body)).toThrow(message)
    expect(() => traced(dtype, body)).toThrow(expect.objectContaining({ code: 'trace' }))
    expect(() => traced(dtype, body)).toThrow(RestoreError)
  })
})
