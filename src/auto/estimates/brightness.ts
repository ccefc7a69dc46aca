// How light and dark are spread in a picture: the histogram of its luma, and the veil of haze over it.

import type { Image } from '../../data/image.ts'
import { darkChannel, luma } from '../../data/tone/features.ts'
import type { Plane } from '../../data/tone/planes.ts'

/** Quantiles of the luma in 0..1, and shares of it at the ends. */
export interface Brightness {
  /** Luma that 5 % of the pixels stay below. */
  readonly dark: number
  readonly median: number
  /** Luma that 5 % of the pixels exceed. */
  readonly bright: number
  readonly mean: number
  /** Share of pixels that are black, 0..1. */
  readonly black: number
  /** Share of pixels that are white, 0..1. */
  readonly white: number
}

/** Measures the brightness of luma in 0..1, to 1/256. */
export function brightnessOf({ values }: Plane): Brightness {
  const counts = new Uint32Array(256)
  let sum = 0
  for (let i = 0; i < values.length; i++) {
    const own = values[i]!
    const value = own < 0 ? 0 : own > 1 ? 1 : own
    counts[(255 * value + 0.5) | 0]!++
    sum += value
  }
  const quantile = (share: number) => {
    let reached = counts[0]!
    let bin = 0
    while (reached <= share * values.length && bin < 255) reached += counts[++bin]!
    return bin / 255
  }
  const share = (from: number, to: number) =>
    counts.subarray(from, to).reduce((all, count) => all + count, 0) / values.length
  return {
    dark: quantile(0.05),
    median: quantile(0.5),
    bright: quantile(0.95),
    mean: sum / values.length,
    black: share(0, 3),
    white: share(253, 256),
  }
}

/** The veil of haze over a picture. */
export interface Veil {
  /**
   * Mean of the dark channel, 0..1: the least of a window's colors, near 0 in clear air (He, Sun and Tang,
   * CVPR 2009).
   */
  readonly darkChannel: number
  /** Difference of the luma that 95 % and 5 % of the pixels stay below. */
  readonly contrast: number
}

/** Measures the veil over a small view of a whole picture [3 256 256] (`viewOf`). */
export function veilOf(view: Image): Veil {
  const { values } = darkChannel(view)
  const dark = values.reduce((sum, value) => sum + value, 0) / values.length
  const { dark: low, bright } = brightnessOf(luma(view))
  return { darkChannel: dark, contrast: bright - low }
}
