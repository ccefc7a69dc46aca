import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { RestoreError } from '../../core/errors.ts'
import { imageSize } from '../decode.ts'
import { Lmdb } from './lmdb.ts'

const golden = fileURLToPath(new URL('../../../test/golden/lmdb', import.meta.url))
const images = join(golden, 'images.lmdb')
const dir = mkdtempSync(join(tmpdir(), 'limpid-lmdb-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function writeDatabase(bytes: Uint8Array): string {
  const path = join(dir, 'data')
  writeFileSync(path, bytes)
  return path
}

const bytes = readFileSync(join(images, 'data.mdb'))

function modified(change: (view: DataView) => void): string {
  const copy = new Uint8Array(bytes)
  change(new DataView(copy.buffer))
  return writeDatabase(copy)
}

/** Offset of the first page with these flags. */
function pageWith(flags: number): number {
  for (let at = 8192; at < bytes.length; at += 4096) {
    if (bytes.readUInt16LE(at + 10) === flags && bytes.readUInt32LE(at) === at / 4096) return at
  }
  throw new Error(`no page with flags ${flags}`)
}

describe('a database written by py-lmdb', () => {
  test('has its keys and values, including those on overflow pages but not deleted ones', async () => {
    const database = new Lmdb(images)
    expect(database.keys).toEqual(['baby', 'large', 'set/bird'])
    expect(database.has('gone')).toBe(false)
    const sizes = await Promise.all(database.keys.map((key) => imageSize(database.read(key))))
    expect(sizes.map(({ width, height }) => [width, height])).toEqual([
      [6, 4],
      [40, 40],
      [3, 5],
    ])
    expect(() => database.read('gone')).toThrow('expected the key gone, found none')
    database.close()
  })

  test('of 10,000 entries is read completely and in order', () => {
    const database = new Lmdb(writeDatabase(gunzipSync(readFileSync(join(golden, 'deep.mdb.gz')))))
    const digest = createHash('sha256')
    for (const key of database.keys) {
      const value = database.read(key)
      digest.update(`${key} ${value.length} `).update(value)
    }
    database.close()
    expect(database.keys.length).toBe(10_000)
    // Printed by test/golden/lmdb/make.py.
    expect(digest.digest('hex')).toBe('ce13cea613cc3f70bf9d17629f253587a6edc539a1ca21b2c9371b56f64fa079')
  })
})

describe('rejects a database', () => {
  const leaf = pageWith(0x02)
  test.each([
    ['that is missing', () => join(dir, 'none'), /none: expected an LMDB database, got: ENOENT/],
    ['that is a folder of something else', () => dir, 'a folder without data.mdb'],
    ['that is empty', () => writeDatabase(new Uint8Array()), 'a file of 0 bytes, too short for a database'],
    ['that is text', () => writeDatabase(Buffer.alloc(9000, 'text ')), 'not an LMDB database'],
    ['of format 2', () => modified((view) => view.setUint32(20, 2, true)), 'LMDB data format 2; rewrite it'],
    [
      'with pages of 4095 bytes',
      () => modified((view) => view.setUint32(40, 4095, true)),
      'pages of 4095 bytes',
    ],
    ['truncated within its pages', () => writeDatabase(bytes.subarray(0, 9000)), 'lies beyond it'],
    ['truncated within its second page', () => writeDatabase(bytes.subarray(0, 4100)), 'a truncated file'],
    [
      'with a wrong number of entries',
      () => modified((view) => setBothMetas(view, 104, 7n)),
      'counts 7 entries, the tree 3',
    ],
    [
      'whose root is a meta page',
      () => modified((view) => setBothMetas(view, 112, 1n)),
      'page 1 lies beyond',
    ],
    [
      'whose root is far away',
      () => modified((view) => setBothMetas(view, 112, 1n << 60n)),
      'lies beyond it',
    ],
    [
      'with sorted duplicates',
      () => modified((view) => setBothFlags(view, 4)),
      'flags 4 (such as sorted duplicates',
    ],
    [
      'with a page of unknown type',
      () => modified((view) => view.setUint16(leaf + 10, 0x40, true)),
      'has flags 64',
    ],
    [
      'with a node outside its page',
      () => modified((view) => view.setUint16(leaf + 16, 5000, true)),
      'points outside itself',
    ],
    [
      'with too many nodes',
      () => modified((view) => view.setUint16(leaf + 12, 9999, true)),
      'points outside itself',
    ],
    [
      'whose leaf is a branch to itself',
      () => modified((view) => makeSelfBranch(view, leaf)),
      'occurs twice in the tree',
    ],
    ['with a nested database', () => modified((view) => setNodeFlags(view, leaf, 2)), 'a nested database'],
    [
      'with an oversized inline value',
      () => modified((view) => enlargeValue(view, leaf, 0)),
      'points outside itself',
    ],
    [
      'with an oversized value on overflow pages',
      () => modified((view) => enlargeValue(view, leaf, 1)),
      'large ends beyond it',
    ],
  ])('%s', (_, make, reason) => {
    expect(() => new Lmdb(make())).toThrow(reason)
    expect(() => new Lmdb(make())).toThrow(RestoreError)
  })

  test('or reads it after any bytes changed, but never crashes', () => {
    let seed = 1
    const next = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return seed % below
    }
    let rejections = 0
    for (let round = 0; round < 600; round++) {
      const path = modified((view) => {
        // Mostly headers and nodes, which hold the structure.
        const page = next(bytes.length / 4096) * 4096
        for (let i = 0; i <= next(3); i++) view.setUint8(page + next(i === 0 ? 160 : 4096), next(256))
      })
      try {
        const database = new Lmdb(path)
        for (const key of database.keys) database.read(key)
        database.close()
      } catch (error) {
        expect(error).toBeInstanceOf(RestoreError)
        rejections++
      }
    }
    expect(rejections).toBeGreaterThan(30)
  })
})

/** Sets a field in both meta pages, given its offset after the page header. */
function setBothMetas(view: DataView, at: number, value: bigint): void {
  for (const page of [0, 4096]) view.setBigUint64(page + at + 16, value, true)
}

function setBothFlags(view: DataView, flags: number): void {
  for (const page of [0, 4096]) view.setUint16(page + 16 + 72 + 4, flags, true)
}

function makeSelfBranch(view: DataView, leaf: number): void {
  view.setUint16(leaf + 10, 0x01, true)
  const node = leaf + view.getUint16(leaf + 16, true)
  view.setUint32(node, leaf / 4096, true)
  view.setUint16(node + 4, 0, true)
}

function setNodeFlags(view: DataView, leaf: number, flags: number): void {
  view.setUint16(leaf + view.getUint16(leaf + 16, true) + 4, flags, true)
}

/** Enlarges the value of a node; node 1 stores its value on overflow pages. */
function enlargeValue(view: DataView, leaf: number, index: 0 | 1): void {
  view.setUint32(leaf + view.getUint16(leaf + 16 + index * 2, true), 0xffff_ffff, true)
}
