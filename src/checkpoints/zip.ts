// Reads zip archives by random access: stored and deflated records, zip64, CRC-32.
// Names are never used as file paths.

import { inflateSync } from 'fflate'
import { crc32 } from '../core/crc32.ts'
import { viewOf } from '../core/data.ts'
import { allocate, type ByteSource, malformed, within } from './checkpoint.ts'

export interface ZipEntry {
  readonly name: string
  readonly deflated: boolean
  /** Inflated size in bytes. */
  readonly size: number
  readonly compressedSize: number
  readonly crc: number
  readonly headerOffset: number
}

const localSignature = 0x04034b50
const centralSignature = 0x02014b50
const endSignature = 0x06054b50
const zip64EndSignature = 0x06064b50
const zip64LocatorSignature = 0x07064b50
const endLength = 22
const maxDirectoryBytes = 256 * 2 ** 20
/** torch.save never deflates, and weights compress little; deflate itself reaches 1032. */
const maxRatio = 200
const harmlessBytes = 64 * 2 ** 20

/** The records of an archive. The CRC-32 of a record is verified when any of it is first read. */
export class ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>
  readonly #source: ByteSource
  readonly #directoryOffset: number
  readonly #verified = new Set<ZipEntry>()
  #inflated: { entry: ZipEntry; bytes: Uint8Array } | undefined

  constructor(source: ByteSource) {
    this.#source = source
    const directory = findDirectory(source)
    this.#directoryOffset = directory.offset
    this.entries = readDirectory(source, directory)
  }

  /** Reads bytes `offset .. offset + length` of a record. */
  read(entry: ZipEntry, offset = 0, length = entry.size): Uint8Array {
    return within(`record ${entry.name}`, () => {
      if (offset < 0 || length < 0 || offset + length > entry.size) {
        throw malformed(`expected ${length} bytes at ${offset}, but it has ${entry.size}`)
      }
      if (!entry.deflated && this.#verified.has(entry)) {
        return this.#source.read(this.#dataOffset(entry) + offset, length)
      }
      const whole = entry.deflated ? this.#inflate(entry) : this.#readStored(entry)
      return length === entry.size ? whole : whole.slice(offset, offset + length)
    })
  }

  #readStored(entry: ZipEntry): Uint8Array {
    const bytes = this.#source.read(this.#dataOffset(entry), entry.size)
    this.#verify(entry, bytes)
    return bytes
  }

  #inflate(entry: ZipEntry): Uint8Array {
    if (this.#inflated?.entry === entry) return this.#inflated.bytes
    const packed = this.#source.read(this.#dataOffset(entry), entry.compressedSize)
    // One byte more than declared, to detect a record that inflates to more.
    const room = allocate(entry.size + 1)
    const bytes = inflateInto(packed, room)
    if (bytes.length !== entry.size) {
      const found = bytes.length > entry.size ? 'more' : String(bytes.length)
      throw malformed(`expected ${entry.size} bytes after inflating, got ${found}: the file is damaged`)
    }
    this.#verify(entry, bytes)
    this.#inflated = { entry, bytes }
    return bytes
  }

  #verify(entry: ZipEntry, bytes: Uint8Array): void {
    const crc = crc32(bytes)
    if (crc !== entry.crc) {
      throw malformed(
        `expected CRC-32 ${hex(entry.crc)}, got ${hex(crc)}: the file is damaged, fetch it again`,
      )
    }
    this.#verified.add(entry)
  }

  #dataOffset(entry: ZipEntry): number {
    const header = viewOf(this.#source.read(entry.headerOffset, 30))
    if (header.getUint32(0, true) !== localSignature) {
      throw malformed(`expected a local header at byte ${entry.headerOffset}: the file is damaged`)
    }
    const offset = entry.headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true)
    if (offset + entry.compressedSize > this.#directoryOffset) {
      throw malformed('runs into the central directory: the file is damaged')
    }
    return offset
  }
}

interface Directory {
  readonly offset: number
  readonly size: number
  readonly count: number
}

function findDirectory(source: ByteSource): Directory {
  const tailLength = Math.min(source.size, endLength + 0xffff)
  const tailOffset = source.size - tailLength
  const tail = viewOf(source.read(tailOffset, tailLength))
  let end = tailLength - endLength
  while (end >= 0 && !isEnd(tail, end)) end--
  if (end < 0) {
    throw malformed('a zip archive without its end (central directory): it is cut short, fetch it again')
  }
  let directory: Directory = {
    count: tail.getUint16(end + 10, true),
    size: tail.getUint32(end + 12, true),
    offset: tail.getUint32(end + 16, true),
  }
  const locator = end - 20
  if (locator >= 0 && tail.getUint32(locator, true) === zip64LocatorSignature) {
    directory = readZip64End(source, toSafe(tail.getBigUint64(locator + 8, true)))
  } else if (tail.getUint16(end + 4, true) !== 0 || tail.getUint16(end + 6, true) !== 0) {
    throw malformed('one part of a split zip archive; join the parts first')
  }
  if (directory.size > maxDirectoryBytes || directory.offset + directory.size > tailOffset + end) {
    throw malformed('its zip directory lies outside the file: it is damaged, fetch it again')
  }
  return directory
}

function isEnd(tail: DataView, at: number): boolean {
  return (
    tail.getUint32(at, true) === endSignature &&
    at + endLength + tail.getUint16(at + 20, true) === tail.byteLength
  )
}

function readZip64End(source: ByteSource, offset: number): Directory {
  const record = viewOf(source.read(offset, 56))
  if (record.getUint32(0, true) !== zip64EndSignature) {
    throw malformed(`expected a zip64 end record at byte ${offset}: the file is damaged`)
  }
  return {
    count: toSafe(record.getBigUint64(32, true)),
    size: toSafe(record.getBigUint64(40, true)),
    offset: toSafe(record.getBigUint64(48, true)),
  }
}

function readDirectory(source: ByteSource, { offset, size, count }: Directory): Map<string, ZipEntry> {
  const bytes = source.read(offset, size)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let index = 0; index < count; index++) {
    const { entry, next } = readEntry(bytes, at)
    if (entries.has(entry.name)) throw malformed(`two records are named ${entry.name}`)
    entries.set(entry.name, entry)
    at = next
  }
  if (at !== size)
    throw malformed(`its zip directory lists ${count} records, but contains more: it is damaged`)
  checkOverlap(entries, offset)
  checkRatio(entries, source.size)
  return entries
}

function readEntry(bytes: Uint8Array, at: number): { entry: ZipEntry; next: number } {
  const view = viewOf(bytes)
  if (at + 46 > bytes.length || view.getUint32(at, true) !== centralSignature) {
    throw malformed(`expected a zip directory entry at byte ${at} of the directory: the file is damaged`)
  }
  const nameEnd = at + 46 + view.getUint16(at + 28, true)
  const extraEnd = nameEnd + view.getUint16(at + 30, true)
  const next = extraEnd + view.getUint16(at + 32, true)
  if (next > bytes.length) throw malformed('its zip directory is cut short: the file is damaged')
  const name = decodeName(bytes.subarray(at + 46, nameEnd))
  const method = view.getUint16(at + 10, true)
  if (view.getUint16(at + 8, true) & 1) throw malformed(`record ${name} is encrypted`)
  if (method !== 0 && method !== 8) {
    throw malformed(`record ${name}: expected it stored or deflated, got zip method ${method}`)
  }
  const [entrySize, compressedSize, headerOffset] = wideFields(
    [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
    bytes.subarray(nameEnd, extraEnd),
  )
  if (method === 0 && entrySize !== compressedSize) {
    throw malformed(
      `record ${name}: expected one size as it is stored, got ${compressedSize} and ${entrySize}`,
    )
  }
  const crc = view.getUint32(at + 16, true)
  return {
    entry: { name, deflated: method === 8, size: entrySize, compressedSize, crc, headerOffset },
    next,
  }
}

/**
 * Replaces fields that are 0xffffffff by those of the zip64 extra field (id 1), which
 * lists them in this order.
 */
function wideFields(fields: [number, number, number], extra: Uint8Array): [number, number, number] {
  if (!fields.includes(0xffffffff)) return fields
  const view = viewOf(extra)
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue
    const end = Math.min(extra.length, at + 4 + view.getUint16(at + 2, true))
    let value = at + 4
    return fields.map((field) => {
      if (field !== 0xffffffff || value + 8 > end) return field
      value += 8
      return toSafe(view.getBigUint64(value - 8, true))
    }) as [number, number, number]
  }
  return fields
}

/** Rejects overlapping records, with which a small archive can expand to a huge one. */
function checkOverlap(entries: ReadonlyMap<string, ZipEntry>, directoryOffset: number): void {
  const sorted = [...entries.values()].sort((a, b) => a.headerOffset - b.headerOffset)
  for (const [index, entry] of sorted.entries()) {
    const limit = sorted[index + 1]?.headerOffset ?? directoryOffset
    if (entry.headerOffset + 30 + entry.compressedSize > limit) {
      throw malformed(`record ${entry.name}: overlaps what follows it; the file is damaged`)
    }
  }
}

/** Rejects zip bombs: small files that expand far more than weights do. */
function checkRatio(entries: ReadonlyMap<string, ZipEntry>, fileSize: number): void {
  let total = 0
  for (const { size } of entries.values()) total += size
  if (total > harmlessBytes && total > maxRatio * fileSize) {
    throw malformed(
      `expected records of at most ${maxRatio} times its ${fileSize} bytes, got ${total}; if you trust the file, save it again with torch.save`,
    )
  }
}

function inflateInto(packed: Uint8Array, out: Uint8Array): Uint8Array {
  try {
    return inflateSync(packed, { out })
  } catch (error) {
    throw malformed('expected deflated data: the file is damaged, fetch it again', error)
  }
}

function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw malformed('a record name of its zip directory is not UTF-8: the file is damaged', error)
  }
}

function toSafe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw malformed(`a size of its zip directory is ${value} bytes: the file is damaged`)
  }
  return Number(value)
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}
