// Differences of two images: peak signal-to-noise ratio and mean absolute error.

import type { Levels } from './levels.ts'

/** Mean of squared differences, all channels pooled; levels 0..255. */
export function meanSquaredError(a: Levels, b: Levels): number {
  return meanOver(a, b, (difference) => difference * difference)
}

/** 10·log10(255² / MSE) in dB; infinite for equal images. */
export function psnr(a: Levels, b: Levels): number {
  return 10 * Math.log10(255 ** 2 / meanSquaredError(a, b))
}

/** Mean absolute difference as a share of the range, 0..1. */
export function meanAbsoluteError(a: Levels, b: Levels): number {
  return meanOver(a, b, Math.abs) / 255
}

function meanOver(a: Levels, b: Levels, of: (difference: number) => number): number {
  let total = 0
  a.planes.forEach((plane, c) => {
    const other = b.planes[c]!
    for (let i = 0; i < plane.length; i++) total += of(plane[i]! - other[i]!)
  })
  return total / (a.planes.length * a.width * a.height)
}
