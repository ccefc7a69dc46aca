// NIQE, the natural image quality evaluator (Mittal et al. 2013), as in BasicSR: the distance of an image's
// statistics from those of pristine photographs. Needs no reference; lower is better.

import { RestoreError } from '../core/errors.ts'
import type { Levels } from './levels.ts'
import { pristineModel } from './niqeParameters.ts'
import { gamma, logGamma } from './numerics/gamma.ts'
import { eigenOfSymmetric } from './numerics/symmetric.ts'
import { gaussianTaps } from './ssim.ts'

const blockPx = 96
const scales = [1, 2] as const
const featuresPerScale = 18
const features = featuresPerScale * scales.length

interface Plane {
  readonly width: number
  readonly height: number
  readonly values: Float64Array
}

/** Computes NIQE of one plane of levels 0..255, ignoring pixels beyond whole 96×96 blocks. */
export function niqe(levels: Levels): number {
  const rows = niqeFeatures(levels)
  const mean = meanOf(rows)
  const complete = rows.filter((row) => !row.some(Number.isNaN))
  if (complete.length < 2) {
    throw new RestoreError(
      'numeric',
      `niqe: expected at least 2 blocks of ${blockPx}×${blockPx} pixels with texture, got ${complete.length} in ${levels.height}×${levels.width} pixels; omit NIQE`,
    )
  }
  const pristine = pristineModel()
  const covariance = covarianceOf(complete)
  const pooled = covariance.map((value, i) => (value + pristine.covariance[i]!) / 2)
  const { values, vectors } = eigenOfSymmetric(pooled, features, { vectors: true })
  // dᵀ M⁺ d with the pseudo-inverse, which ignores directions without variance.
  const cutOff = 1e-15 * values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  let distance = 0
  values.forEach((value, i) => {
    if (Math.abs(value) <= cutOff) return
    let along = 0
    for (let j = 0; j < features; j++) along += vectors[i * features + j]! * (pristine.mean[j]! - mean[j]!)
    distance += (along * along) / value
  })
  return Math.sqrt(distance)
}

/** Computes 36 features per block, in column-major block order; NaN where a block is flat. */
export function niqeFeatures({ width, height, planes }: Levels): readonly Float64Array[] {
  const across = Math.floor(width / blockPx)
  const down = Math.floor(height / blockPx)
  if (across * down < 2) {
    throw new RestoreError(
      'shape',
      `niqe: expected an image of at least 2 blocks of ${blockPx}×${blockPx} pixels, got ${height}×${width} pixels`,
    )
  }
  let plane = cropTo(planes[0]!, width, across * blockPx, down * blockPx)
  const rows = Array.from({ length: across * down }, () => new Float64Array(features))
  scales.forEach((scale, s) => {
    if (scale > 1) plane = halve(plane)
    const normalized = normalizeContrast(plane)
    const side = blockPx / scale
    const block = new Float64Array(side * side)
    const scratch = new Float64Array(side * side)
    rows.forEach((row, index) => {
      const left = Math.floor(index / down) * side
      const top = (index % down) * side
      for (let y = 0; y < side; y++) {
        const from = (top + y) * plane.width + left
        block.set(normalized.subarray(from, from + side), y * side)
      }
      row.set(blockFeatures(block, side, scratch), s * featuresPerScale)
    })
  })
  return rows
}

function cropTo(values: Float64Array, stride: number, width: number, height: number): Plane {
  const kept = new Float64Array(width * height)
  for (let y = 0; y < height; y++) kept.set(values.subarray(y * stride, y * stride + width), y * width)
  return { width, height, values: kept }
}

/** Halves a plane with even sides by averaging 2×2 pixels (bilinear, corners not aligned). */
export function halve({ width, height, values }: Plane): Plane {
  const half = new Float64Array((width / 2) * (height / 2))
  for (let y = 0, at = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2, at++) {
      const i = y * width + x
      half[at] = (values[i]! + values[i + 1]! + values[i + width]! + values[i + width + 1]!) / 4
    }
  }
  return { width: width / 2, height: height / 2, values: half }
}

/** (x − μ) / (σ + 1), with local mean and deviation under a 7×7 Gaussian of 7/6 px, edges repeated. */
function normalizeContrast(plane: Plane): Float64Array {
  const { values } = plane
  const mean = blur(plane)
  const squares = blur({ ...plane, values: values.map((value) => value * value) })
  return values.map((value, i) => (value - mean[i]!) / (Math.sqrt(Math.abs(squares[i]! - mean[i]! ** 2)) + 1))
}

const taps = gaussianTaps(7, 7 / 6)

function blur({ width, height, values }: Plane): Float64Array {
  const radius = taps.length >> 1
  const clampIndex = (index: number, size: number) => Math.min(Math.max(index, 0), size - 1)
  const line = new Float64Array(width)
  const blurred = new Float64Array(values.length)
  for (let y = 0; y < height; y++) {
    line.fill(0)
    taps.forEach((tap, t) => {
      const from = clampIndex(y + t - radius, height) * width
      for (let x = 0; x < width; x++) line[x]! += tap * values[from + x]!
    })
    for (let x = 0; x < width; x++) {
      let sum = 0
      for (let t = -radius; t <= radius; t++) sum += taps[t + radius]! * line[clampIndex(x + t, width)]!
      blurred[y * width + x] = sum
    }
  }
  return blurred
}

/** Offsets [down, across] of the neighbors to multiply: left, above, above left, above right. */
const shifts = [
  [0, 1],
  [1, 0],
  [1, 1],
  [1, -1],
] as const

function blockFeatures(block: Float64Array, side: number, scratch: Float64Array): number[] {
  const whole = fitAsymmetric(block)
  const featureValues = [whole.alpha, (whole.left + whole.right) / 2]
  for (const [down, across] of shifts) {
    for (let y = 0; y < side; y++) {
      const from = ((y - down + side) % side) * side
      for (let x = 0; x < side; x++) {
        scratch[y * side + x] = block[y * side + x]! * block[from + ((x - across + side) % side)]!
      }
    }
    const { alpha, left, right } = fitAsymmetric(scratch)
    const mean = (right - left) * (gamma(2 / alpha) / gamma(1 / alpha))
    featureValues.push(alpha, mean, left, right)
  }
  return featureValues
}

/** Step of the candidate shapes α, with r(α) = Γ(2/α)² / (Γ(1/α)·Γ(3/α)), which grows with α. */
const shapeStep = 0.001
let shapeRatios: Float64Array | undefined

function ratiosOfShapes(): Float64Array {
  shapeRatios ??= Float64Array.from({ length: 9801 }, (_, i) => {
    const inverse = 1 / (0.2 + i * shapeStep)
    return Math.exp(2 * logGamma(2 * inverse) - logGamma(inverse) - logGamma(3 * inverse))
  })
  return shapeRatios
}

interface Fit {
  readonly alpha: number
  readonly left: number
  readonly right: number
}

/** Fits an asymmetric generalized Gaussian by moments (Lasmar et al. 2009); NaN if a side has no values. */
function fitAsymmetric(values: Float64Array): Fit {
  let leftSquares = 0
  let leftCount = 0
  let rightSquares = 0
  let rightCount = 0
  let absolute = 0
  for (const value of values) {
    absolute += Math.abs(value)
    if (value < 0) {
      leftSquares += value * value
      leftCount++
    } else if (value > 0) {
      rightSquares += value * value
      rightCount++
    }
  }
  const left = Math.sqrt(leftSquares / leftCount)
  const right = Math.sqrt(rightSquares / rightCount)
  const skew = left / right
  const ratio = (absolute / values.length) ** 2 / ((leftSquares + rightSquares) / values.length)
  const target = (ratio * (skew ** 3 + 1) * (skew + 1)) / (skew ** 2 + 1) ** 2
  const alpha = 0.2 + nearestRatio(target) * shapeStep
  const spread = Math.exp((logGamma(1 / alpha) - logGamma(3 / alpha)) / 2)
  return { alpha, left: left * spread, right: right * spread }
}

/** Index of the ratio nearest to a value; 0 for NaN, like NumPy's argmin. */
function nearestRatio(value: number): number {
  const ratios = ratiosOfShapes()
  let low = 0
  let high = ratios.length - 1
  if (Number.isNaN(value)) return 0
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (ratios[middle]! < value) low = middle
    else high = middle
  }
  return Math.abs(ratios[high]! - value) < Math.abs(ratios[low]! - value) ? high : low
}

/** Mean of each feature over the blocks where it is not NaN. */
function meanOf(rows: readonly Float64Array[]): Float64Array {
  return Float64Array.from({ length: features }, (_, i) => {
    const present = rows.map((row) => row[i]!).filter((value) => !Number.isNaN(value))
    return present.reduce((total, value) => total + value, 0) / present.length
  })
}

/** Sample covariance [36 36]. */
function covarianceOf(rows: readonly Float64Array[]): Float64Array {
  const mean = meanOf(rows)
  const covariance = new Float64Array(features * features)
  for (const row of rows) {
    for (let i = 0; i < features; i++) {
      for (let j = 0; j < features; j++) {
        covariance[i * features + j]! += ((row[i]! - mean[i]!) * (row[j]! - mean[j]!)) / (rows.length - 1)
      }
    }
  }
  return covariance
}
