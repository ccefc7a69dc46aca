// Converts samples of other color spaces to sRGB, for what holds no profile. Colors outside sRGB are clipped.

import { type Pixels, peakOf } from '../image.ts'
import { type Curve, srgbEncode } from './curves.ts'
import { readProfile, srgbMatrix } from './iccProfile.ts'
import { invert, type Matrix, multiply } from './matrix.ts'

/** Converts samples to 16-bit sRGB, or returns the same pixels where that changes nothing; alpha stays. */
export type SrgbTransform = (pixels: Pixels) => Pixels

type Samples = Uint8Array | Uint16Array

/** Writes the 16-bit sRGB of the pixel at an index into the same place of `to`. */
type MapPixel = (from: Samples, at: number, to: Uint16Array) => void

/** Converts RGB samples [h w 3] of 16 bits by a profile's tables, which take a color engine. */
export type ConvertByTables = (
  samples: Uint16Array,
  size: { readonly width: number; readonly height: number },
  icc: Uint8Array,
) => Promise<Uint16Array>

/** Prepares the conversion from a profile; without one, samples are sRGB already. */
export async function srgbTransform(
  icc: Uint8Array | undefined,
  convertByTables: ConvertByTables,
): Promise<SrgbTransform> {
  const profile = icc && readProfile(icc)
  if (!profile || 'fault' in profile || profile.kind === 'srgb') return (pixels) => pixels
  const { curves, matrix, bytes } = profile
  if (!curves || profile.kind === 'table')
    return transformBy(
      byGrid(await convertByTables(gridSamples(), { width: side * side, height: side }, bytes)),
    )
  return transformBy(matrix ? byMatrix(curves, matrix) : byCurve(curves[0]!))
}

/** Maps pixels by what suits their white level, which is prepared once. */
function transformBy(mapFor: (peak: number) => MapPixel): SrgbTransform {
  const maps = new Map<number, MapPixel>()
  return (pixels) => {
    const peak = peakOf(pixels.data)
    const map = maps.get(peak) ?? mapFor(peak)
    maps.set(peak, map)
    return mapPixels(pixels, map)
  }
}

function mapPixels(pixels: Pixels, map: MapPixel): Pixels {
  const { channels, hasAlpha, data: from } = pixels
  const step = channels + (hasAlpha ? 1 : 0)
  const data = new Uint16Array(from.length)
  const gain = 65535 / peakOf(from)
  for (let at = 0; at < from.length; at += step) {
    map(from, at, data)
    if (hasAlpha) data[at + channels] = from[at + channels]! * gain
  }
  return { ...pixels, data }
}

/** Values of a function at the samples from 0 to white. */
function tableOf(peak: number, value: (sample: number) => number): Float32Array {
  return Float32Array.from({ length: peak + 1 }, (_, i) => value(i / peak))
}

function byCurve(curve: Curve): (peak: number) => MapPixel {
  return (peak) => {
    const table = tableOf(peak, (sample) => srgbEncode(curve(sample)) * 65535)
    return (from, at, to) => {
      to[at] = table[from[at]!]! + 0.5
    }
  }
}

const encodeSteps = 65536
let encodeTable: Float32Array | undefined

function byMatrix(curves: readonly Curve[], matrix: Matrix): (peak: number) => MapPixel {
  const weights = multiply(invert(srgbMatrix), matrix)
  encodeTable ??= tableOf(encodeSteps, (linear) => srgbEncode(linear) * 65535)
  const table = encodeTable
  return (peak) => {
    const [red, green, blue] = curves.map((curve) => tableOf(peak, curve))
    return (from, at, to) => {
      const r = red![from[at]!]!
      const g = green![from[at + 1]!]!
      const b = blue![from[at + 2]!]!
      for (let c = 0; c < 3; c++) {
        const linear = weights[3 * c]! * r + weights[3 * c + 1]! * g + weights[3 * c + 2]! * b
        const position = Math.min(Math.max(linear, 0), 1) * encodeSteps
        const below = Math.min(Math.floor(position), encodeSteps - 1)
        const value = table[below]! + (position - below) * (table[below + 1]! - table[below]!)
        to[at + c] = value + 0.5
      }
    }
  }
}

/** Colors along each side of the grid that stands for a profile's tables, which a color engine evaluates. */
const side = 33

function gridSamples(): Uint16Array {
  const samples = new Uint16Array(side ** 3 * 3)
  for (let i = 0; i < side ** 3; i++) {
    const color = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side]
    for (let c = 0; c < 3; c++) samples[3 * i + c] = Math.round((color[c]! / (side - 1)) * 65535)
  }
  return samples
}

/** Interpolates between the nearest eight colors of a grid. */
function byGrid(grid: Uint16Array): (peak: number) => MapPixel {
  return (peak) => (from, at, to) => {
    const positions = [0, 1, 2].map((c) => (from[at + c]! / peak) * (side - 1))
    const corners = positions.map((position) => Math.min(Math.floor(position), side - 2))
    const sums = [0, 0, 0]
    for (let corner = 0; corner < 8; corner++) {
      let weight = 1
      let index = 0
      for (let c = 0; c < 3; c++) {
        const isUpper = (corner >> c) & 1
        const fraction = positions[c]! - corners[c]!
        weight *= isUpper ? fraction : 1 - fraction
        index = index * side + corners[c]! + isUpper
      }
      for (let c = 0; c < 3; c++) sums[c] = sums[c]! + weight * grid[3 * index + c]!
    }
    for (let c = 0; c < 3; c++) to[at + c] = sums[c]! + 0.5
  }
}
