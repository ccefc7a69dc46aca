// Visualizes where two images differ.

import type { Image } from '../../data/image.ts'
import { checkPair } from '../levels.ts'

/** Default amplification: a difference of one level is visible, and ±32 levels fill the range. */
export const usualGain = 4

/**
 * Computes 0.5 + gain·(output − reference) [c h w]: mid-gray where equal, brighter where the output is
 * brighter.
 */
export function differenceMap(reference: Image, output: Image, gain = usualGain): Image {
  checkPair('difference map', reference, output, 0)
  const data = output.data.map((value, i) => 0.5 + gain * (value - reference.data[i]!))
  return { ...output, data }
}

/** Describes the levels of a map. */
export function describeMap(gain = usualGain): string {
  const range = (127.5 / gain).toFixed(Number.isInteger(127.5 / gain) ? 0 : 1)
  return `output − reference, ${gain} times amplified: mid-gray is equal, black and white differ by ${range} or more of 255 levels`
}

/** Finds the square with the largest mean squared difference, on a grid of half its side. */
export function worstSquare(
  reference: Image,
  output: Image,
  sidePx: number,
): { readonly top: number; readonly left: number } {
  let worst = -1
  let place = { top: 0, left: 0 }
  const step = Math.max(1, sidePx >> 1)
  for (const top of starts(reference.height, sidePx, step)) {
    for (const left of starts(reference.width, sidePx, step)) {
      const error = errorOf(reference, output, top, left, sidePx)
      if (error <= worst) continue
      worst = error
      place = { top, left }
    }
  }
  return place
}

function starts(size: number, side: number, step: number): readonly number[] {
  const last = Math.max(0, size - side)
  return [...Array.from({ length: Math.ceil(last / step) }, (_, i) => i * step), last]
}

function errorOf(reference: Image, output: Image, top: number, left: number, side: number): number {
  const { width, height, channels } = reference
  const bottom = Math.min(top + side, height)
  const right = Math.min(left + side, width)
  let sum = 0
  for (let c = 0; c < channels; c++) {
    for (let y = top; y < bottom; y++) {
      const row = (c * height + y) * width
      for (let i = row + left; i < row + right; i++) sum += (output.data[i]! - reference.data[i]!) ** 2
    }
  }
  return sum
}
