// Handmade PyTorch files: archives with all features of zip, and pickles that try to break the reader.

import { describe, expect, it } from 'vitest'
import { buildCheckpoint, buildZip } from '../../test/golden/containers/buildZip.ts'
import { crc32, slicedCrc32 } from '../core/crc32.ts'
import { RestoreError } from '../core/errors.ts'
import { type ByteSource, loadTensor, memorySource } from './checkpoint.ts'
import { toFloat32 } from './convert.ts'
import { openCheckpoint } from './open.ts'

const encode = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))
const floats = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer)
const open = (bytes: Uint8Array) => openCheckpoint(memorySource(bytes, 'x.pth'))

/** Protocol 2 opcodes for small values. */
const text = (value: string) => `X${String.fromCharCode(value.length, 0, 0, 0)}${value}`
const integer = (value: number) =>
  `J${String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24)}`
const tuple = (...values: string[]) => `(${values.join('')}t`
const storage = (key: string, numel: number, type = 'FloatStorage') =>
  `${tuple(text('storage'), `ctorch\n${type}\n`, text(key), text('cpu'), integer(numel))}Q`
const tensor = (where: string, offset: number, shape: readonly number[], strides: readonly number[]) =>
  `ctorch._utils\n_rebuild_tensor_v2\n${tuple(where, integer(offset), tuple(...shape.map(integer)), tuple(...strides.map(integer)), '\x89', ')')}R`
const dict = (entries: Readonly<Record<string, string>>) =>
  `}(${Object.entries(entries)
    .map(([key, value]) => text(key) + value)
    .join('')}u`
const pickle = (body: string) => encode(`\x80\x02${body}.`)

const matrix = pickle(dict({ w: tensor(storage('0', 4), 0, [2, 2], [2, 1]) }))
const values = floats([1, 2, 3, 4])

function valuesOf(source: ByteSource, key = 'w'): number[] {
  return [...toFloat32(loadTensor(openCheckpoint(source).tensors.get(key)!))]
}

describe('zip archives', () => {
  const records = [
    { name: 'any/folder/data.pkl', bytes: matrix },
    { name: 'any/folder/data/0', bytes: values },
    { name: 'any/folder/byteorder', bytes: 'little' },
  ]
  const [pkl, data] = records as [(typeof records)[0], (typeof records)[0]]

  const miscounted = buildZip(records)
  miscounted[miscounted.length - 22 + 10] = 1

  it.each([
    ['stored', buildZip(records)],
    ['deflated', buildZip(records.map((record) => ({ ...record, deflate: true })))],
    ['zip64', buildZip(records, { zip64: true })],
    [
      'without a folder',
      buildZip([
        { ...pkl, name: 'data.pkl' },
        { ...data, name: 'data/0' },
      ]),
    ],
  ])('reads records that are %s', (_, bytes) => {
    expect(valuesOf(memorySource(bytes))).toEqual([1, 2, 3, 4])
  })

  it.each([
    ['a record twice', buildZip([pkl, data, data]), /two records are named any\/folder\/data\/0/],
    ['an encrypted record', buildZip([{ ...pkl, claim: { flags: 1 } }, data]), /is encrypted/],
    ['a damaged pickle', buildZip([{ ...pkl, claim: { crc: 1 } }, data]), /expected CRC-32 00000001, got/],
    [
      'another size',
      buildZip([pkl, { ...data, deflate: true, claim: { size: 32 } }]),
      /expected 16 bytes in record/,
    ],
    [
      'records that unpack to far more than the file',
      buildZip([pkl, { ...data, deflate: true, claim: { size: 2 ** 27 } }]),
      /expected records of at most 200 times its \d+ bytes, got 134217\d+/,
    ],
    ['overlapping records', buildZip([pkl, { ...data, claim: { headerOffset: 8 } }]), /overlaps/],
    ['a directory with more records than counted', miscounted, /lists 1 records, but contains more/],
    ['a header outside of the file', buildZip([pkl, { ...data, claim: { headerOffset: 1e9 } }]), /overlaps/],
    [
      'big-endian numbers',
      buildZip([pkl, data, { name: 'any/folder/byteorder', bytes: 'big' }]),
      /got 'big'/,
    ],
    ['two checkpoints', buildZip([pkl, { ...pkl, name: 'new/folder/data.pkl' }]), /contains two checkpoints/],
    ['no checkpoint', buildZip([{ name: 'a.txt', bytes: 'a' }]), /not a PyTorch checkpoint.*found a\.txt/],
    ['no records', buildZip([]), /found nothing/],
    ['an old TorchScript archive', buildZip([{ name: 'a/model.json', bytes: '{}' }]), /before PyTorch 1\.4/],
  ])('rejects %s', (_, bytes, message) => {
    expect(() => open(bytes)).toThrow(message)
  })

  it.each([
    ['more', [0, 0, 0, 0, 0], 16],
    ['less', [0, 0, 0], 16],
  ])('rejects a record that inflates to %s than declared', (_, content, size) => {
    const record = { ...data, bytes: floats(content), deflate: true, claim: { size } }
    const found = open(buildZip([pkl, record]))
    expect(() => found.tensors.get('w')!.read()).toThrow(/x\.pth: tensor 'w': record .*after inflating/)
  })

  it('verifies a storage once, and afterwards reads only what a view needs', () => {
    const views = Object.fromEntries(
      [0, 1, 2, 3].map((index) => [`v${index}`, tensor(storage('0', 1024), index * 256, [256], [1])]),
    )
    const content = floats(Array.from({ length: 1024 }, (_, index) => index))
    const whole = memorySource(buildCheckpoint(pickle(dict(views)), { 0: content }))
    let read = 0
    const counting: ByteSource = {
      ...whole,
      read(offset, length) {
        read += length
        return whole.read(offset, length)
      },
    }
    const tensors = openCheckpoint(counting).tensors
    const reads = [...tensors.values()].map((stored) => {
      read = 0
      return [toFloat32(loadTensor(stored))[0], read > 2048]
    })
    expect(reads).toEqual([
      [0, true],
      [256, false],
      [512, false],
      [768, false],
    ])
  })

  it('compute the same CRC-32 with and without zlib', () => {
    const bytes = Uint8Array.from({ length: 1003 }, (_, index) => (index * 7919) >> 3)
    for (const length of [0, 1, 7, 8, 9, 1003]) {
      expect(slicedCrc32()(bytes.subarray(0, length))).toBe(crc32(bytes.subarray(0, length)))
    }
    expect(slicedCrc32()(encode('123456789'))).toBe(0xcbf43926)
  })
})

describe('tensors', () => {
  const content = Array.from({ length: 24 }, (_, index) => index)
  const read = (offset: number, shape: readonly number[], strides: readonly number[]) => {
    const root = pickle(dict({ w: tensor(storage('0', 24), offset, shape, strides) }))
    return valuesOf(memorySource(buildCheckpoint(root, { 0: floats(content) })))
  }

  it.each([
    ['contiguous', 0, [2, 3, 4], [12, 4, 1], content],
    [
      'permuted',
      0,
      [4, 2, 3],
      [1, 12, 4],
      [0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23],
    ],
    ['sliced', 3, [2, 2], [12, 5], [3, 8, 15, 20]],
    ['expanded', 1, [2, 2, 2], [0, 1, 0], [1, 1, 2, 2, 1, 1, 2, 2]],
    ['of one element', 23, [], [], [23]],
    ['with axes of size one', 4, [1, 3, 1], [999, 1, 999], [4, 5, 6]],
    ['empty', 24, [0, 5], [5, 1], []],
  ])('that are %s are read contiguously', (_, offset, shape, strides, expected) => {
    expect(read(offset, shape, strides)).toEqual(expected)
  })

  it('that expand far beyond the stored bytes are rejected, individually or together', () => {
    const view = tensor(storage('0', 4), 0, [1024, 1024, 16], [0, 0, 1])
    const one = pickle(dict({ w: view.replace(integer(16), integer(4)) }))
    expect(open(buildCheckpoint(one, { 0: values })).tensors.get('w')!.shape).toEqual([1024, 1024, 4])
    const many = Object.fromEntries(
      ['a', 'b', 'c', 'd', 'e'].map((key) => [key, tensor(storage('0', 4), 0, [1024, 1024, 4], [0, 0, 1])]),
    )
    expect(() => open(buildCheckpoint(pickle(dict(many)), { 0: values }))).toThrow(/tensor 'e': .*expands/)
  })

  it('of one storage with two lengths are rejected', () => {
    const root = dict({ a: tensor(storage('0', 4), 0, [4], [1]), b: tensor(storage('0', 5), 0, [4], [1]) })
    expect(() => open(buildCheckpoint(pickle(root), { 0: values }))).toThrow(
      /storage 0 has 16 bytes in one place and 20/,
    )
  })

  it('with too many dimensions are rejected', () => {
    const root = dict({ w: tensor(storage('0', 4), 0, Array(100).fill(1), Array(100).fill(1)) })
    expect(() => open(buildCheckpoint(pickle(root), { 0: values }))).toThrow(/100 dimensions/)
  })
})

/** Message of the checkpoint error that a file throws. */
function errorOf(bytes: Uint8Array): string {
  try {
    open(bytes)
  } catch (error) {
    if (error instanceof RestoreError && error.code === 'checkpoint') return error.message
    throw error
  }
  return 'none'
}

describe('hostile pickles', () => {
  const expectRejected = (root: string, message: RegExp, extra: Readonly<Record<string, string>> = {}) => {
    const records = Object.entries(extra).map(([name, bytes]) => ({ name: `archive/${name}`, bytes }))
    const bytes = buildZip([{ name: 'archive/data.pkl', bytes: pickle(root), deflate: true }, ...records])
    const start = process.cpuUsage()
    expect(errorOf(bytes)).toMatch(message)
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(4000)
  }

  it.each([
    ['a call of a plain value', 'K\x01)R', /calls the number 1/],
    ['a call of a dtype', 'ctorch\nfloat32\n)R', /calls torch\.float32/],
    ['a dotted name', '\x8c\x0bcollections\x8c\x10OrderedDict.copy\x93', /OrderedDict\.copy is not allowed/],
    ['an attribute of a class', 'ccollections\nOrderedDict\n}b', /sets attributes of the class/],
    ['TorchScript classes elsewhere', 'c__torch__\nNet\n)\x81', /__torch__\.Net is not allowed/],
    [
      'a whole module of the legacy format',
      `${tuple(text('module'), 'N', text('a.py'), text('code'))}Q`,
      /whole pickled module/,
    ],
    [
      'a storage without a type',
      `${tuple(text('storage'), 'N', text('0'), text('cpu'), 'K\x01')}Q`,
      /expected a storage/,
    ],
    [
      'a tensor without a storage',
      'ctorch._utils\n_rebuild_tensor\n)R',
      /expected a tensor's storage, got nothing/,
    ],
    ['the extension registry', '\x82\x01', /extension registry/],
    ['persistent ids as text', 'Pabc\n', /persistent ids as text/],
    ['protocol 6', '\x80\x06', /protocol 0 to 5, got 6/],
    ['a missing mark', 't', /pops a missing mark/],
    ['a value below the mark', 'N(0a', /appends to|empty stack/],
    ['an odd number of items', '}(K\x01u', /a key without a value/],
    ['a huge integer', '\x8b\xff\xff\xff\x7f', /integer of 2147483647 bytes/],
    ['an invalid number', 'Iabc\n', /the invalid number 'abc'/],
    ['a line without end', `c${'a'.repeat(70000)}`, /a line of at most/],
    ['bytes past the end', 'B\xff\x00\x00\x00', /only 1 are left/],
    ['a frame past the end', '\x95\xff\x00\x00\x00\x00\x00\x00\x00', /are left/],
    ['a missing memo slot', 'j\xff\xff\xff\x7f', /memo 2147483647/],
    ['text that is not UTF-8', '\x8c\x01\xff', /not UTF-8/],
    ['nothing but None', 'N', /expected a dictionary of tensors, got nothing/],
  ])('%s is rejected', (_, root, message) => {
    expectRejected(root, message)
  })

  it('a rebuild that rebuilds itself endlessly is rejected', () => {
    // args = [rebuild, None, args]
    const rebuild = 'ctorch._tensor\n_rebuild_from_type_v2\n'
    expectRejected(
      `${rebuild}]q\x01(${rebuild}Nh\x01eR`,
      /a tensor is rebuilt by torch\._tensor\._rebuild_from_type_v2/,
    )
  })

  it('TorchScript modules that refer to each other in a cycle are rejected', () => {
    const scripted = { 'constants.pkl': '\x80\x02).' }
    const start = 'c__torch__\nM\nq\x00)\x81'
    expectRejected(`${start}q\x01}X\x01\x00\x00\x00ah\x01sb`, /refer to each other in a cycle/, scripted)
    let doubling = `${start}q\x01`
    for (let level = 0; level < 40; level++)
      doubling += `0h\x00)\x81}(${text('a')}h\x01${text('b')}h\x01ubq\x01`
    expectRejected(doubling, /refer to each other in a cycle/, scripted)
  })

  it('a dictionary that contains itself under a well-known key terminates', () => {
    expectRejected(`}q\x01${text('model')}h\x01s`, /expected tensors, found the keys model/)
  })

  it('a large dictionary under many keys is searched once', () => {
    const large = `}q\x01(${Array.from({ length: 50_000 }, (_, index) => `${integer(index)}N`).join('')}u`
    const keys = Array.from({ length: 50_000 }, (_, index) => `${text(`k${index}`)}h\x01`).join('')
    expectRejected(`${large}0}(${keys}u`, /expected tensors, found the keys k0/)
  })
})
