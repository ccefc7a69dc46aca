// Decodes the samples of an open file.

import { viewAs } from '../core/data.ts'
import type { FileColors } from './colors/fileColors.ts'
import { labToSrgb } from './colors/lab.ts'
import { decodeHeic } from './formats/heic.ts'
import type { Pixels } from './image.ts'
import { loadLibHeif } from './libHeif.ts'
import { openSharp, type VipsFile } from './openFile.ts'
import { uprightPixels } from './orientation.ts'

/** Decodes samples in the file's own color space (CMYK becomes sRGB), upright. */
export async function samplesOf(
  file: VipsFile,
  bytes: Uint8Array,
  { channels }: Pick<FileColors, 'channels'>,
): Promise<Pixels> {
  const { header } = file
  const { depth, space, hasAlpha: isTransparent, bitsPerSample } = header
  const is16Bit = depth === 'ushort'
  if (file.kind === 'heic' && header.compression !== 'av1') {
    const pixels = decodeHeic(loadLibHeif(), bytes, { hasAlpha: isTransparent, is16Bit })
    return channels === 1
      ? { ...pixels, channels, data: pickGray(pixels.data, pixels.hasAlpha ? 4 : 3) }
      : pixels
  }
  const isGray = channels === 1
  // Gray with alpha is decoded as color, where libvips keeps the alpha, as is gray AVIF.
  const isPlainGray = isGray && !isTransparent && header.format !== 'heif'
  const colorspace = isPlainGray ? (is16Bit ? 'grey16' : 'b-w') : is16Bit ? 'rgb16' : 'srgb'
  const { data, info } = await openSharp(file, { failOn: 'error', ignoreIcc: space !== 'cmyk' })
    .autoOrient()
    .toColourspace(colorspace)
    .raw({ depth: is16Bit ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels: bands } = info
  if (bands > 4) throw new Error(`${bands} channels; convert it to gray or RGB, with or without alpha`)
  const all = is16Bit ? viewAs(data, Uint16Array) : new Uint8Array(data.buffer, data.byteOffset, data.length)
  const hasAlpha = bands === 2 || bands === 4
  const samples = isGray && bands > 2 ? pickGray(all, bands) : all
  // libvips shifts AVIF's 10 or 12 bits up, which leaves white below 65535.
  if (header.format === 'heif' && is16Bit && bitsPerSample && bitsPerSample < 16)
    stretchToFullRange(samples, bitsPerSample)
  const colors = isGray ? 1 : hasAlpha ? bands - 1 : bands
  const stored = { width, height, channels: colors, hasAlpha, data: samples }
  const pixels = uprightPixels(stored, file.tiffPage?.inherited.orientation ?? 1)
  return file.tiffPage?.lab ? labToSrgb(pixels, file.tiffPage.lab) : pixels
}

function pickGray(samples: Uint8Array | Uint16Array, bands: number): Uint8Array | Uint16Array {
  const kept = bands === 4 ? 2 : 1
  const picked = samples.slice(0, (samples.length / bands) * kept)
  for (let from = 0, to = 0; to < picked.length; from += bands, to += kept) {
    picked[to] = samples[from]!
    if (kept === 2) picked[to + 1] = samples[from + 3]!
  }
  return picked
}

function stretchToFullRange(samples: Uint8Array | Uint16Array, bits: number): void {
  const white = (2 ** bits - 1) * 2 ** (16 - bits)
  for (let i = 0; i < samples.length; i++) {
    samples[i] = Math.min(Math.round((samples[i]! / white) * 65535), 65535)
  }
}
