import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type DType, dtypeBytes } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { loadTensor } from './checkpoint.ts'
import { fromFloat32, toFloat32 } from './convert.ts'
import { readCheckpoint } from './files.ts'

const made = fileURLToPath(new URL('../../test/golden/containers/made', import.meta.url))
const tensors = readCheckpoint(`${made}/conversions.safetensors`).tensors
const load = (key: string) => loadTensor(tensors.get(key)!)
const values = toFloat32(load('float32'))

describe('fromFloat32', () => {
  it.each(['float16', 'bfloat16', 'float64', 'float32'] as const)('rounds to %s like PyTorch', (dtype) => {
    expect(Buffer.from(fromFloat32(values, dtype))).toEqual(Buffer.from(load(dtype).bytes))
  })

  it.each(['float16', 'bfloat16'] as const)('keeps NaN in %s', (dtype) => {
    const bytes = fromFloat32(new Float32Array([Number.NaN, -Number.NaN]), dtype)
    expect([...toFloat32({ dtype, shape: [2], bytes })]).toEqual([Number.NaN, Number.NaN])
  })

  it('reads values that start in the middle of a buffer', () => {
    const bytes = fromFloat32(new Float32Array([9, 1, 2]).subarray(1), 'float16')
    expect([...toFloat32({ dtype: 'float16', shape: [2], bytes })]).toEqual([1, 2])
  })
})

describe('toFloat32', () => {
  it('widens float16 exactly', () => {
    const expected = load('every_float16')
    const codes = Uint16Array.from({ length: expected.shape[0]! }, (_, index) => index * 7)
    const bytes = new Uint8Array(codes.buffer)
    expect(toFloat32({ dtype: 'float16', shape: expected.shape, bytes })).toEqual(toFloat32(expected))
  })

  it.each([
    ['float8_e4m3fn', 'every_e4m3'],
    ['float8_e5m2', 'every_e5m2'],
  ] as const)('widens %s exactly', (dtype, key) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, code) => code)
    expect(toFloat32({ dtype, shape: [256], bytes })).toEqual(toFloat32(load(key)))
  })

  it('round-trips every float16', () => {
    const codes = Uint16Array.from({ length: 0x7c01 }, (_, code) => code)
    const wide = toFloat32({ dtype: 'float16', shape: [codes.length], bytes: new Uint8Array(codes.buffer) })
    expect(fromFloat32(wide, 'float16')).toEqual(new Uint8Array(codes.buffer))
  })

  it.each([
    ['float64', new Float64Array([0.1, -2])],
    ['int64', new BigInt64Array([-3n, 2n ** 53n])],
    ['uint64', new BigUint64Array([2n ** 64n - 1n, 0n])],
    ['int32', new Int32Array([-5, 7])],
    ['uint32', new Uint32Array([2 ** 32 - 1, 7])],
    ['int16', new Int16Array([-5, 7])],
    ['uint16', new Uint16Array([65535, 7])],
    ['int8', new Int8Array([-5, 7])],
    ['uint8', new Uint8Array([255, 7])],
  ] as const)('converts %s, aligned or not', (dtype, array) => {
    const expected = Float32Array.from(array, Number)
    const bytes = new Uint8Array(array.buffer)
    expect(toFloat32({ dtype, shape: [2], bytes })).toEqual(expected)
    const shifted = new Uint8Array(bytes.length + 1)
    shifted.set(bytes, 1)
    expect(toFloat32({ dtype, shape: [2], bytes: shifted.subarray(1) })).toEqual(expected)
  })

  it('reads any byte except 0 as true', () => {
    expect([...toFloat32({ dtype: 'bool', shape: [3], bytes: new Uint8Array([0, 1, 255]) })]).toEqual([
      0, 1, 1,
    ])
  })

  it.each(Object.keys(dtypeBytes) as DType[])(
    'rejects %s data whose length does not match its shape',
    (dtype) => {
      expect(() => toFloat32({ dtype, shape: [2, 3], bytes: new Uint8Array(5) })).toThrow(RestoreError)
    },
  )
})
