// Pixel differences of two images: peak signal-to-noise ratio and mean absolute error.

import type { Levels } from './levels.ts'

/** Mean squared difference over all channels; levels 0..255. */
function meanSquaredError(a: Levels, b: Levels): number {
  let total = 0
  for (const [c, plane] of a.planes.entries()) total += sumOfSquares(plane, b.planes[c]!)
  return total / countOf(a)
}

/** Computes 10·log10(255² / MSE) in dB; infinite for identical images. */
export function psnr(a: Levels, b: Levels): number {
  return 10 * Math.log10(255 ** 2 / meanSquaredError(a, b))
}

/** Computes the mean absolute difference relative to the range, 0..1. */
export function meanAbsoluteError(a: Levels, b: Levels): number {
  let total = 0
  for (const [c, plane] of a.planes.entries()) {
    const other = b.planes[c]!
    for (let i = 0; i < plane.length; i++) total += Math.abs(plane[i]! - other[i]!)
  }
  return total / countOf(a) / 255
}

function sumOfSquares(a: Float64Array, b: Float64Array): number {
  let total = 0
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!
    total += difference * difference
  }
  return total
}

function countOf({ planes, width, height }: Levels): number {
  return planes.length * width * height
}
