// What several restorations of a picture have in common, and where they disagree (Welford's mean and variance).

import { crop, type Image, type Pixels } from '../../data/image.ts'
import type { Extent } from '../pictures/planeIO.ts'

/** Takes as many float32 planes as the picture has, and one more. */
export class SampleSpread {
  readonly #mean: Image
  /** Sum over channels of squared differences from the mean [h w]. */
  readonly #squares: Float32Array

  constructor({ width, height }: Extent, channels: number) {
    this.#mean = { width, height, channels, data: new Float32Array(channels * width * height) }
    this.#squares = new Float32Array(width * height)
  }

  /** Takes rows of the restoration with this number, from 0 on. */
  add(sample: number, top: number, { channels, width, height, data }: Image): void {
    const mean = this.#mean
    const [at, size] = [top * width, width * height]
    for (let c = 0; c < channels; c++) {
      const [from, to] = [c * size, c * mean.height * width + at]
      for (let i = 0; i < size; i++) {
        const before = mean.data[to + i] as number
        const off = (data[from + i] as number) - before
        const after = before + off / (sample + 1)
        mean.data[to + i] = after
        this.#squares[at + i] = (this.#squares[at + i] as number) + off * ((data[from + i] as number) - after)
      }
    }
  }

  meanRows(top: number, height: number): Image {
    return crop(this.#mean, top, 0, height, this.#mean.width)
  }

  /** Deviation of `samples` restorations from each other, over all channels [1 h w]; takes the place of the sums. */
  deviation(samples: number): Image {
    const { width, height, channels } = this.#mean
    const data = this.#squares
    for (let i = 0; i < data.length; i++)
      data[i] = Math.sqrt((data[i] as number) / channels / Math.max(1, samples - 1))
    return { width, height, channels: 1, data }
  }
}

export interface SpreadPicture {
  /** Gray: black where all agree. */
  readonly pixels: Pixels
  /** Deviations on the scale 0 to 255: the mean over the picture, and what is white. */
  readonly mean255: number
  readonly white255: number
}

/** Share of the pixels that are not brighter than white, so that a few do not darken the others. */
const shown = 0.999
const bins = 4096

/** Deviations as a picture that people can read: as bright as it gets. */
export function spreadPicture(deviation: Image, { width, height }: Extent): SpreadPicture {
  const { data: values } = crop(deviation, 0, 0, height, width)
  const largest = values.reduce((most, value) => Math.max(most, value), 0)
  const counts = new Float64Array(bins)
  for (const value of values) {
    const bin = largest > 0 ? Math.min(bins - 1, Math.floor((value / largest) * bins)) : 0
    counts[bin] = (counts[bin] as number) + 1
  }
  let [bin, below] = [0, counts[0] as number]
  while (below < shown * values.length) below += counts[++bin] as number
  const white = (largest * (bin + 1)) / bins
  const data = Uint8Array.from(values, (value) =>
    white > 0 ? Math.min(255, Math.round((255 * value) / white)) : 0,
  )
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return {
    pixels: { width, height, channels: 1, hasAlpha: false, data },
    ...{ mean255: 255 * mean, white255: 255 * white },
  }
}
