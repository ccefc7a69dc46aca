// Formats of old test sets that the bundled libvips cannot read: uncompressed BMP, and PNM (P5 and P6, 8 and
// 16 bits).

import { viewOf } from '../core/data.ts'
import type { Pixels } from './image.ts'

/** Detects BMP or PNM from the first bytes; undefined for anything else. */
export function bitmapFormat(head: Uint8Array): 'bmp' | 'pnm' | undefined {
  const [first, second, third] = head
  if (first === 0x42 && second === 0x4d && head.length >= 26) return 'bmp'
  const isSpace = third === 32 || (third !== undefined && third >= 9 && third <= 13)
  return first === 0x50 && (second === 0x35 || second === 0x36) && isSpace ? 'pnm' : undefined
}

export interface BitmapHeader {
  readonly format: 'bmp' | 'pnm'
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly depth: 8 | 16
  readonly read: () => Pixels
}

/** Parses the header; `read` then decodes the samples. Throws a plain Error with the reason. */
export function readBitmap(bytes: Uint8Array): BitmapHeader {
  return bitmapFormat(bytes) === 'bmp' ? readBmp(bytes) : readPnm(bytes)
}

/** Reads Netpbm's raw formats; header numbers are separated by white space and comments. */
function readPnm(bytes: Uint8Array): BitmapHeader {
  let at = 2
  const readNumber = (): number => {
    const text = Buffer.from(bytes.subarray(at, at + 4096)).toString('latin1')
    const match = /^(?:\s|#[^\n\r]*[\n\r])+(\d{1,7})(?=\s)/.exec(text)
    if (!match) throw new Error('a malformed PNM header')
    at += match[0].length
    return Number(match[1])
  }
  const width = readNumber()
  const height = readNumber()
  const peak = readNumber()
  const channels = bytes[1] === 0x36 ? 3 : 1
  checkSize(width, height)
  if (peak < 1 || peak > 65535) throw new Error(`a PNM with a maximum sample of ${peak}, not 1 to 65535`)
  const depth = peak > 255 ? 16 : 8
  const start = at + 1
  const read = (): Pixels => {
    const count = width * height * channels
    if (start + (count * depth) / 8 > bytes.length) throw truncatedError()
    const data = depth === 8 ? new Uint8Array(count) : new Uint16Array(count)
    const full = depth === 8 ? 255 : 65535
    const view = viewOf(bytes)
    for (let i = 0; i < count; i++) {
      const value = depth === 8 ? bytes[start + i]! : view.getUint16(start + i * 2)
      data[i] = peak === full ? value : Math.round((Math.min(value, peak) / peak) * full)
    }
    return { width, height, channels, hasAlpha: false, data }
  }
  return { format: 'pnm', width, height, channels, depth, read }
}

function readBmp(bytes: Uint8Array): BitmapHeader {
  const view = viewOf(bytes)
  const start = view.getUint32(10, true)
  const infoSize = view.getUint32(14, true)
  if (infoSize < 40 || bytes.length < 14 + infoSize)
    throw new Error(`a BMP with an unsupported header of ${infoSize} bytes`)
  const width = view.getInt32(18, true)
  const rows = view.getInt32(22, true)
  const height = Math.abs(rows)
  checkSize(width, height)
  const bits = view.getUint16(28, true)
  const compression = view.getUint32(30, true)
  const isPlain = compression === 0 || (compression === 3 && bits === 32 && hasStandardMasks(view, infoSize))
  if (!isPlain || ![1, 4, 8, 24, 32].includes(bits)) {
    throw new Error(`a BMP of ${bits} bits with compression ${compression}; save it uncompressed`)
  }
  const palette = bits <= 8 ? readPalette(bytes, 14 + infoSize, 2 ** bits) : undefined
  const isGray = palette?.every(([b, g, r]) => b === g && g === r) ?? false
  const channels = isGray ? 1 : 3
  const read = (): Pixels => {
    const stride = Math.ceil((width * bits) / 32) * 4
    if (start + stride * height > bytes.length) throw truncatedError()
    const data = new Uint8Array(width * height * channels)
    for (let y = 0; y < height; y++) {
      const row = bytes.subarray(start + stride * (rows < 0 ? y : height - 1 - y))
      for (let x = 0; x < width; x++) {
        const color = palette
          ? paletteEntry(palette, row, x, bits)
          : row.subarray((x * bits) / 8, (x * bits) / 8 + 3)
        for (let c = 0; c < channels; c++) data[(y * width + x) * channels + c] = color[channels - 1 - c]!
      }
    }
    return { width, height, channels, hasAlpha: false, data }
  }
  return { format: 'bmp', width, height, channels, depth: 8, read }
}

/** Whether the masks describe 32-bit pixels of blue, green, red and an unused byte. */
function hasStandardMasks(view: DataView, infoSize: number): boolean {
  const masks = [54, 58, 62].map((at) => (at + 4 <= view.byteLength ? view.getUint32(at, true) : 0))
  return infoSize >= 40 && masks.join() === [0xff0000, 0xff00, 0xff].join()
}

/** Reads the palette as [blue, green, red]; entries beyond the end of the file are black. */
function readPalette(bytes: Uint8Array, start: number, count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const entry = new Uint8Array(3)
    entry.set(bytes.subarray(start + i * 4, start + i * 4 + 3))
    return entry
  })
}

function paletteEntry(palette: readonly Uint8Array[], row: Uint8Array, x: number, bits: number): Uint8Array {
  const perByte = 8 / bits
  const shift = 8 - bits - (x % perByte) * bits
  return palette[(row[Math.floor(x / perByte)]! >> shift) & (2 ** bits - 1)]!
}

function checkSize(width: number, height: number): void {
  if (width < 1 || height < 1) throw new Error(`an image of ${width} × ${height} pixels`)
}

function truncatedError(): Error {
  return new Error('a file that was cut short')
}
