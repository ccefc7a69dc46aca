// Enlargement by any number: a network that enlarges runs as often as needed, then the result is resampled.

import { RestoreError } from '../core/errors.ts'
import type { Extent } from '../data/parts.ts'

/** Largest scale that can be requested. */
export const largestScale = 8

/** Largest scale of a network's own; published ones reach 16. */
const largestOwnScale = 64

/** How a picture reaches a scale. */
export interface Enlargement {
  /** Runs of the network, each on the result of the one before. */
  readonly passes: number
  /** Product of the network's scales, at least the wanted one. */
  readonly reached: number
}

/** Plans the passes of a network with `networkScale` to reach `scale`. */
export function enlargementTo(scale: number, networkScale: number): Enlargement {
  let passes = 1
  while (networkScale > 1 && networkScale ** passes < scale) passes++
  return { passes, reached: networkScale ** passes }
}

/** Size of a picture enlarged by any number. */
export function enlarged({ height, width }: Extent, scale: number): Extent {
  const side = (length: number) => Math.max(1, Math.round(length * scale))
  return { height: side(height), width: side(width) }
}

/**
 * The scale of results: the network's own unless another is requested.
 * @throws RestoreError 'usage' for a scale out of range, or a network that does not enlarge, and 'checkpoint' for
 * weights that claim to enlarge beyond measure
 */
export function checkScale(scale: number | undefined, networkScale: number, name: string): number {
  if (!(networkScale >= 1 && networkScale <= largestOwnScale))
    throw new RestoreError(
      'checkpoint',
      `${name}: expected a network that enlarges at most ${largestOwnScale} times, got one that claims ${networkScale}; check where the file is from`,
    )
  if (scale === undefined || scale === networkScale) return networkScale
  if (networkScale === 1) {
    const advice = 'leave it out, or use weights that enlarge'
    throw new RestoreError('usage', `scale: expected 1, as ${name} does not enlarge, got ${scale}; ${advice}`)
  }
  if (scale >= 1 && scale <= largestScale) return scale
  throw new RestoreError('usage', `scale: expected a number from 1 to ${largestScale}, got ${scale}`)
}
