// Structural similarity (Wang et al. 2004) with the windows and borders that papers use.

import { RestoreError } from '../core/errors.ts'
import type { Levels } from './levels.ts'

/** A symmetric window as the product of the same weights down and across; `covarianceScale` makes sample covariances of means. */
export interface Window {
  readonly taps: Float64Array
  readonly covarianceScale: number
}

export interface SsimOptions {
  readonly window: Window
  /** 'valid': only where the whole window lies inside the image; 'replicate': everywhere, edges repeated outwards. */
  readonly border: 'valid' | 'replicate'
  /** Lets the window reach across the channels too, edges repeated: MATLAB's ssim of an h×w×3 array. */
  readonly isVolume?: boolean
}

/** 11 taps, deviation 1.5, population covariance. */
export const gaussianWindow: Window = { taps: gaussianTaps(11, 1.5), covarianceScale: 1 }
/** 7 equal taps, sample covariance: scikit-image's default. */
export const uniformWindow: Window = { taps: new Float64Array(7).fill(1 / 7), covarianceScale: 49 / 48 }

const c1 = (0.01 * 255) ** 2
const c2 = (0.03 * 255) ** 2

/** Weights of a Gaussian, centred, with sum 1. */
export function gaussianTaps(count: number, deviation: number): Float64Array {
  const taps = Float64Array.from({ length: count }, (_, i) =>
    Math.exp(-((i - (count - 1) / 2) ** 2) / (2 * deviation ** 2)),
  )
  const sum = taps.reduce((total, tap) => total + tap, 0)
  return taps.map((tap) => tap / sum)
}

/** What SSIM needs of two images at one line: windowed means of x, y, x² + y² and xy. */
type Moments = readonly [Float64Array, Float64Array, Float64Array, Float64Array]

/** Mean SSIM over every place and channel of two images of one size; levels 0..255. */
export function ssim(x: Levels, y: Levels, { window, border, isVolume = false }: SsimOptions): number {
  const radius = window.taps.length >> 1
  const pad = border === 'replicate' ? radius : 0
  const [width, height] = [x.width + 2 * pad, x.height + 2 * pad]
  const [columns, rows] = [width - 2 * radius, height - 2 * radius]
  if (columns < 1 || rows < 1) {
    const size = window.taps.length
    throw new RestoreError(
      'shape',
      `ssim: expected at least ${size}×${size} pixels for its window, got ${x.height}×${x.width}`,
    )
  }
  const padded = (levels: Levels) => levels.planes.map((plane) => replicate(plane, levels, pad))
  const ys = padded(y)
  const sources = padded(x).map((plane, c) => sourcesOf(plane, ys[c]!))
  const lines = (length: number): Moments => [
    new Float64Array(length),
    new Float64Array(length),
    new Float64Array(length),
    new Float64Array(length),
  ]
  const down = lines(width)
  const moments = sources.map(() => lines(columns))
  const mixed = isVolume && sources.length > 1 ? mixer(moments, window.taps) : () => moments
  let total = 0
  for (let row = 0; row < rows; row++) {
    sources.forEach((maps, c) => {
      for (let m = 0; m < 4; m++) {
        correlate(maps[m]!, row * width, width, window.taps, down[m]!)
        correlate(down[m]!, 0, 1, window.taps, moments[c]![m]!)
      }
    })
    for (const line of mixed()) total += sumOfLine(line, window.covarianceScale)
  }
  return total / (sources.length * columns * rows)
}

/** x, y, x² + y² (SSIM needs the variances' sum alone) and xy. */
function sourcesOf(x: Float64Array, y: Float64Array): Moments {
  const [squares, products] = [new Float64Array(x.length), new Float64Array(x.length)]
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i]!, y[i]!]
    squares[i] = a * a + b * b
    products[i] = a * b
  }
  return [x, y, squares, products]
}

/** out[i] = Σ taps[t] · source[start + i + t·step], the taps symmetric. */
function correlate(
  source: Float64Array,
  start: number,
  step: number,
  taps: Float64Array,
  out: Float64Array,
): void {
  const radius = taps.length >> 1
  if (radius === 5) {
    correlate11(source, start, step, taps, out)
    return
  }
  const middle = start + radius * step
  for (let i = 0; i < out.length; i++) out[i] = taps[radius]! * source[middle + i]!
  for (let t = 1; t <= radius; t++) {
    const tap = taps[radius + t]!
    const [before, after] = [middle - t * step, middle + t * step]
    for (let i = 0; i < out.length; i++) out[i]! += tap * (source[before + i]! + source[after + i]!)
  }
}

/** The same for 11 taps in one pass, which takes a third of the time. */
function correlate11(
  source: Float64Array,
  start: number,
  step: number,
  taps: Float64Array,
  out: Float64Array,
): void {
  const [t5, t4, t3, t2, t1, t0] = [taps[0]!, taps[1]!, taps[2]!, taps[3]!, taps[4]!, taps[5]!]
  const count = out.length
  const [s2, s3, s4, s5] = [2 * step, 3 * step, 4 * step, 5 * step]
  for (let i = 0, at = start + s5; i < count; i++, at++) {
    out[i] =
      t0 * source[at]! +
      t1 * (source[at - step]! + source[at + step]!) +
      t2 * (source[at - s2]! + source[at + s2]!) +
      t3 * (source[at - s3]! + source[at + s3]!) +
      t4 * (source[at - s4]! + source[at + s4]!) +
      t5 * (source[at - s5]! + source[at + s5]!)
  }
}

function sumOfLine([meanX, meanY, squares, products]: Moments, covarianceScale: number): number {
  let total = 0
  for (let i = 0; i < meanX.length; i++) {
    const product = meanX[i]! * meanY[i]!
    const square = meanX[i]! * meanX[i]! + meanY[i]! * meanY[i]!
    const covariance = covarianceScale * (products[i]! - product)
    const variances = covarianceScale * (squares[i]! - square)
    total += ((2 * product + c1) * (2 * covariance + c2)) / ((square + c1) * (variances + c2))
  }
  return total
}

/** Filters across the channels: with edges repeated outwards, each result is a fixed mix of all channels. */
function mixer(moments: readonly Moments[], taps: Float64Array): () => readonly Moments[] {
  const [channels, radius] = [moments.length, taps.length >> 1]
  const weights = moments.map((_, to) => {
    const row = new Float64Array(channels)
    taps.forEach((tap, t) => {
      row[Math.min(Math.max(to + t - radius, 0), channels - 1)]! += tap
    })
    return row
  })
  const mixed = moments.map((maps): Moments => {
    const [a, b, c, d] = maps
    return [a.slice(), b.slice(), c.slice(), d.slice()]
  })
  return () => {
    mixed.forEach((maps, to) => {
      maps.forEach((line, m) => {
        line.fill(0)
        for (let from = 0; from < channels; from++) {
          const [weight, source] = [weights[to]![from]!, moments[from]![m]!]
          for (let i = 0; i < line.length; i++) line[i]! += weight * source[i]!
        }
      })
    })
    return mixed
  }
}

/** A plane with `pad` more pixels on every side, edges repeated outwards. */
function replicate(
  plane: Float64Array,
  { width, height }: { readonly width: number; readonly height: number },
  pad: number,
): Float64Array {
  if (pad === 0) return plane
  const wide = width + 2 * pad
  const padded = new Float64Array(wide * (height + 2 * pad))
  for (let y = 0; y < height + 2 * pad; y++) {
    const from = Math.min(Math.max(y - pad, 0), height - 1) * width
    const to = y * wide
    padded.fill(plane[from]!, to, to + pad)
    padded.set(plane.subarray(from, from + width), to + pad)
    padded.fill(plane[from + width - 1]!, to + pad + width, to + wide)
  }
  return padded
}
