// Structural similarity (Wang et al. 2004) with the windows and borders used in papers.

import { RestoreError } from '../core/errors.ts'
import { roundUp } from '../core/functional.ts'
import type { Levels } from './levels.ts'

/** A separable symmetric window; `covarianceScale` turns population covariances into sample covariances. */
export interface Window {
  readonly taps: Float64Array
  readonly covarianceScale: number
}

export interface SsimOptions {
  readonly window: Window
  /**
   * 'valid' evaluates only where the window fits inside the image; 'replicate' everywhere, with edges
   * repeated.
   */
  readonly border: 'valid' | 'replicate'
  /** Whether the window also spans the channels, edges repeated, like MATLAB's ssim of an h×w×3 array. */
  readonly isVolume?: boolean
}

/** 11 taps, sigma 1.5, population covariance. */
export const gaussianWindow: Window = { taps: gaussianTaps(11, 1.5), covarianceScale: 1 }
/** 7 equal taps, sample covariance: scikit-image's default. */
export const uniformWindow: Window = { taps: new Float64Array(7).fill(1 / 7), covarianceScale: 49 / 48 }

const c1 = (0.01 * 255) ** 2
const c2 = (0.03 * 255) ** 2

/** Computes centered Gaussian weights with sum 1. */
export function gaussianTaps(count: number, deviation: number): Float64Array {
  const taps = Float64Array.from({ length: count }, (_, i) =>
    Math.exp(-((i - (count - 1) / 2) ** 2) / (2 * deviation ** 2)),
  )
  const sum = taps.reduce((total, tap) => total + tap, 0)
  return taps.map((tap) => tap / sum)
}

/** Windowed means of x, y, x² + y² and xy; SSIM needs only the sum of the variances. */
type Moments = readonly [Float64Array, Float64Array, Float64Array, Float64Array]

/** Number of neighboring results computed together, since they share most of their inputs. */
const groupSize = 4

/** Computes the mean SSIM over positions and channels of two images of equal size; levels 0..255. */
export function ssim(x: Levels, y: Levels, { window, border, isVolume = false }: SsimOptions): number {
  const { taps, covarianceScale } = window
  const radius = taps.length >> 1
  const pad = border === 'replicate' ? radius : 0
  const width = x.width + 2 * pad
  const height = x.height + 2 * pad
  const columns = width - 2 * radius
  const rows = height - 2 * radius
  if (columns < 1 || rows < 1) {
    throw new RestoreError(
      'shape',
      `ssim: expected at least ${taps.length}×${taps.length} pixels for its window, got ${x.height}×${x.width}; omit SSIM`,
    )
  }
  const padded = (levels: Levels) => levels.planes.map((plane) => replicate(plane, levels, pad))
  const ys = padded(y)
  const bands = padded(x).map((plane, c) => new Band(plane, ys[c]!, width, taps))
  const moments = bands.map((band) => band.moments)
  const mixed = isVolume && bands.length > 1 ? channelMixer(moments, taps) : () => moments
  const stride = roundUp(columns, groupSize)
  let total = 0
  for (let row = 0; row < rows; row += groupSize) {
    for (const band of bands) band.moveTo(row)
    const lines = Math.min(groupSize, rows - row)
    for (const maps of mixed()) {
      for (let line = 0; line < lines; line++)
        total += sumOfLine(maps, line * stride, columns, covarianceScale)
    }
  }
  return total / (bands.length * columns * rows)
}

/**
 * Computes the moments of `groupSize` lines of one channel at a time, keeping only the input lines they need.
 */
class Band {
  /** [groupSize columns], with columns rounded up to whole groups. */
  readonly moments: Moments
  readonly #sources: Moments
  readonly #x: Float64Array
  readonly #y: Float64Array
  readonly #keptRows: number
  readonly #width: number
  readonly #passes: readonly Pass[]
  readonly #taps: Float64Array

  constructor(x: Float64Array, y: Float64Array, width: number, taps: Float64Array) {
    this.#x = x
    this.#y = y
    this.#taps = taps
    this.#width = width
    this.#keptRows = taps.length - 1
    const stride = roundUp(width - this.#keptRows, groupSize)
    const wide = stride + this.#keptRows
    this.#sources = fourMaps((this.#keptRows + groupSize) * width)
    const down = fourMaps(groupSize * wide)
    this.moments = fourMaps(groupSize * stride)
    this.#passes = [0, 1, 2, 3].flatMap((m): Pass[] => [
      {
        source: this.#sources[m]!,
        from: 0,
        step: width,
        groupStride: 1,
        out: down[m]!,
        to: 0,
        outStep: wide,
        outGroupStride: 1,
        count: width,
      },
      ...Array.from({ length: groupSize }, (_, line) => ({
        source: down[m]!,
        from: line * wide,
        step: 1,
        groupStride: groupSize,
        out: this.moments[m]!,
        to: line * stride,
        outStep: 1,
        outGroupStride: groupSize,
        count: stride / groupSize,
      })),
    ])
  }

  /** Computes the moments of the lines starting at `row`; must be called for every group in order. */
  moveTo(row: number): void {
    const kept = row === 0 ? 0 : this.#keptRows * this.#width
    const [xs, ys, squares, products] = this.#sources
    for (const map of this.#sources) map.copyWithin(0, map.length - kept)
    const offset = row * this.#width
    const end = Math.min(xs.length, this.#x.length - offset)
    for (let i = kept; i < end; i++) {
      const a = this.#x[offset + i]!
      const b = this.#y[offset + i]!
      xs[i] = a
      ys[i] = b
      squares[i] = a * a + b * b
      products[i] = a * b
    }
    const correlate = this.#taps.length === 11 ? correlate11 : correlateAny
    for (const pass of this.#passes) correlate(pass, this.#taps)
  }
}

function fourMaps(length: number): Moments {
  return [
    new Float64Array(length),
    new Float64Array(length),
    new Float64Array(length),
    new Float64Array(length),
  ]
}

/**
 * Layout of a 1-D filter pass with `count` × `groupSize` results: start, stride between neighbors, and stride
 * between groups, for input and output.
 */
interface Pass {
  readonly source: Float64Array
  readonly from: number
  readonly step: number
  readonly groupStride: number
  readonly out: Float64Array
  readonly to: number
  readonly outStep: number
  readonly outGroupStride: number
  readonly count: number
}

/** out = Σ taps[t] · source[t·step …], for symmetric taps. */
function correlateAny(pass: Pass, taps: Float64Array): void {
  const { source, step, groupStride, out, outStep, outGroupStride, count } = pass
  const radius = taps.length >> 1
  for (let g = 0; g < groupSize; g++) {
    const middle = pass.from + (radius + g) * step
    const to = pass.to + g * outStep
    for (let i = 0; i < count; i++) {
      const at = middle + i * groupStride
      let sum = taps[radius]! * source[at]!
      for (let t = 1; t <= radius; t++)
        sum += taps[radius + t]! * (source[at - t * step]! + source[at + t * step]!)
      out[to + i * outGroupStride] = sum
    }
  }
}

/**
 * Like {@link correlateAny}, unrolled for 11 taps; loading each value once for four results halves the time.
 */
function correlate11(pass: Pass, taps: Float64Array): void {
  const { source, step, groupStride, out, outStep, outGroupStride, count } = pass
  const t5 = taps[0]!
  const t4 = taps[1]!
  const t3 = taps[2]!
  const t2 = taps[3]!
  const t1 = taps[4]!
  const t0 = taps[5]!
  let from = pass.from
  let to = pass.to
  for (let i = 0; i < count; i++) {
    const v0 = source[from]!
    const v1 = source[from + step]!
    const v2 = source[from + 2 * step]!
    const v3 = source[from + 3 * step]!
    const v4 = source[from + 4 * step]!
    const v5 = source[from + 5 * step]!
    const v6 = source[from + 6 * step]!
    const v7 = source[from + 7 * step]!
    const v8 = source[from + 8 * step]!
    const v9 = source[from + 9 * step]!
    const v10 = source[from + 10 * step]!
    const v11 = source[from + 11 * step]!
    const v12 = source[from + 12 * step]!
    const v13 = source[from + 13 * step]!
    out[to] = t0 * v5 + t1 * (v4 + v6) + t2 * (v3 + v7) + t3 * (v2 + v8) + t4 * (v1 + v9) + t5 * (v0 + v10)
    out[to + outStep] =
      t0 * v6 + t1 * (v5 + v7) + t2 * (v4 + v8) + t3 * (v3 + v9) + t4 * (v2 + v10) + t5 * (v1 + v11)
    out[to + 2 * outStep] =
      t0 * v7 + t1 * (v6 + v8) + t2 * (v5 + v9) + t3 * (v4 + v10) + t4 * (v3 + v11) + t5 * (v2 + v12)
    out[to + 3 * outStep] =
      t0 * v8 + t1 * (v7 + v9) + t2 * (v6 + v10) + t3 * (v5 + v11) + t4 * (v4 + v12) + t5 * (v3 + v13)
    from += groupStride
    to += outGroupStride
  }
}

function sumOfLine(maps: Moments, from: number, count: number, covarianceScale: number): number {
  const [meanX, meanY, squares, products] = maps
  let total = 0
  for (let i = from; i < from + count; i++) {
    const product = meanX[i]! * meanY[i]!
    const square = meanX[i]! * meanX[i]! + meanY[i]! * meanY[i]!
    const covariance = covarianceScale * (products[i]! - product)
    const variances = covarianceScale * (squares[i]! - square)
    total += ((2 * product + c1) * (2 * covariance + c2)) / ((square + c1) * (variances + c2))
  }
  return total
}

/**
 * Filters across channels; with edges repeated, each result is a fixed linear combination of all channels.
 */
function channelMixer(moments: readonly Moments[], taps: Float64Array): () => readonly Moments[] {
  const channels = moments.length
  const radius = taps.length >> 1
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
          const weight = weights[to]![from]!
          const source = moments[from]![m]!
          for (let i = 0; i < line.length; i++) line[i]! += weight * source[i]!
        }
      })
    })
    return mixed
  }
}

/** Pads a plane by `pad` pixels on every side, repeating edges. */
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
