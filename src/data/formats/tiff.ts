// Reads the directories of TIFF files, BigTIFF included, and of EXIF, which is a TIFF without samples.
// TIFF 6.0, section 2; BigTIFF as libtiff defines it.

import { latin1, viewOf } from '../../core/data.ts'
import type { ByteSource } from './byteSource.ts'
import { type Resolution, resolutionOf } from './resolution.ts'

export interface TiffEntry {
  readonly tag: number
  readonly type: number
  readonly count: number
  /** Position of the entry itself. */
  readonly at: number
  /** Position of the values: in the entry where they fit, elsewhere otherwise. */
  readonly start: number
  readonly byteLength: number
}

export interface TiffDirectory {
  readonly start: number
  readonly entries: ReadonlyMap<number, TiffEntry>
  /** Number of entries in the file, of which two may have one tag. */
  readonly count: number
  /** Position of the next directory; 0 for none. */
  readonly next: number
}

/** Bytes of a value by type; types beyond are skipped. */
const typeBytes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]

/** Entries of the largest directory that is read: libtiff's own files have about 20. */
const maxEntries = 4096

/** A TIFF structure of either byte order. */
export class TiffReader {
  readonly #source: ByteSource
  readonly isLittle: boolean
  readonly isBig: boolean
  /** Position of the first directory. */
  readonly first: number

  private constructor(source: ByteSource, isLittle: boolean, isBig: boolean) {
    this.#source = source
    this.isLittle = isLittle
    this.isBig = isBig
    this.first = isBig ? this.#integer(8, 8) : this.#integer(4, 4)
  }

  /** Opens a structure; undefined if the header is not that of a TIFF. */
  static open(source: ByteSource): TiffReader | undefined {
    const mark = latin1(source.read(0, 4))
    if (!/^(?:II[*+]\0|MM\0[*+])$/.test(mark) || source.size < 8) return undefined
    const isBig = mark.includes('+')
    return isBig && source.size < 16 ? undefined : new TiffReader(source, mark[0] === 'I', isBig)
  }

  /** Reads a directory. @throws Error where it reaches beyond the end */
  directory(start: number): TiffDirectory {
    const [countBytes, entryBytes, offsetBytes] = this.isBig ? [8, 20, 8] : [2, 12, 4]
    const count = this.#integer(start, countBytes)
    if (count > maxEntries) throw new Error(`a damaged TIFF with a directory of ${count} entries`)
    const entries = new Map<number, TiffEntry>()
    for (let i = 0; i < count; i++) {
      const at = start + countBytes + i * entryBytes
      const type = this.#integer(at + 2, 2)
      const values = this.#integer(at + 4, offsetBytes)
      const byteLength = values * (typeBytes[type] ?? 0)
      const field = at + 4 + offsetBytes
      const position = byteLength <= offsetBytes ? field : this.#integer(field, offsetBytes)
      const tag = this.#integer(at, 2)
      if (!entries.has(tag)) entries.set(tag, { tag, type, count: values, at, start: position, byteLength })
    }
    return {
      start,
      entries,
      count,
      next: this.#integer(start + countBytes + count * entryBytes, offsetBytes),
    }
  }

  /** First directory and those that follow it, each once. */
  directories(limit = 4096): readonly TiffDirectory[] {
    const found: TiffDirectory[] = []
    const seen = new Set<number>()
    for (let at = this.first; at !== 0 && !seen.has(at) && found.length < limit; ) {
      seen.add(at)
      const directory = this.directory(at)
      found.push(directory)
      at = directory.next
    }
    return found
  }

  /** Unsigned whole numbers of an entry; empty if it is missing or of another type. */
  numbers(directory: TiffDirectory, tag: number): readonly number[] {
    const entry = directory.entries.get(tag)
    const size = entry && ({ 1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8 } as const)[entry.type as 1]
    if (!entry || !size) return []
    const count = Math.min(entry.count, maxEntries)
    return Array.from({ length: count }, (_, i) => this.#integer(entry.start + i * size, size))
  }

  number(directory: TiffDirectory, tag: number): number | undefined {
    return this.numbers(directory, tag)[0]
  }

  /** Resolution that a directory states. */
  resolution(directory: TiffDirectory): Resolution | undefined {
    const unit = this.number(directory, 296) ?? 2
    return resolutionOf(
      this.#rational(directory, 282),
      this.#rational(directory, 283),
      ({ 1: 'none', 2: 'inch', 3: 'cm' } as const)[unit],
    )
  }

  #rational(directory: TiffDirectory, tag: number): number {
    const entry = directory.entries.get(tag)
    if (entry?.type !== 5) return 0
    return this.#integer(entry.start, 4) / this.#integer(entry.start + 4, 4)
  }

  /** Bytes of an entry's values, fewer at the end of the file. */
  bytes(entry: TiffEntry): Uint8Array {
    return this.#source.read(entry.start, entry.byteLength)
  }

  #integer(start: number, size: number): number {
    const bytes = this.#source.read(start, size)
    if (bytes.length < size) throw new Error('a truncated TIFF; download or export it again')
    const view = viewOf(bytes)
    if (size === 1) return view.getUint8(0)
    if (size === 2) return view.getUint16(0, this.isLittle)
    if (size === 4) return view.getUint32(0, this.isLittle)
    return Number(view.getBigUint64(0, this.isLittle))
  }
}
