import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type DType, dtypeBytes, float32Data, type TensorData } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { memorySource } from './checkpoint.ts'
import { openCheckpoint } from './open.ts'
import { encodeSafetensors, readSafetensors } from './safetensors.ts'

const golden = fileURLToPath(new URL('../../test/golden/containers', import.meta.url))

/** A file with a header (text or an object) and `dataBytes` zero bytes of data. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const file = new Uint8Array(8 + text.length + dataBytes)
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true)
  file.set(text, 8)
  return file
}

const open = (bytes: Uint8Array) => openCheckpoint(memorySource(bytes, 'x.safetensors'))
const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] }

describe('encodeSafetensors', () => {
  it.each(['made/weights.safetensors', 'made/new-dtypes.safetensors', 'made/conversions.safetensors'])(
    'writes %s byte for byte like the reference implementation',
    (name) => {
      const bytes = readFileSync(`${golden}/${name}`)
      const { tensors, metadata } = open(bytes)
      expect(Buffer.from(encodeSafetensors(tensors, metadata)).equals(bytes)).toBe(true)
    },
  )

  it('round-trips every dtype, name and metadata', () => {
    const tensors = new Map<string, TensorData>()
    for (const dtype of Object.keys(dtypeBytes) as DType[]) {
      const bytes = Uint8Array.from({ length: 6 * dtypeBytes[dtype] }, (_, index) => index)
      tensors.set(`${dtype} "quoted" \u{1f408}`, { dtype, shape: [2, 3], bytes })
    }
    tensors.set('__proto__', float32Data(new Float32Array([1]), []))
    tensors.set('empty', float32Data(new Float32Array(0), [0, 4]))
    const metadata = new Map([
      ['options', '{"dim":48}'],
      ['__proto__', 'x'],
    ])
    const file = encodeSafetensors(tensors, metadata)
    const found = open(file)
    expect(found.metadata).toEqual(metadata)
    expect(found.tensors.size).toBe(tensors.size)
    for (const [key, { dtype, shape, bytes }] of tensors) {
      expect(found.tensors.get(key)).toMatchObject({ dtype, shape })
      expect(found.tensors.get(key)!.read()).toEqual(bytes)
    }
    expect(new DataView(file.buffer).getBigUint64(0, true) % 8n).toBe(0n)
  })

  it('writes the same bytes for any order of tensors and metadata', () => {
    const tensors: [string, TensorData][] = [
      ['\u{10000}', float32Data(new Float32Array([1]), [1])],
      ['\uffff', float32Data(new Float32Array([2]), [1])],
      ['a', { dtype: 'int64', shape: [1], bytes: new Uint8Array(8) }],
    ]
    const metadata: [string, string][] = [
      ['b', '1'],
      ['a', '2'],
    ]
    const file = encodeSafetensors(new Map(tensors), new Map(metadata))
    expect(encodeSafetensors(new Map(tensors.toReversed()), new Map(metadata.toReversed()))).toEqual(file)
    expect([...open(file).tensors.keys()]).toEqual(['a', '\uffff', '\u{10000}'])
  })

  it('writes an empty file', () => {
    expect(open(encodeSafetensors(new Map())).tensors.size).toBe(0)
  })

  it('rejects a tensor whose bytes do not match its shape', () => {
    const tensors = new Map([['w', { dtype: 'float32', shape: [3], bytes: new Uint8Array(8) } as const]])
    expect(() => encodeSafetensors(tensors)).toThrow(/tensor 'w': expected 12 bytes for \[3\], got 8/)
  })

  it('rejects a tensor named like the metadata', () => {
    const tensors = new Map([['__metadata__', float32Data(new Float32Array(1), [1])]])
    expect(() => encodeSafetensors(tensors)).toThrow(RestoreError)
  })
})

describe('readSafetensors', () => {
  it('accepts a header padded with spaces', () => {
    expect(open(fileOf(`${JSON.stringify({ w: entry })}     `, 8)).tensors.get('w')!.shape).toEqual([2])
  })

  it.each<[string, unknown, number, RegExp]>([
    [
      'an inner key twice',
      '{"w":{"dtype":"F32","shape":[2],"shape" :[2],"data_offsets":[0,8]}}',
      8,
      /key 'shape' twice/,
    ],
    [
      'an escaped key twice',
      '{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0077":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      0,
      /key 'w' twice/,
    ],
    ['a shape of strings', { w: { ...entry, shape: ['2'] } }, 8, /tensor 'w': expected shape/],
    ['an unsafe size', { w: { ...entry, shape: [2 ** 53] } }, 8, /tensor 'w': expected shape/],
    ['three offsets', { w: { ...entry, data_offsets: [0, 8, 8] } }, 8, /tensor 'w': expected data_offsets/],
    ['metadata that is not a string', { __metadata__: { step: 3 }, w: entry }, 8, /__metadata__ 'step'/],
    ['metadata that is not an object', { __metadata__: 'x', w: entry }, 8, /__metadata__ to be/],
    ['a tensor that is not an object', { w: null }, 0, /tensor 'w': expected dtype/],
    [
      'a dtype nested too deep',
      `{"w":{"dtype":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
      0,
      /expected a dtype/,
    ],
    [
      'a shape nested too deep',
      `{"w":{"dtype":"F32","shape":${'['.repeat(20_000)}${']'.repeat(20_000)},"data_offsets":[0,8]}}`,
      8,
      /expected shape to be a list of integers/,
    ],
    [
      'more lists than any network needs',
      `{"w":[${'[],'.repeat(1_000_000)}[]]}`,
      0,
      /1000003 lists and objects/,
    ],
    ['data cut short', { w: entry }, 7, /take 8 bytes, but 7 follow/],
    [
      'an impossible shape with a zero',
      { w: { ...entry, shape: [2 ** 50, 2 ** 50, 1] } },
      8,
      /impossible shape/,
    ],
  ])('rejects %s', (_, header, dataBytes, message) => {
    expect(() => open(fileOf(header, dataBytes))).toThrow(message)
    expect(() => open(fileOf(header, dataBytes))).toThrow(/^x\.safetensors: /)
  })

  it('rejects a beginning that no key has', () => {
    const source = memorySource(fileOf({ w: entry }, 8))
    expect(() => openCheckpoint(source, { tensors: 'params' })).toThrow(
      /expected keys that begin with 'params\.', found w/,
    )
  })

  it('strips the prefix of wrappers', () => {
    const found = open(fileOf({ 'module.w': entry }, 8))
    expect([...found.tensors.keys(), found.prefix]).toEqual(['w', 'module.'])
  })

  it('keeps a prefix that some keys lack, or that is a whole key', () => {
    expect(open(fileOf({ 'module.w': entry, v: { ...entry, data_offsets: [8, 16] } }, 16)).prefix).toBe('')
    expect(open(fileOf({ 'module.': entry }, 8)).prefix).toBe('')
  })

  it('reads only the header until a tensor is read', () => {
    const bytes = fileOf({ w: entry }, 8)
    const whole = memorySource(bytes)
    let last = 0
    const read = (offset: number, length: number) => {
      last = Math.max(last, offset + length)
      return whole.read(offset, length)
    }
    const { tensors } = readSafetensors({ ...whole, read })
    expect(last).toBe(bytes.length - 8)
    expect(tensors.get('w')!.read().length).toBe(8)
    expect(last).toBe(bytes.length)
  })
})
