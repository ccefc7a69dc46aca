// Reads Netpbm's bitmaps, gray maps and pixel maps, raw (P4, P5, P6) and as text (P1, P2, P3).
// https://netpbm.sourceforge.net/doc, pbm, pgm and ppm.

import { latin1 } from '../../core/data.ts'
import type { Pixels } from '../image.ts'
import { type Bitmap, checkSize, truncatedError } from './bitmap.ts'

/** Parses the header of a PNM. @throws Error with the reason */
export function openPnm(bytes: Uint8Array): Bitmap {
  const type = bytes[1]! - 0x30
  let at = 2
  const readNumber = (): number => {
    const text = latin1(bytes.subarray(at, at + 4096))
    const match = /^(?:\s|#[^\n\r]*[\n\r])+(\d{1,7})(?=\s|$)/.exec(text)
    if (!match) throw new Error('a PNM with a damaged header; export it again')
    at += match[0].length
    return Number(match[1])
  }
  const width = readNumber()
  const height = readNumber()
  const isBitmap = type === 1 || type === 4
  const peak = isBitmap ? 1 : readNumber()
  checkSize(width, height)
  if (peak < 1 || peak > 65535)
    throw new Error(`a PNM with a maximum sample of ${peak}, not 1 to 65535; export it again`)
  const channels = type === 3 || type === 6 ? 3 : 1
  const depth = peak > 255 ? 16 : 8
  const body = bytes.subarray(at + 1)
  const read = (): Pixels => {
    const count = width * height * channels
    const data = depth === 8 ? new Uint8Array(count) : new Uint16Array(count)
    if (type === 4) readBits(body, width, data)
    else if (type > 4) readRaw(body, depth, data)
    else readText(body, isBitmap, data)
    const full = depth === 8 ? 255 : 65535
    // A bitmap's 1 is black.
    if (isBitmap) for (let i = 0; i < count; i++) data[i] = data[i] === 0 ? 255 : 0
    else if (peak !== full)
      for (let i = 0; i < count; i++) data[i] = Math.round((Math.min(data[i]!, peak) / peak) * full)
    return { width, height, channels, hasAlpha: false, data }
  }
  return { format: 'pnm', width, height, depth, read }
}

function readBits(body: Uint8Array, width: number, data: Uint8Array | Uint16Array): void {
  const stride = Math.ceil(width / 8)
  if (body.length < (stride * data.length) / width) throw truncatedError()
  for (let i = 0, y = 0; i < data.length; y++) {
    for (let x = 0; x < width; x++, i++) data[i] = (body[y * stride + (x >> 3)]! >> (7 - (x & 7))) & 1
  }
}

function readRaw(body: Uint8Array, depth: 8 | 16, data: Uint8Array | Uint16Array): void {
  if (body.length < data.length * (depth / 8)) throw truncatedError()
  if (depth === 8) data.set(body.subarray(0, data.length))
  else for (let i = 0; i < data.length; i++) data[i] = (body[i * 2]! << 8) | body[i * 2 + 1]!
}

/** Reads decimal numbers between white space and comments; digits of a bitmap need none between them. */
function readText(body: Uint8Array, isBitmap: boolean, data: Uint8Array | Uint16Array): void {
  let filled = 0
  let value = -1
  for (let at = 0; filled < data.length; at++) {
    const byte = body[at] ?? (value >= 0 ? 0x20 : undefined)
    if (byte === undefined) throw truncatedError()
    const digit = byte - 0x30
    const isDigit = digit >= 0 && digit <= 9
    if (isDigit) value = Math.min((value < 0 ? 0 : value * 10) + digit, 65535)
    else if (byte === 0x23) at = body.indexOf(0x0a, at) < 0 ? body.length : body.indexOf(0x0a, at)
    else if (byte !== 0x20 && (byte < 9 || byte > 13)) throw new Error('a damaged PNM; export it again')
    if (value < 0 || (isDigit && !isBitmap)) continue
    data[filled++] = value
    value = -1
  }
}
