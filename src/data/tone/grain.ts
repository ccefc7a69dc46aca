// How noisy a photo is and how far its JPEG blocks show, at full resolution: removing haze would bring out
// both.

import type { Image } from '../image.ts'

export interface Grain {
  /** Deviation of the noise in even parts, 0..255. */
  readonly noise255: number
  /** Mean excess of the steps between JPEG blocks over those within, 0..255. */
  readonly blocks255: number
  /** Distance of the levels: 1/255 for a photo of 8 bits, 0 for a finer one. */
  readonly levelStep: number
}

/** Steps above this belong to the picture. */
const edge255 = 8

const blockPx = 8

/** Collects grain from rows of a photo [3 rows width], whose first row is its row `top`. */
export class GrainMeter {
  readonly #deviations: number[] = []
  readonly #border = { sum: 0, count: 0 }
  readonly #inside = { sum: 0, count: 0 }
  #isCoarse = true

  add(top: number, rows: Image): void {
    // A few rows tell as much as all.
    for (let y = 1; y + 1 < rows.height; y += 5) {
      this.#addSteps(rows, y)
      if ((top + y) % 2 === 0) this.#addNoise(rows, y)
    }
  }

  /** Steps from pixel to pixel along a row of green, at borders of blocks and within. */
  #addSteps({ width, height, data }: Image, y: number): void {
    const row = data.subarray((height + y) * width, (height + y + 1) * width)
    for (let x = 1; x < width; x++) {
      const step = 255 * Math.abs(row[x]! - row[x - 1]!)
      if (Math.abs(Math.round(255 * row[x]!) - 255 * row[x]!) > 1e-3) this.#isCoarse = false
      if (step > edge255) continue
      const kind = x % blockPx === 0 ? this.#border : this.#inside
      kind.sum += step
      kind.count++
    }
  }

  /** Deviations of noise in short stretches of three rows (Immerkær, CVIU 1996). */
  #addNoise({ width, height, data }: Image, y: number): void {
    const at = (height + y) * width
    const second = (i: number) => data[i - 1]! - 2 * data[i]! + data[i + 1]!
    for (let left = 1; left + 16 < width; left += 16) {
      let sum = 0
      for (let i = at + left; i < at + left + 16; i++)
        sum += Math.abs(second(i - width) - 2 * second(i) + second(i + width))
      this.#deviations.push((255 * Math.sqrt(Math.PI / 2) * sum) / 16 / 6)
    }
  }

  finish(): Grain {
    const sorted = Float32Array.from(this.#deviations).sort()
    const mean = ({ sum, count }: { sum: number; count: number }) => (count === 0 ? 0 : sum / count)
    return {
      noise255: sorted[Math.floor(sorted.length / 4)] ?? 0,
      blocks255: Math.max(mean(this.#border) - mean(this.#inside), 0),
      levelStep: this.#isCoarse ? 1 / 255 : 0,
    }
  }
}

/** Least transmission that haze is undone at: noise and blocks are multiplied by its inverse. */
export function transmissionFloor({ noise255, blocks255 }: Omit<Grain, 'levelStep'>): number {
  return Math.min(0.22 + 0.03 * Math.max(noise255 - 1, 0) + 0.3 * Math.max(blocks255 - 0.1, 0), 0.5)
}
