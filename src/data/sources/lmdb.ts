// Reads LMDB databases as py-lmdb and BasicSR write them: data format version 1, 64-bit, little-endian, the main database.
// Layout: lmdb.h and mdb.c of OpenLDAP's LMDB 0.9 (structures MDB_page, MDB_meta, MDB_db, MDB_node). Read-only, no locks: a
// database that is being written may be refused. Every number in the file is checked against the file's size before use.

import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { viewOf } from '../../core/data.ts'
import { messageOf, RestoreError } from '../../core/errors.ts'

/** Where a value lies in the file. */
interface Place {
  readonly offset: number
  readonly length: number
}

const magic = 0xbeefc0de
const headerBytes = 16
const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const
const nodeFlags = { isBig: 0x01, isDatabase: 0x02, isDuplicate: 0x04 } as const
const noPage = 0xffff_ffff_ffff_ffffn
/** Longest path from root to leaf; LMDB's own cursor holds as many pages. */
const deepest = 32

/** Keys (UTF-8) and values of a database. */
export class Lmdb {
  readonly path: string
  /** In the database's order. */
  readonly keys: readonly string[]
  readonly #file: number
  readonly #places: ReadonlyMap<string, Place>

  /** A folder with data.mdb in it, or the file itself. */
  constructor(path: string) {
    const inFolder = join(path, 'data.mdb')
    this.path = existsSync(inFolder) ? inFolder : path
    try {
      if (!statSync(this.path).isFile()) throw new Error('a folder without data.mdb')
      this.#file = openSync(this.path, 'r')
    } catch (error) {
      throw refused(path, messageOf(error), error)
    }
    try {
      this.#places = new Index(this.#file).places
    } catch (error) {
      closeSync(this.#file)
      throw refused(path, messageOf(error), error)
    }
    this.keys = [...this.#places.keys()]
  }

  has(key: string): boolean {
    return this.#places.has(key)
  }

  read(key: string): Uint8Array {
    const place = this.#places.get(key)
    if (!place)
      throw new RestoreError('input', `${this.path}: expected the key ${key}, which it does not hold`)
    try {
      return readAt(this.#file, place)
    } catch (error) {
      throw refused(this.path, `${key}: ${messageOf(error)}`, error)
    }
  }

  close(): void {
    closeSync(this.#file)
  }
}

interface Meta {
  readonly pageBytes: number
  readonly transaction: bigint
  readonly root: bigint
  readonly entries: bigint
  readonly flags: number
}

/** Walks the tree once. Each page is seen at most once, so that the work is bounded by the size of the file. */
class Index {
  readonly places = new Map<string, Place>()
  readonly #file: number
  readonly #size: number
  readonly #pageBytes: number
  readonly #seen = new Set<number>()

  constructor(file: number) {
    this.#file = file
    this.#size = fstatSync(file).size
    const meta = this.#newestMeta()
    this.#pageBytes = meta.pageBytes
    if (meta.flags !== 0)
      throw new Error(`a database with options ${meta.flags} (sorted duplicates and the like)`)
    if (meta.root !== noPage) this.#walk(meta.root, 0)
    if (BigInt(this.places.size) !== meta.entries) {
      throw new Error(
        `a database that says ${meta.entries} entries and holds ${this.places.size}: it is damaged`,
      )
    }
  }

  /** The later of the two that a database alternates between. */
  #newestMeta(): Meta {
    if (this.#size < 2 * 256) throw new Error(`a file of ${this.#size} bytes, too short for a database`)
    const first = this.#metaAt(0)
    const second = this.#metaAt(first.pageBytes)
    return second.transaction > first.transaction ? second : first
  }

  #metaAt(offset: number): Meta {
    if (offset + 152 > this.#size) throw new Error('a file that was cut short')
    const page = viewOf(readAt(this.#file, { offset, length: 152 }))
    const version = page.getUint32(headerBytes + 4, true)
    if (page.getUint32(headerBytes, true) !== magic)
      throw new Error('no LMDB database (or one of another machine)')
    if (version !== 1) {
      throw new Error(`LMDB data format ${version}; only the standard 1 is read, as py-lmdb writes it`)
    }
    const free = headerBytes + 24
    const main = headerBytes + 72
    const pageBytes = page.getUint32(free, true)
    if (pageBytes < 256 || pageBytes > 65536 || (pageBytes & (pageBytes - 1)) !== 0) {
      throw new Error(`pages of ${pageBytes} bytes: the database is damaged`)
    }
    return {
      pageBytes,
      flags: page.getUint16(main + 4, true),
      entries: page.getBigUint64(main + 32, true),
      root: page.getBigUint64(main + 40, true),
      transaction: page.getBigUint64(main + 56, true),
    }
  }

  #walk(number: bigint, depth: number): void {
    if (depth >= deepest) throw new Error('a tree that is too deep: the database is damaged')
    const at = this.#offsetOf(number)
    const index = at / this.#pageBytes
    if (this.#seen.has(index))
      throw new Error(`page ${index} in two places of the tree: the database is damaged`)
    this.#seen.add(index)
    const page = new Page(readAt(this.#file, { offset: at, length: this.#pageBytes }), index)
    for (const node of page.nodes()) {
      if (page.isLeaf) this.#take(page, node, at)
      else this.#walk(page.child(node), depth + 1)
    }
  }

  #take(page: Page, node: number, pageOffset: number): void {
    const { key, flags, start, length } = page.entry(node)
    if (flags & (nodeFlags.isDatabase | nodeFlags.isDuplicate)) {
      throw new Error(`the key ${key} is a database of its own; only plain entries are read`)
    }
    const offset = flags & nodeFlags.isBig ? this.#overflow(page.number(start)) : pageOffset + start
    if (offset + length > this.#size)
      throw new Error(`the value of ${key} ends beyond the file: it was cut short`)
    this.places.set(key, { offset, length })
  }

  /** Where the value on overflow pages starts. */
  #overflow(number: bigint): number {
    const offset = this.#offsetOf(number)
    const header = viewOf(readAt(this.#file, { offset, length: headerBytes }))
    if (!(header.getUint16(10, true) & pageFlags.overflow)) {
      throw new Error(`page ${number} is no overflow page: the database is damaged`)
    }
    return offset + headerBytes
  }

  #offsetOf(number: bigint): number {
    const offset = number * BigInt(this.#pageBytes)
    if (number < 2n || offset + BigInt(this.#pageBytes) > BigInt(this.#size)) {
      throw new Error(`page ${number} lies beyond the file: it was cut short`)
    }
    return Number(offset)
  }
}

/** A branch or leaf page. */
class Page {
  readonly isLeaf: boolean
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #name: number

  constructor(bytes: Uint8Array, name: number) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#name = name
    const flags = this.#view.getUint16(10, true) & ~0x10
    if (flags !== pageFlags.branch && flags !== pageFlags.leaf) {
      throw new Error(`page ${name} has flags ${flags}: the database is damaged`)
    }
    this.isLeaf = flags === pageFlags.leaf
  }

  /** Offsets of the nodes, each with room for its header. */
  nodes(): number[] {
    const lower = this.#view.getUint16(12, true)
    if (lower < headerBytes || lower > this.#bytes.length || lower % 2 !== 0) throw this.#damaged()
    return Array.from({ length: (lower - headerBytes) / 2 }, (_, i) => {
      const node = this.#view.getUint16(headerBytes + i * 2, true)
      if (node < lower || node + 8 > this.#bytes.length) throw this.#damaged()
      return node
    })
  }

  child(node: number): bigint {
    const low = BigInt(this.#view.getUint32(node, true))
    return low + (BigInt(this.#view.getUint16(node + 4, true)) << 32n)
  }

  /** Key of a leaf's node, and where its value (or the number of the page with it) starts in the page. */
  entry(node: number): { readonly key: string; readonly flags: number } & { start: number; length: number } {
    const length = this.#view.getUint32(node, true)
    const flags = this.#view.getUint16(node + 4, true)
    const start = node + 8 + this.#view.getUint16(node + 6, true)
    const inPage = flags & nodeFlags.isBig ? 8 : length
    if (start + inPage > this.#bytes.length) throw this.#damaged()
    const key = Buffer.from(this.#bytes.subarray(node + 8, start)).toString('utf8')
    return { key, flags, start, length }
  }

  number(start: number): bigint {
    return this.#view.getBigUint64(start, true)
  }

  #damaged(): Error {
    return new Error(`page ${this.#name} points outside itself: the database is damaged`)
  }
}

function readAt(file: number, { offset, length }: Place): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const count = readSync(file, bytes, at, length - at, offset + at)
    if (count === 0) throw new Error('a file that was cut short')
    at += count
  }
  return bytes
}

function refused(path: string, reason: string, cause: unknown): RestoreError {
  return new RestoreError('input', `${path}: expected an LMDB database, got: ${reason}`, { cause })
}
