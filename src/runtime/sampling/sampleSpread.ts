// Mean of several restorations of a picture, and where they disagree (Welford's algorithm).

import { crop, type Image, type Pixels } from '../../data/image.ts'
import type { Extent } from '../../data/parts.ts'

/** Accumulates mean and variance, in one more float32 plane than the picture has. */
export class SampleSpread {
  readonly #mean: Image
  /** Sum over channels of squared differences from the mean [h w]. */
  readonly #squares: Float32Array

  constructor({ width, height }: Extent, channels: number) {
    this.#mean = { width, height, channels, data: new Float32Array(channels * width * height) }
    this.#squares = new Float32Array(width * height)
  }

  /** Adds rows of a restoration, whose index counts from 0; all rows of one come before those of the next. */
  add(sample: number, top: number, { channels, width, height, data }: Image): void {
    const mean = this.#mean
    const at = top * width
    const size = width * height
    for (let c = 0; c < channels; c++) {
      const from = c * size
      const to = c * mean.height * width + at
      for (let i = 0; i < size; i++) {
        const before = mean.data[to + i]!
        const difference = data[from + i]! - before
        const after = before + difference / (sample + 1)
        mean.data[to + i] = after
        this.#squares[at + i] = this.#squares[at + i]! + difference * (data[from + i]! - after)
      }
    }
  }

  /** Rows of the mean. */
  meanRows(top: number, height: number): Image {
    return crop(this.#mean, top, 0, height, this.#mean.width)
  }

  /**
   * Standard deviation of `samples` restorations over all channels [1 h w]; overwrites the sums, so call it
   * last.
   */
  deviation(samples: number): Image {
    const { width, height, channels } = this.#mean
    const data = this.#squares
    for (let i = 0; i < data.length; i++) data[i] = Math.sqrt(data[i]! / channels / Math.max(1, samples - 1))
    return { width, height, channels: 1, data }
  }
}

/** Map of where restorations disagree. */
export interface SpreadPicture {
  /** Gray, black where all agree. */
  readonly pixels: Pixels
  /** Mean deviation over the picture, 0..255. */
  readonly mean255: number
  /** Deviation that is white, 0..255. */
  readonly white255: number
}

/** Share of pixels up to white; the brightest few are clipped so that they do not darken the rest. */
const unclippedShare = 0.999
const bins = 4096

/** Renders deviations as a gray picture, scaled to full brightness. */
export function spreadPicture(deviation: Image, { width, height }: Extent): SpreadPicture {
  const { data: values } = crop(deviation, 0, 0, height, width)
  const largest = values.reduce((max, value) => Math.max(max, value), 0)
  const counts = new Float64Array(bins)
  for (const value of values) {
    const bin = largest > 0 ? Math.min(bins - 1, Math.floor((value / largest) * bins)) : 0
    counts[bin] = counts[bin]! + 1
  }
  let bin = 0
  let below = counts[0]!
  while (below < unclippedShare * values.length) below += counts[++bin]!
  const white = (largest * (bin + 1)) / bins
  const data = Uint8Array.from(values, (value) =>
    white > 0 ? Math.min(255, Math.round((255 * value) / white)) : 0,
  )
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return {
    pixels: { width, height, channels: 1, hasAlpha: false, data },
    mean255: 255 * mean,
    white255: 255 * white,
  }
}
