// What networks see of samples in another color space: its primaries, so no color is clipped, with sRGB's
// curve, which they were trained on.

import type { Image } from '../image.ts'
import { type Curve, isSrgbCurve, srgbEncode } from './curves.ts'
import { readProfile } from './iccProfile.ts'

/** Network values in [0, 1] of the samples from 0 to white, strictly increasing. */
export type ToneTable = Float32Array

/** Transfer code points of PQ and HLG, which are even to the eye, as sRGB's curve is. */
const hdrTransfers: readonly (number | undefined)[] = [16, 18]

/** Share of the sample itself, which keeps flat parts of a curve invertible. */
const linearShare = 0.01

/**
 * Builds the table of each color channel; undefined for sRGB's curve, and for profiles without curves.
 * @param peak white level of the samples, 255 or 65535
 */
export function toneTables(
  icc: Uint8Array | undefined,
  channels: number,
  peak: number,
): readonly ToneTable[] | undefined {
  const profile = icc && readProfile(icc)
  if (!profile || 'fault' in profile || profile.channels !== channels) return undefined
  const { curves, tags } = profile
  const isHdr = hdrTransfers.includes(tags.get('cicp')?.[9])
  if (!curves || isHdr || curves.every(isSrgbCurve)) return undefined
  const isRising = curves.every((curve) => curve(0) < curve(1))
  return isRising ? curves.map((curve) => toneTable(curve, peak)) : undefined
}

function toneTable(curve: Curve, peak: number): ToneTable {
  let linear = 0
  return Float32Array.from({ length: peak + 1 }, (_, i) => {
    // Rounded parameters make some curves dip.
    linear = Math.min(Math.max(curve(i / peak), linear), 1)
    return (1 - linearShare) * srgbEncode(linear) + linearShare * (i / peak)
  })
}

/** Inverse of a table: the sample of a value, with fractions; values beyond the ends are clamped. */
export function sampleAt(table: ToneTable, value: number): number {
  let low = 0
  let high = table.length - 1
  if (!(value > table[low]!)) return low
  if (value >= table[high]!) return high
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (table[middle]! <= value) low = middle
    else high = middle
  }
  return low + (value - table[low]!) / (table[high]! - table[low]!)
}

/** Gives planes of a profile sRGB's curve. */
export function toTones(image: Image, icc: Uint8Array | undefined): Image {
  return mapPlanes(image, icc, (table, value) => {
    const position = Math.min(Math.max(value, 0), 1) * (table.length - 1)
    const below = Math.min(Math.floor(position), table.length - 2)
    return table[below]! + (position - below) * (table[below + 1]! - table[below]!)
  })
}

/** Inverse of {@link toTones}, with values clamped to [0, 1]. */
export function fromTones(image: Image, icc: Uint8Array | undefined): Image {
  return mapPlanes(image, icc, (table, value) => sampleAt(table, value) / (table.length - 1))
}

function mapPlanes(
  image: Image,
  icc: Uint8Array | undefined,
  map: (table: ToneTable, value: number) => number,
): Image {
  const tables = toneTables(icc, image.channels, 65535)
  if (!tables) return image
  const size = image.data.length / image.channels
  const data = image.data.map((value, i) => map(tables[Math.floor(i / size)]!, value))
  return { ...image, data }
}
