// Moves entries between TIFF structures: from the directory of a picture into an EXIF block, and back. Structural
// entries stay behind, since they describe the samples of one file.

import { bigEndian, concat, latin1Bytes, littleEndian } from '../../core/bytes.ts'
import { bytesSource } from '../formats/byteSource.ts'
import type { Resolution } from '../formats/resolution.ts'
import { type TiffDirectory, TiffReader } from '../formats/tiff.ts'
import type { ImageMetadata } from './imageMetadata.ts'

/** An entry with its values, in the byte order of its structure. */
interface MovableEntry {
  readonly tag: number
  readonly type: number
  readonly count: number
  readonly bytes: Uint8Array
  /** Entries of the directory that this one points to. */
  readonly below?: readonly MovableEntry[]
}

const tags = {
  orientation: 274,
  xResolution: 282,
  yResolution: 283,
  unit: 296,
  exif: 0x8769,
  gps: 0x8825,
  interoperability: 0xa005,
}

/**
 * Facts about a picture in the main directory: title, maker, model, software, dates, author, rating, copyright, and the
 * colors that no profile states (transfer function, white point, primaries).
 */
const factTags = new Set([
  ...[301, 318, 319],
  ...[269, 270, 271, 272, 285, 305, 306, 315, 316, 0x4746, 0x4749, 0x8298],
  ...[0x9c9b, 0x9c9c, 0x9c9d, 0x9c9e, 0x9c9f],
])

/** Collects the facts of a directory, with those of the directories for EXIF and place. */
function factsOf(tiff: TiffReader, directory: TiffDirectory): readonly MovableEntry[] {
  const facts = [...directory.entries.values()].filter(({ tag }) => factTags.has(tag))
  const below = [tags.exif, tags.gps].flatMap((tag) => {
    const start = tiff.number(directory, tag)
    if (start === undefined) return []
    const entries = [...tiff.directory(start).entries.values()]
      .filter((entry) => entry.tag !== tags.interoperability)
      .map((entry) => ({ ...entry, bytes: tiff.bytes(entry) }))
    return [{ tag, type: 4, count: 1, bytes: new Uint8Array(4), below: entries }]
  })
  return [...facts.map((entry) => ({ ...entry, bytes: tiff.bytes(entry) })), ...below]
}

/** Builds an EXIF block of the facts in a TIFF's directory; undefined if there are none. */
export function exifOfDirectory(tiff: TiffReader, directory: TiffDirectory): Uint8Array | undefined {
  const facts = factsOf(tiff, directory)
  if (facts.length === 0) return undefined
  const head = latin1Bytes(tiff.isLittle ? 'II*\0\x08\0\0\0' : 'MM\0*\0\0\0\x08')
  return concat([head, layOut(facts, head.length, tiff.isLittle)])
}

/** What {@link embedInTiff} writes. */
export type TiffMetadata = Pick<ImageMetadata, 'exif' | 'xmp' | 'iptc' | 'resolution'>

/** Replaces the metadata of a TIFF of one picture: a new directory at its end refers to the same samples. */
export function embedInTiff(file: Uint8Array, { exif, xmp, iptc, resolution }: TiffMetadata): Uint8Array {
  const tiff = TiffReader.open(bytesSource(file))
  if (!tiff || tiff.isBig) throw new Error('expected a TIFF of up to 4 GB')
  const main = tiff.directory(tiff.first)
  const { orientation, xResolution, yResolution, unit } = tags
  const replaced = new Set([
    ...factTags,
    orientation,
    xResolution,
    yResolution,
    unit,
    700,
    33723,
    tags.exif,
    tags.gps,
  ])
  const kept = [...main.entries.values()]
    .filter(({ tag }) => !replaced.has(tag))
    .map((entry) => ({ ...entry, bytes: tiff.bytes(entry) }))
  const block = exif && TiffReader.open(bytesSource(exif))
  const facts = block ? factsOf(block, block.directory(block.first)) : []
  const stated = resolution ?? block?.resolution(block.directory(block.first))
  const isSwapped = block?.isLittle !== tiff.isLittle
  const entries = [
    ...kept,
    ...(isSwapped ? facts.map(swapped) : facts),
    ...(xmp ? [{ tag: 700, type: 1, count: xmp.length, bytes: xmp }] : []),
    ...(iptc ? [{ tag: 33723, type: 7, count: iptc.length, bytes: iptc }] : []),
    ...(stated ? resolutionEntries(stated, tiff.isLittle) : []),
  ]
  const start = Math.ceil(file.length / 2) * 2
  const directory = layOut(entries, start, tiff.isLittle)
  const whole = concat([file, new Uint8Array(start - file.length), directory])
  whole.set(inOrder(tiff.isLittle)(start, 4), 4)
  return whole
}

function resolutionEntries({ x, y, unit }: Resolution, isLittle: boolean): readonly MovableEntry[] {
  const rational = (tag: number, value: number) => {
    const parts = Number.isInteger(value) ? [value, 1] : [Math.round(value * 1000), 1000]
    return { tag, type: 5, count: 1, bytes: concat(parts.map((part) => inOrder(isLittle)(part, 4))) }
  }
  const code = { none: 1, inch: 2, cm: 3 }[unit ?? 'inch']
  return [
    rational(tags.xResolution, x),
    rational(tags.yResolution, y),
    { tag: tags.unit, type: 3, count: 1, bytes: inOrder(isLittle)(code, 2) },
  ]
}

/** Writes a directory and those below it for a position in a file. */
function layOut(entries: readonly MovableEntry[], start: number, isLittle: boolean): Uint8Array {
  const sorted = entries.toSorted((a, b) => a.tag - b.tag)
  const head = new Uint8Array(2 + sorted.length * 12 + 4)
  const put16 = (value: number, at: number) => head.set(inOrder(isLittle)(value, 2), at)
  const put32 = (value: number, at: number) => head.set(inOrder(isLittle)(value, 4), at)
  const values: Uint8Array[] = []
  let end = start + head.length
  put16(sorted.length, 0)
  for (const [i, { tag, type, count, bytes, below }] of sorted.entries()) {
    const at = 2 + i * 12
    put16(tag, at)
    put16(type, at + 2)
    put32(count, at + 4)
    const value = below ? layOut(below, end, isLittle) : bytes
    if (!below && value.length <= 4) head.set(value, at + 8)
    else {
      put32(end, at + 8)
      const padded = concat([value, new Uint8Array(value.length % 2)])
      values.push(padded)
      end += padded.length
    }
  }
  return concat([head, ...values])
}

/** Writes numbers in a byte order. */
function inOrder(isLittle: boolean): typeof bigEndian {
  return isLittle ? littleEndian : bigEndian
}

/** Bytes of the numbers that the values of a type consist of; others are bytes. */
const numberBytes: Readonly<Record<number, number>> = {
  3: 2,
  4: 4,
  5: 4,
  8: 2,
  9: 4,
  10: 4,
  11: 4,
  12: 8,
  13: 4,
}

function swapped(entry: MovableEntry): MovableEntry {
  const { type, bytes, below } = entry
  const size = numberBytes[type]
  const turned = new Uint8Array(bytes)
  if (size && turned.length % size === 0 && turned.length > 0)
    for (let at = 0; at < turned.length; at += size) turned.subarray(at, at + size).reverse()
  return { ...entry, bytes: turned, ...(below ? { below: below.map(swapped) } : {}) }
}
