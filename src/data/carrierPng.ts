// A one-pixel PNG with a color profile, since only an image file can hand sharp a profile unchanged.

import { deflateSync } from 'node:zlib'
import { pngChunk } from './formats/png.ts'

export interface CarrierOptions {
  readonly channels: number
  readonly depth: 8 | 16
  readonly icc: Uint8Array | undefined
}

const colorTypes = [0, 4, 2, 6]

/** Builds a one-pixel PNG of zeros (transparent if it has alpha) with the given profile. */
export function carrierPng({ channels, depth, icc }: CarrierOptions): Buffer {
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, depth, colorTypes[channels - 1] ?? 0, 0, 0, 0])
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    ...(icc ? [pngChunk('iCCP', Buffer.from('icc\0\0', 'latin1'), deflateSync(icc))] : []),
    pngChunk('IDAT', deflateSync(new Uint8Array(1 + (channels * depth) / 8))),
    pngChunk('IEND'),
  ])
}
