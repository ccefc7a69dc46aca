// Reads BMP: headers of OS/2 and Windows, palettes, run lengths, and masks with or without opacity.
// Microsoft, Bitmap Storage; OS/2 2.x: compression 3 and 4 there are Huffman and 24-bit run lengths.

import { viewOf } from '../../core/data.ts'
import type { Pixels } from '../image.ts'
import { type Bitmap, type BitmapColors, checkSize, truncatedError } from './bitmap.ts'

interface BmpHeader {
  readonly width: number
  readonly height: number
  readonly isTopDown: boolean
  readonly bits: number
  /** Position of the samples. */
  readonly start: number
  /** [blue green red] of each index; undefined for direct colors. */
  readonly palette: readonly Uint8Array[] | undefined
  /** Masks of red, green, blue and opacity in 16 or 32 bits. */
  readonly masks: readonly number[]
  readonly isRunLength: boolean
}

const usualMasks = {
  16: [0x7c00, 0x3e0, 0x1f, 0],
  32: [0xff0000, 0xff00, 0xff, 0],
} as const

/** Parses the header of a BMP. @throws Error with the reason */
export function openBmp(bytes: Uint8Array): Bitmap {
  const view = viewOf(bytes)
  const infoSize = view.getUint32(14, true)
  if (bytes.length < 14 + infoSize) throw truncatedError()
  const isCore = infoSize === 12
  if (!isCore && infoSize !== 16 && (infoSize < 40 || infoSize > 124))
    throw new Error(`a BMP with a header of ${infoSize} bytes, which no version has; export it again`)
  const field = (at: number) => (at + 4 <= 14 + infoSize ? view.getUint32(at, true) : 0)
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true)
  const rows = isCore ? view.getUint16(20, true) : view.getInt32(22, true)
  const height = Math.abs(rows)
  checkSize(width, height)
  const bits = view.getUint16(isCore ? 24 : 28, true)
  const compression = isCore ? 0 : field(30)
  checkCoding(bits, compression, infoSize)
  const hasMasks = compression === 3 || compression === 6
  const masksBehind = hasMasks && infoSize < 52 ? (compression === 6 ? 16 : 12) : 0
  const masks = hasMasks ? readMasks(view, infoSize, compression) : (usualMasks[bits as 16] ?? [])
  const colors = bits <= 8 ? Math.min(field(46) || 2 ** bits, 2 ** bits) : 0
  const palette =
    colors > 0 ? readPalette(bytes, 14 + infoSize + masksBehind, colors, isCore ? 3 : 4) : undefined
  const header: BmpHeader = {
    width,
    height,
    isTopDown: rows < 0,
    bits,
    start: view.getUint32(10, true),
    palette,
    masks,
    isRunLength: compression === 1 || compression === 2,
  }
  const isDeep = bits > 8 && masks.some((mask) => bitCount(mask) > 8)
  const [x, y] = [field(38), field(42)]
  return {
    format: 'bmp',
    width,
    height,
    depth: isDeep ? 16 : 8,
    resolution: x > 0 && y > 0 ? { x: x * 0.0254, y: y * 0.0254 } : undefined,
    colors: colorsOf(bytes, view, infoSize),
    read: () => (palette ? readIndexed(bytes, header, palette) : readDirect(bytes, header, isDeep)),
  }
}

function checkCoding(bits: number, compression: number, infoSize: number): void {
  const isOs2 = infoSize === 16 || infoSize === 64
  const isReadable =
    (compression === 0 && [1, 2, 4, 8, 16, 24, 32].includes(bits)) ||
    (compression === 1 && bits === 8) ||
    (compression === 2 && bits === 4) ||
    ((compression === 3 || compression === 6) && (bits === 16 || bits === 32) && !isOs2)
  if (isReadable) return
  const name =
    (isOs2 ? { 3: 'Huffman', 4: '24-bit run-length' } : { 4: 'JPEG', 5: 'PNG' })[compression as 4] ??
    `unknown (${compression})`
  const coding = compression === 0 ? 'no' : name
  throw new Error(`a BMP of ${bits} bits with ${coding} compression; save it uncompressed, or as PNG`)
}

function readMasks(view: DataView, infoSize: number, compression: number): readonly number[] {
  const hasAlpha = infoSize >= 56 || compression === 6
  const end = hasAlpha ? 70 : 66
  if (view.byteLength < end) throw truncatedError()
  if (view.getUint32(10, true) < end) throw new Error('a BMP whose masks are missing; export it again')
  const masks = [54, 58, 62].map((at) => view.getUint32(at, true))
  const isContiguous = (mask: number) => /^0*1*0*$/.test(mask.toString(2))
  const all = [...masks, hasAlpha ? view.getUint32(66, true) : 0]
  if (all.every(isContiguous)) return all
  throw new Error('a BMP with masks that have gaps; export it again')
}

const colorSpaces = { calibrated: 0, embedded: 0x4d424544, linked: 0x4c494e4b } as const

/** Colors of a header of version 4 or 5; calibrated ones are often announced without any. */
function colorsOf(bytes: Uint8Array, view: DataView, infoSize: number): BitmapColors | undefined {
  if (infoSize < 108) return undefined
  const space = view.getUint32(70, true)
  if (space === colorSpaces.linked) return { kind: 'linked' }
  if (space === colorSpaces.embedded && infoSize >= 124) {
    const start = 14 + view.getUint32(126, true)
    return { kind: 'embedded', icc: bytes.slice(start, start + view.getUint32(130, true)) }
  }
  if (space !== colorSpaces.calibrated) return undefined
  const primaries = [74, 86, 98].map((at) => {
    const [x = 0, y = 0, z = 0] = [at, at + 4, at + 8].map((place) => view.getInt32(place, true))
    return [x / (x + y + z), y / (x + y + z)] as const
  })
  const gammas = [110, 114, 118].map((at) => view.getUint32(at, true) / 65536)
  const isStated = primaries.every(([x, y]) => x > 0 && y > 0) && gammas.every((gamma) => gamma > 0)
  return isStated ? { kind: 'calibrated', primaries, gammas } : undefined
}

/** Reads the palette; entries beyond the end of the file are black. */
function readPalette(bytes: Uint8Array, start: number, count: number, step: 3 | 4): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const entry = new Uint8Array(3)
    entry.set(bytes.subarray(start + i * step, start + i * step + 3))
    return entry
  })
}

function readIndexed(bytes: Uint8Array, header: BmpHeader, palette: readonly Uint8Array[]): Pixels {
  const { width, height, isTopDown } = header
  const channels = palette.every(([b, g, r]) => b === g && g === r) ? 1 : 3
  const table = new Uint8Array(256 * channels)
  for (const [i, color] of palette.entries())
    for (let c = 0; c < channels; c++) table[i * channels + c] = color[2 - c]!
  const indices = header.isRunLength ? expandRuns(bytes, header) : unpackIndices(bytes, header)
  const data = new Uint8Array(width * height * channels)
  for (let y = 0, to = 0; y < height; y++) {
    let from = (isTopDown ? y : height - 1 - y) * width
    for (let x = 0; x < width; x++) {
      const entry = indices[from++]! * channels
      for (let c = 0; c < channels; c++) data[to++] = table[entry + c]!
    }
  }
  return { width, height, channels, hasAlpha: false, data }
}

/** One index a byte, rows as they are stored. */
function unpackIndices(bytes: Uint8Array, { width, height, bits, start }: BmpHeader): Uint8Array {
  const stride = strideOf(width, bits)
  if (start + stride * height > bytes.length) throw truncatedError()
  const indices = new Uint8Array(width * height)
  const mask = 2 ** bits - 1
  for (let y = 0, to = 0; y < height; y++) {
    const row = start + y * stride
    for (let x = 0; x < width; x++, to++) {
      const bit = x * bits
      indices[to] = (bytes[row + (bit >> 3)]! >> (8 - bits - (bit & 7))) & mask
    }
  }
  return indices
}

/** Expands run lengths of 8 or 4 bits; pixels that are skipped have index 0. */
function expandRuns(bytes: Uint8Array, { width, height, bits, start }: BmpHeader): Uint8Array {
  const indices = new Uint8Array(width * height)
  let [x, y, at] = [0, 0, start]
  const put = (index: number) => {
    if (x < width && y < height) indices[y * width + x] = index
    x++
  }
  const nibble = (byte: number, i: number) => (bits === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15)
  for (;;) {
    const [count, value] = [bytes[at], bytes[at + 1]]
    if (count === undefined || value === undefined) {
      // The mark of the end is missing in some whole files.
      if (y >= height || (y === height - 1 && x >= width)) return indices
      throw truncatedError()
    }
    at += 2
    if (count > 0) for (let i = 0; i < count; i++) put(nibble(value, i))
    else if (value === 0) [x, y] = [0, y + 1]
    else if (value === 1) return indices
    else if (value === 2) [x, y, at] = [x + (bytes[at] ?? 0), y + (bytes[at + 1] ?? 0), at + 2]
    else {
      const length = Math.ceil((value * bits) / 8)
      if (at + length > bytes.length) throw truncatedError()
      for (let i = 0; i < value; i++) put(nibble(bytes[at + ((i * bits) >> 3)]!, i))
      at += length + (length % 2)
    }
  }
}

function readDirect(bytes: Uint8Array, header: BmpHeader, isDeep: boolean): Pixels {
  const { width, height, bits, start, masks, isTopDown } = header
  const stride = strideOf(width, bits)
  if (start + stride * height > bytes.length) throw truncatedError()
  const rowStart = (y: number) => start + stride * (isTopDown ? y : height - 1 - y)
  if (bits === 24)
    return { width, height, channels: 3, hasAlpha: false, data: swapBytes(bytes, header, rowStart) }
  const hasAlpha = masks[3] !== 0
  const step = hasAlpha ? 4 : 3
  const peak = isDeep ? 65535 : 255
  const data = isDeep ? new Uint16Array(width * height * step) : new Uint8Array(width * height * step)
  const view = viewOf(bytes)
  for (let c = 0; c < step; c++) {
    const mask = masks[c]!
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask)
    const gain = mask === 0 ? 0 : peak / (mask >>> shift)
    for (let y = 0, to = c; y < height; y++) {
      const row = rowStart(y)
      for (let x = 0; x < width; x++, to += step) {
        const word = bits === 16 ? view.getUint16(row + x * 2, true) : view.getUint32(row + x * 4, true)
        data[to] = Math.round(((word & mask) >>> shift) * gain)
      }
    }
  }
  return { width, height, channels: 3, hasAlpha, data: hasAlpha ? opaqueIfEmpty(data) : data }
}

function swapBytes(
  bytes: Uint8Array,
  { width, height }: BmpHeader,
  rowStart: (y: number) => number,
): Uint8Array {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0, to = 0; y < height; y++) {
    let from = rowStart(y)
    for (let x = 0; x < width; x++, from += 3, to += 3) {
      data[to] = bytes[from + 2]!
      data[to + 1] = bytes[from + 1]!
      data[to + 2] = bytes[from]!
    }
  }
  return data
}

/** Programs that know no opacity leave it 0 throughout; browsers show such pictures as opaque too. */
function opaqueIfEmpty<T extends Uint8Array | Uint16Array>(data: T): T {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 0) return data
  const peak = data instanceof Uint16Array ? 65535 : 255
  for (let i = 3; i < data.length; i += 4) data[i] = peak
  return data
}

/** Bytes of a row, which ends at a multiple of four. */
function strideOf(width: number, bits: number): number {
  return Math.ceil((width * bits) / 32) * 4
}

function bitCount(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length
}
