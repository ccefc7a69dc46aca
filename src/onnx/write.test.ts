import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { float32Data, int64Data } from '../core/data.ts'
import { type OnnxModel, writeOnnx } from './write.ts'

const value = (name: string, shape: readonly (number | string)[]) =>
  ({ name, dtype: 'float32', shape }) as const

/** y = (x · w)[start:]. */
function model(start: number): OnnxModel {
  return {
    opset: 20,
    nodes: [
      { opType: 'Mul', inputs: ['x', 'w'], outputs: ['product'], attributes: {} },
      { opType: 'Slice', inputs: ['product', 'start', 'end'], outputs: ['y'], attributes: {} },
    ],
    initializers: new Map([
      ['w', float32Data(Float32Array.of(1, 2, 3), [3])],
      ['start', int64Data([start], [1])],
      ['end', int64Data([9], [1])],
    ]),
    inputs: [value('x', ['n'])],
    outputs: [value('y', ['m'])],
    metadata: { model: 'größer' },
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('an ONNX file', () => {
  test('has the bytes that onnx.proto specifies', () => {
    const relu = { opType: 'Relu', inputs: ['x'], outputs: ['y'], attributes: { k: 300, f: { float: 1 } } }
    const file = writeOnnx({
      opset: 20,
      nodes: [relu],
      initializers: new Map(),
      inputs: [],
      outputs: [],
      metadata: {},
    })
    const attributes = `2a09 0a016b 18ac02 a00102 2a0b 0a0166 150000803f a00101`
    const node = `0a27 0a0178 120179 1a0179 220452656c75 ${attributes}`
    const expected = `0809 12066c696d706964 3a31 12066c696d706964 ${node} 4204 0a00 1014`
    expect(hex(file)).toBe(expected.replaceAll(' ', ''))
  })

  test('runs, with weights, named sizes and negative integers', async () => {
    const session = await runtime.InferenceSession.create(writeOnnx(model(-2)))
    const { y } = await session.run({ x: new runtime.Tensor(Float32Array.of(1, 10, 100), [3]) })
    expect(y?.data).toEqual(Float32Array.of(20, 300))
  })

  test('rejects a constant whose bytes do not match its shape', () => {
    const broken = new Map([['w', { dtype: 'float32', shape: [3], bytes: new Uint8Array(8) } as const]])
    expect(() => writeOnnx({ ...model(0), initializers: broken })).toThrow(/constant w: expected 3 values/)
  })

  test('rejects a fractional or non-finite integer attribute', () => {
    for (const axis of [1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const node = { opType: 'Gather', inputs: ['x', 'w'], outputs: ['y'], attributes: { axis } }
      expect(() => writeOnnx({ ...model(0), nodes: [node] })).toThrow(`expected an integer, got ${axis}`)
    }
  })

  test('rejects a model beyond the size limit of protobuf', () => {
    const large = float32Data(new Float32Array(2 ** 28), [2 ** 28])
    const initializers = new Map([
      ['a', large],
      ['b', large],
    ])
    expect(() => writeOnnx({ ...model(0), initializers })).toThrow(/2 GiB.*use libtorch/)
  })
})
