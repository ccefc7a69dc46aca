// Reads LMDB databases as py-lmdb and BasicSR write them: data format version 1, 64-bit, little-endian, main
// database only. Layout: lmdb.h and mdb.c of OpenLDAP's LMDB 0.9 (structures MDB_page, MDB_meta, MDB_db,
// MDB_node). Read-only, without locks, so a database that is being written may be rejected. Every offset is
// checked against the file size before use.

import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { viewOf } from '../../core/data.ts'
import { messageOf, RestoreError } from '../../core/errors.ts'

/** Location of a value in the file. */
interface Place {
  readonly offset: number
  readonly length: number
}

const magic = 0xbeefc0de
const headerBytes = 16
const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const
const nodeFlags = { isBig: 0x01, isDatabase: 0x02, isDuplicate: 0x04 } as const
const emptyRoot = 0xffff_ffff_ffff_ffffn
/** Maximum depth of the tree, the same as LMDB's cursor stack. */
const maxDepth = 32

/** A read-only database with UTF-8 keys. */
export class Lmdb {
  readonly path: string
  /** Keys in the database's order. */
  readonly keys: readonly string[]
  readonly #file: number
  readonly #places: ReadonlyMap<string, Place>

  /**
   * Opens a folder with a data.mdb, or the file itself.
   * @throws RestoreError `input` if it is not a readable LMDB database
   */
  constructor(path: string) {
    const inFolder = join(path, 'data.mdb')
    this.path = existsSync(inFolder) ? inFolder : path
    try {
      if (!statSync(this.path).isFile()) throw new Error('a folder without data.mdb')
      this.#file = openSync(this.path, 'r')
    } catch (error) {
      throw databaseError(path, messageOf(error), error)
    }
    try {
      this.#places = new Index(this.#file).places
    } catch (error) {
      closeSync(this.#file)
      throw databaseError(path, messageOf(error), error)
    }
    this.keys = [...this.#places.keys()]
  }

  has(key: string): boolean {
    return this.#places.has(key)
  }

  read(key: string): Uint8Array {
    const place = this.#places.get(key)
    if (!place) throw new RestoreError('input', `${this.path}: expected the key ${key}, found none`)
    try {
      return readAt(this.#file, place)
    } catch (error) {
      throw databaseError(this.path, `${key}: ${messageOf(error)}`, error)
    }
  }

  close(): void {
    closeSync(this.#file)
  }
}

interface Meta {
  readonly pageBytes: number
  readonly transactionId: bigint
  readonly root: bigint
  readonly entries: bigint
  readonly flags: number
}

/** Walks the tree once. Each page is visited at most once, so the work is bounded by the file size. */
class Index {
  readonly places = new Map<string, Place>()
  readonly #file: number
  readonly #size: number
  readonly #pageBytes: number
  readonly #visited = new Set<number>()

  constructor(file: number) {
    this.#file = file
    this.#size = fstatSync(file).size
    const meta = this.#newestMeta()
    this.#pageBytes = meta.pageBytes
    if (meta.flags !== 0)
      throw new Error(`a database with unsupported flags ${meta.flags} (such as sorted duplicates)`)
    if (meta.root !== emptyRoot) this.#walk(meta.root, 0)
    if (BigInt(this.places.size) !== meta.entries) {
      throw new Error(
        `a damaged database: its header counts ${meta.entries} entries, the tree ${this.places.size}`,
      )
    }
  }

  /** Returns the newer of the two meta pages that a database alternates between. */
  #newestMeta(): Meta {
    if (this.#size < 2 * 256) throw new Error(`a file of ${this.#size} bytes, too short for a database`)
    const first = this.#metaAt(0)
    const second = this.#metaAt(first.pageBytes)
    return second.transactionId > first.transactionId ? second : first
  }

  #metaAt(offset: number): Meta {
    if (offset + 152 > this.#size) throw new Error('a truncated file')
    const page = viewOf(readAt(this.#file, { offset, length: 152 }))
    const version = page.getUint32(headerBytes + 4, true)
    if (page.getUint32(headerBytes, true) !== magic)
      throw new Error('not an LMDB database, or one with another byte order')
    if (version !== 1) {
      throw new Error(`LMDB data format ${version}; rewrite it in the standard format 1, with py-lmdb`)
    }
    const free = headerBytes + 24
    const main = headerBytes + 72
    const pageBytes = page.getUint32(free, true)
    if (pageBytes < 256 || pageBytes > 65536 || (pageBytes & (pageBytes - 1)) !== 0) {
      throw new Error(`a damaged database: pages of ${pageBytes} bytes`)
    }
    return {
      pageBytes,
      flags: page.getUint16(main + 4, true),
      entries: page.getBigUint64(main + 32, true),
      root: page.getBigUint64(main + 40, true),
      transactionId: page.getBigUint64(main + 56, true),
    }
  }

  #walk(pageNumber: bigint, depth: number): void {
    if (depth >= maxDepth) throw new Error('a damaged database: the tree is too deep')
    const at = this.#offsetOf(pageNumber)
    const index = at / this.#pageBytes
    if (this.#visited.has(index))
      throw new Error(`a damaged database: page ${index} occurs twice in the tree`)
    this.#visited.add(index)
    const page = new Page(readAt(this.#file, { offset: at, length: this.#pageBytes }), index)
    for (const node of page.nodes()) {
      if (page.isLeaf) this.#addEntry(page, node, at)
      else this.#walk(page.child(node), depth + 1)
    }
  }

  #addEntry(page: Page, node: number, pageOffset: number): void {
    const { key, flags, start, length } = page.entry(node)
    if (flags & (nodeFlags.isDatabase | nodeFlags.isDuplicate)) {
      throw new Error(`a nested database or sorted duplicates at the key ${key}; store plain entries only`)
    }
    const offset =
      flags & nodeFlags.isBig ? this.#overflowOffset(page.overflowPage(start)) : pageOffset + start
    if (offset + length > this.#size) throw new Error(`a truncated file: the value of ${key} ends beyond it`)
    this.places.set(key, { offset, length })
  }

  /** Offset of a value stored on overflow pages. */
  #overflowOffset(pageNumber: bigint): number {
    const offset = this.#offsetOf(pageNumber)
    const header = viewOf(readAt(this.#file, { offset, length: headerBytes }))
    if (!(header.getUint16(10, true) & pageFlags.overflow)) {
      throw new Error(`a damaged database: page ${pageNumber} is not an overflow page`)
    }
    return offset + headerBytes
  }

  #offsetOf(pageNumber: bigint): number {
    const offset = pageNumber * BigInt(this.#pageBytes)
    if (pageNumber < 2n || offset + BigInt(this.#pageBytes) > BigInt(this.#size)) {
      throw new Error(`a truncated file: page ${pageNumber} lies beyond it`)
    }
    return Number(offset)
  }
}

/** A branch or leaf page. */
class Page {
  readonly isLeaf: boolean
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #index: number

  constructor(bytes: Uint8Array, index: number) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#index = index
    const flags = this.#view.getUint16(10, true) & ~0x10
    if (flags !== pageFlags.branch && flags !== pageFlags.leaf) {
      throw new Error(`a damaged database: page ${index} has flags ${flags}`)
    }
    this.isLeaf = flags === pageFlags.leaf
  }

  /** Offsets of the nodes; each is checked to have room for its header. */
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

  /** Reads a leaf node: its key, and where in the page its value (or the overflow page number) starts. */
  entry(node: number): { readonly key: string; readonly flags: number } & { start: number; length: number } {
    const length = this.#view.getUint32(node, true)
    const flags = this.#view.getUint16(node + 4, true)
    const start = node + 8 + this.#view.getUint16(node + 6, true)
    const inPage = flags & nodeFlags.isBig ? 8 : length
    if (start + inPage > this.#bytes.length) throw this.#damaged()
    const key = Buffer.from(this.#bytes.subarray(node + 8, start)).toString('utf8')
    return { key, flags, start, length }
  }

  overflowPage(start: number): bigint {
    return this.#view.getBigUint64(start, true)
  }

  #damaged(): Error {
    return new Error(`a damaged database: page ${this.#index} points outside itself`)
  }
}

function readAt(file: number, { offset, length }: Place): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const count = readSync(file, bytes, at, length - at, offset + at)
    if (count === 0) throw new Error('a truncated file')
    at += count
  }
  return bytes
}

function databaseError(path: string, reason: string, cause: unknown): RestoreError {
  return new RestoreError('input', `${path}: expected an LMDB database, got: ${reason}`, { cause })
}
