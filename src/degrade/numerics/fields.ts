// Fields of one value per pixel, the building blocks of rain, haze, shadows and drops: smooth noise, blur,
// strokes, blending.

import type { Random } from '../../core/random.ts'
import type { Image } from '../../data/image.ts'

export interface Field {
  readonly width: number
  readonly height: number
  /** [h w]. */
  readonly values: Float32Array
}

export function emptyField(width: number, height: number): Field {
  return { width, height, values: new Float32Array(width * height) }
}

/** Smooth step from 0 at `low` to 1 at `high`, constant beyond; `high` may be less than `low`. */
export function smoothstep(low: number, high: number, value: number): number {
  const t = Math.min(Math.max((value - low) / (high - low), 0), 1)
  return t * t * (3 - 2 * t)
}

/** Draws uniformly from [low, high). */
export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.uniform()
}

/** Luminance of an image: Rec. 709 weights, applied to the encoded values. */
export function luminance({ width, height, channels, data }: Image): Field {
  const pixels = width * height
  if (channels !== 3) return { width, height, values: data.slice(0, pixels) }
  const values = new Float32Array(pixels)
  for (let i = 0; i < pixels; i++) {
    values[i] = 0.2126 * data[i]! + 0.7152 * data[pixels + i]! + 0.0722 * data[2 * pixels + i]!
  }
  return { width, height, values }
}

/**
 * Approximates a Gaussian blur of `sigma` px with three extended box filters (Gwosdek et al., SSVM 2011),
 * edges repeated; the cost does not depend on sigma.
 */
export function blurField({ width, height, values }: Field, sigma: number): Field {
  if (sigma <= 0) return { width, height, values: values.slice() }
  const across = blurRows(values, width, sigma)
  const down = blurRows(transpose(across, width), height, sigma)
  return { width, height, values: transpose(down, height) }
}

function transpose(values: Float32Array, width: number): Float32Array {
  const height = values.length / width
  const out = new Float32Array(values.length)
  // In 16 × 16 blocks that fit in the cache.
  for (let top = 0; top < height; top += 16) {
    const bottom = Math.min(top + 16, height)
    for (let left = 0; left < width; left += 16) {
      const right = Math.min(left + 16, width)
      for (let x = left; x < right; x++) {
        for (let y = top; y < bottom; y++) out[x * height + y] = values[y * width + x]!
      }
    }
  }
  return out
}

function blurRows(values: Float32Array, width: number, sigma: number): Float32Array {
  const variance = (sigma * sigma) / 3
  const radius = Math.floor(0.5 * Math.sqrt(12 * variance + 1) - 0.5)
  const padding = radius + 1
  const edgeWeight =
    ((2 * radius + 1) * (radius * padding - 3 * variance)) / (6 * (variance - padding * padding))
  const scale = 1 / (2 * radius + 1 + 2 * edgeWeight)
  const out = new Float32Array(values.length)
  // Rows are padded with repeated edges, so the running sums need no bounds checks.
  let from = new Float64Array(width + 2 * padding)
  let to = new Float64Array(width + 2 * padding)
  for (let row = 0; row < values.length; row += width) {
    for (let x = 0; x < width; x++) from[padding + x] = values[row + x]!
    for (let pass = 0; pass < 3; pass++) {
      from.fill(from[padding]!, 0, padding)
      from.fill(from[padding + width - 1]!, padding + width)
      let sum = 0
      for (let i = 1; i <= 2 * radius + 1; i++) sum += from[i]!
      for (let x = 0; x < width; x++) {
        to[padding + x] = (sum + edgeWeight * (from[x]! + from[x + 2 * padding]!)) * scale
        sum += from[x + 2 * padding]! - from[x + 1]!
      }
      ;[from, to] = [to, from]
    }
    for (let x = 0; x < width; x++) out[row + x] = from[padding + x]!
  }
  return out
}

/**
 * Smooth noise with mean 0 and standard deviation about 1: cubic B-splines over random grids of `cell` px;
 * each octave halves cell and amplitude.
 */
export function noiseField(
  width: number,
  height: number,
  cell: number,
  octaves: number,
  random: Random,
): Field {
  const field = emptyField(width, height)
  let power = 0
  for (let octave = 0; octave < octaves; octave++) power += 0.25 ** octave
  for (let octave = 0; octave < octaves; octave++) {
    // The spline reduces the deviation of independent values to 0.479.
    addNoise(field, Math.max(cell * 0.5 ** octave, 1), 0.5 ** octave / Math.sqrt(power) / 0.479, random)
  }
  return field
}

function addNoise({ width, height, values }: Field, cell: number, strength: number, random: Random): void {
  const columns = Math.ceil(width / cell) + 4
  const rows = Math.ceil(height / cell) + 4
  const grid = new Float32Array(rows * columns)
  random.fillNormal(grid)
  const offsetX = random.uniform()
  const offsetY = random.uniform()
  const across = splineWeights(width, cell, offsetX)
  const down = splineWeights(height, cell, offsetY)
  const line = new Float64Array(columns)
  for (let y = 0; y < height; y++) {
    line.fill(0)
    for (let tap = 0; tap < 4; tap++) {
      const weight = down.weights[4 * y + tap]!
      const from = (down.first[y]! + tap) * columns
      for (let i = 0; i < columns; i++) line[i] = line[i]! + weight * grid[from + i]!
    }
    for (let x = 0; x < width; x++) {
      const i = across.first[x]!
      const at = 4 * x
      const { weights } = across
      const sum =
        weights[at]! * line[i]! +
        weights[at + 1]! * line[i + 1]! +
        weights[at + 2]! * line[i + 2]! +
        weights[at + 3]! * line[i + 3]!
      values[y * width + x] = values[y * width + x]! + strength * sum
    }
  }
}

function splineWeights(length: number, cell: number, offset: number) {
  const first = new Int32Array(length)
  const weights = new Float64Array(4 * length)
  for (let x = 0; x < length; x++) {
    const at = x / cell + offset
    first[x] = Math.floor(at)
    const t = at - Math.floor(at)
    const rest = 1 - t
    weights.set(
      [
        (rest * rest * rest) / 6,
        (3 * t * t * t - 6 * t * t + 4) / 6,
        (3 * rest * rest * rest - 6 * rest * rest + 4) / 6,
        (t * t * t) / 6,
      ],
      4 * x,
    )
  }
  return { first, weights }
}

/**
 * A soft stroke: a segment of `length` px centered on (x, y) along the unit vector (dx, dy), fading to 0 at
 * `radius` px.
 */
export interface Stroke {
  readonly x: number
  readonly y: number
  readonly dx: number
  readonly dy: number
  readonly length: number
  readonly radius: number
  /** Opacity at the middle, 0..1. */
  readonly opacity: number
  /** Share of the opacity lost towards the ends, 0..1. */
  readonly taper: number
  /** Share of the radius at full opacity, 0..1: 0 for a soft glow, near 1 for a disc. */
  readonly core: number
}

/** Composites a stroke onto a field of opacities, in place. */
export function drawStroke({ width, height, values }: Field, stroke: Stroke): void {
  const { x, y, dx, dy, radius, opacity, taper, core } = stroke
  const half = stroke.length / 2
  const reachY = half * Math.abs(dy) + radius
  const reachX = half * Math.abs(dx) + radius
  const fade = 1 / (1 - core)
  // A steep stroke covers only a narrow band of each row.
  const band = Math.abs(dy) > 0.1 ? radius / Math.abs(dy) : Number.POSITIVE_INFINITY
  for (let row = Math.max(Math.ceil(y - reachY), 0); row <= Math.min(y + reachY, height - 1); row++) {
    const middle = band < reachX ? x + ((row - y) * dx) / dy : x
    const left = Math.max(Math.ceil(Math.max(middle - band, x - reachX)), 0)
    const right = Math.min(middle + band, x + reachX, width - 1)
    for (let column = left; column <= right; column++) {
      const along = (column - x) * dx + (row - y) * dy
      const across = (column - x) * dy - (row - y) * dx
      const excess = Math.max(Math.abs(along) - half, 0)
      const distance = Math.sqrt(across * across + excess * excess) / radius
      if (distance >= 1) continue
      const t = Math.min((1 - distance) * fade, 1)
      const end = half > 0 ? Math.min(Math.abs(along) / half, 1) : 0
      const alpha = opacity * t * t * (3 - 2 * t) * (1 - taper * end * end)
      const at = row * width + column
      values[at] = values[at]! + (1 - values[at]!) * alpha
    }
  }
}

/** Blends each pixel towards a color by its opacity. */
export function blendTowards(image: Image, opacity: Field, color: readonly number[]): Image {
  const pixels = image.width * image.height
  const data = image.data.slice()
  const { values } = opacity
  for (let c = 0; c < image.channels; c++) {
    const target = color[c] ?? color[0] ?? 1
    const plane = data.subarray(c * pixels, (c + 1) * pixels)
    for (let i = 0; i < pixels; i++) plane[i] = plane[i]! + values[i]! * (target - plane[i]!)
  }
  return { ...image, data }
}

/**
 * Estimates the airlight color: the brightest 1% of pixels, desaturated, and brightened to a gray level of at
 * least `minimumGray`.
 */
export function airlight(image: Image, minimumGray: number): readonly number[] {
  const bright = luminance(image).values
  const pixels = bright.length
  const threshold = quantile(bright, 0.99)
  const sums = new Float64Array(image.channels)
  let count = 0
  for (let i = 0; i < pixels; i++) {
    if (bright[i]! < threshold) continue
    count++
    for (let c = 0; c < image.channels; c++) sums[c] = sums[c]! + image.data[c * pixels + i]!
  }
  const means = Array.from(sums, (sum) => Math.min(sum / count, 1))
  const gray = means.reduce((sum, mean) => sum + mean, 0) / means.length
  const lift = Math.max(minimumGray / Math.max(gray, 1e-3), 1)
  return means.map((mean) => Math.min((gray + 0.4 * (mean - gray)) * lift, 1))
}

/** Quantile of values in [0, 1], to a precision of 1/1024. */
function quantile(values: Float32Array, share: number): number {
  const counts = new Uint32Array(1025)
  for (const value of values) {
    const bin = Math.floor(Math.min(Math.max(value, 0), 1) * 1024)
    counts[bin] = counts[bin]! + 1
  }
  let cumulative = 0
  for (let bin = 0; bin < counts.length; bin++) {
    cumulative += counts[bin]!
    if (cumulative > share * values.length) return bin / 1024
  }
  return 1
}
