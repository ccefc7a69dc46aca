// Spots of light for stars and lamps, added up in linear light and clipped as on a sensor.

import type { Image } from '../../data/image.ts'
import { encodeSrgb } from '../numerics/srgb.ts'
import type { Color, Point, Size } from './canvas.ts'

/** Creates a black image [3 h w] in linear light. */
export function darkness({ width, height }: Size): Image {
  return { width, height, channels: 3, data: new Float32Array(3 * width * height) }
}

export interface Spot {
  /** Linear light at the center. */
  readonly peak: Color
  /** Half width at half maximum in px. */
  readonly radius: number
  /** Radius at which the spot is cut off in px. */
  readonly reach: number
}

/**
 * Adds a Moffat profile (1 + r² / a²)^-2.5: the narrow core and wide wings of stars seen through air and
 * lenses.
 */
export function addSpot(image: Image, [x0, y0]: Point, { peak, radius, reach }: Spot): void {
  const { width, height, data } = image
  const pixels = width * height
  // Half maximum lies at r = a · sqrt(2^0.4 - 1).
  const scale = 0.31950791077289 / (radius * radius)
  const end = reach * reach
  const rest = profile(1 + end * scale)
  const [red, green, blue] = peak
  for (let y = Math.max(Math.floor(y0 - reach), 0); y < Math.min(y0 + reach, height); y++) {
    for (let x = Math.max(Math.floor(x0 - reach), 0); x < Math.min(x0 + reach, width); x++) {
      const square = (x + 0.5 - x0) * (x + 0.5 - x0) + (y + 0.5 - y0) * (y + 0.5 - y0)
      if (square >= end) continue
      const share = profile(1 + square * scale) - rest
      const at = y * width + x
      data[at] = data[at]! + share * red
      data[pixels + at] = data[pixels + at]! + share * green
      data[2 * pixels + at] = data[2 * pixels + at]! + share * blue
    }
  }
}

function profile(base: number): number {
  return 1 / (base * base * Math.sqrt(base))
}

/** Converts linear light to sRGB, clipped to 0..1. */
export function exposed(image: Image): Image {
  const data = new Float32Array(image.data.length)
  for (let i = 0; i < data.length; i++) data[i] = encodeSrgb(image.data[i]!)
  return { ...image, data }
}

/** Scales a color. */
export function times(factor: number, [red, green, blue]: Color): Color {
  return [factor * red, factor * green, factor * blue]
}
