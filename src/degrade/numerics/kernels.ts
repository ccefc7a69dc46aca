// Blur kernels: the Gaussians of blind super-resolution (DASR; Real-ESRGAN's generalized, plateau and sinc
// kernels, section 3.1), defocus, and camera motion along a line or a random trajectory. Functions are
// sampled at pixel centers.

import { RestoreError } from '../../core/errors.ts'
import { exp, power, sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'

/** Square kernel, row by row, with its origin at (size >> 1, size >> 1). */
export interface Kernel {
  readonly size: number
  /** [size size], with sum 1. */
  readonly weights: Float64Array
}

/** Covariance matrix [[xx xy] [xy yy]] in px². */
export interface Covariance {
  readonly xx: number
  readonly xy: number
  readonly yy: number
}

function checkSize(size: number): void {
  if (Number.isInteger(size) && size >= 1 && size <= 255) return
  throw new RestoreError('usage', `blur kernel: expected a size from 1 to 255 px, got ${size}`)
}

function checkPositive(what: string, value: number): void {
  if (value > 0 && Number.isFinite(value)) return
  throw new RestoreError('usage', `blur kernel: expected a ${what} above 0, got ${value}`)
}

/** Scales weights to sum 1. */
export function normalize(size: number, weights: Float64Array): Kernel {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return { size, weights: weights.map((weight) => weight / sum) }
}

/** Samples a function of the offset from the origin. */
function sampleKernel(size: number, weightAt: (x: number, y: number) => number): Kernel {
  checkSize(size)
  const center = size >> 1
  const weights = new Float64Array(size * size)
  for (let i = 0; i < weights.length; i++)
    weights[i] = weightAt((i % size) - center, Math.floor(i / size) - center)
  return normalize(size, weights)
}

/** R · diag(σ₁², σ₂²) · Rᵀ, where R rotates by `angle` radians. */
export function covarianceOf(sigma1: number, sigma2: number, angle: number): Covariance {
  checkPositive('sigma', sigma1)
  checkPositive('sigma', sigma2)
  const [sin, cos] = sinCos(angle)
  const a = sigma1 * sigma1
  const b = sigma2 * sigma2
  return { xx: cos * cos * a + sin * sin * b, xy: cos * sin * (a - b), yy: sin * sin * a + cos * cos * b }
}

/** Squared Mahalanobis distance from the origin. */
function squaredMahalanobis({ xx, xy, yy }: Covariance): (x: number, y: number) => number {
  const determinant = xx * yy - xy * xy
  return (x, y) => (yy * x * x - 2 * xy * x * y + xx * y * y) / determinant
}

/** exp(−½ (x² + y²) / σ²). */
export function isotropicGaussian(size: number, sigma: number): Kernel {
  checkPositive('sigma', sigma)
  const line = Float64Array.from({ length: size }, (_, i) =>
    exp((-0.5 * (i - (size >> 1)) ** 2) / sigma ** 2),
  )
  const at = (offset: number) => line[offset + (size >> 1)]!
  return sampleKernel(size, (x, y) => at(x) * at(y))
}

/** exp(−½ pᵀ C⁻¹ p). */
export function anisotropicGaussian(size: number, covariance: Covariance): Kernel {
  return generalizedGaussian(size, covariance, 1)
}

/** exp(−½ (pᵀ C⁻¹ p)^β): flatter than a Gaussian for β > 1, more peaked for β < 1. */
export function generalizedGaussian(size: number, covariance: Covariance, beta: number): Kernel {
  checkPositive('beta', beta)
  const distance = squaredMahalanobis(covariance)
  return sampleKernel(size, (x, y) => {
    const d = distance(x, y)
    return exp(-0.5 * (beta === 1 ? d : power(d, beta)))
  })
}

/** 1 / (1 + (pᵀ C⁻¹ p)^β). */
export function plateau(size: number, covariance: Covariance, beta: number): Kernel {
  checkPositive('beta', beta)
  const distance = squaredMahalanobis(covariance)
  return sampleKernel(size, (x, y) => 1 / (1 + power(distance(x, y), beta)))
}

/** Bessel function J₁ by its integral; equal steps converge to machine precision. */
function besselJ1(x: number): number {
  const steps = 32 + Math.ceil(Math.abs(x))
  let sum = 0
  for (let i = 0; i < steps; i++) {
    const angle = ((i + 0.5) * Math.PI) / steps
    sum += sinCos(angle - x * sinCos(angle)[0])[1]
  }
  return sum / steps
}

/** Ideal circular low-pass filter with a cutoff in radians per px, which causes ringing. */
export function sincFilter(size: number, cutoff: number): Kernel {
  checkPositive('cutoff', cutoff)
  const cache = new Map<number, number>()
  const at = (square: number) => {
    if (square === 0) return (cutoff * cutoff) / (4 * Math.PI)
    const radius = Math.sqrt(square)
    return (cutoff * besselJ1(cutoff * radius)) / (2 * Math.PI * radius)
  }
  return sampleKernel(size, (x, y) => {
    const square = x * x + y * y
    const value = cache.get(square) ?? at(square)
    cache.set(square, value)
    return value
  })
}

export function box(size: number): Kernel {
  return sampleKernel(size, () => 1)
}

/** Defocus: a disc of `radius` px, antialiased by pixel coverage. */
export function disc(radius: number): Kernel {
  checkPositive('radius', radius)
  const subsamples = 8
  return sampleKernel(2 * Math.ceil(radius) + 1, (x, y) => {
    let covered = 0
    for (let i = 0; i < subsamples * subsamples; i++) {
      const dx = x + ((i % subsamples) + 0.5) / subsamples - 0.5
      const dy = y + (Math.floor(i / subsamples) + 0.5) / subsamples - 0.5
      if (dx * dx + dy * dy <= radius * radius) covered++
    }
    // A disc smaller than the sample spacing covers the center pixel.
    return covered === 0 && x === 0 && y === 0 ? 1 : covered
  })
}

/** Accumulates points around the origin bilinearly into a kernel. */
function splatPoints(points: readonly (readonly [x: number, y: number])[]): Kernel {
  const maxOffset = points.reduce((most, [x, y]) => Math.max(most, Math.abs(x), Math.abs(y)), 0)
  const center = Math.floor(maxOffset) + 1
  const size = 2 * center + 1
  checkSize(size)
  const weights = new Float64Array(size * size)
  const add = (x: number, y: number, weight: number) => {
    weights[y * size + x] = weights[y * size + x]! + weight
  }
  for (const [px, py] of points) {
    const x = px + center
    const y = py + center
    const left = Math.floor(x)
    const top = Math.floor(y)
    const fx = x - left
    const fy = y - top
    add(left, top, (1 - fx) * (1 - fy))
    add(left + 1, top, fx * (1 - fy))
    add(left, top + 1, (1 - fx) * fy)
    add(left + 1, top + 1, fx * fy)
  }
  return normalize(size, weights)
}

/**
 * Linear motion: a line of `length` px through the origin, `angle` in radians clockwise from x (y points
 * down).
 */
export function lineMotion(length: number, angle: number): Kernel {
  checkPositive('length', length)
  const [sin, cos] = sinCos(angle)
  const count = 1 + 4 * Math.ceil(length)
  return splatPoints(
    Array.from({ length: count }, (_, i) => {
      const along = length * (i / (count - 1) - 0.5)
      return [along * cos, along * sin] as const
    }),
  )
}

/**
 * Camera shake: a random walk of the velocity with a pull to the center and occasional jerks (after Boracchi
 * and Foi, 2012). The path's larger side is `length` px; its centroid is at the origin.
 */
export function trajectoryMotion(length: number, random: Random): Kernel {
  checkPositive('length', length)
  const count = 400
  const pull = 0.0008
  const drift = 0.12
  const jerkChance = 0.008
  let x = 0
  let y = 0
  let [vy, vx] = sinCos(2 * Math.PI * random.uniform())
  const path = Array.from({ length: count }, (): [number, number] => {
    if (random.uniform() < jerkChance) {
      const [sin, cos] = sinCos(2 * Math.PI * random.uniform())
      vx = 1.6 * cos - 0.6 * vx
      vy = 1.6 * sin - 0.6 * vy
    }
    vx += drift * random.normal() - pull * x
    vy += drift * random.normal() - pull * y
    const speed = Math.sqrt(vx * vx + vy * vy)
    // Keeps the speed near 1, so exposure is spread almost evenly along the path.
    const pace = 1 / (0.5 + 0.5 * speed)
    vx *= pace
    vy *= pace
    x += vx
    y += vy
    return [x, y]
  })
  const mean = (axis: 0 | 1) => path.reduce((sum, point) => sum + point[axis], 0) / count
  const extent = (axis: 0 | 1) => {
    const values = path.map((point) => point[axis])
    return Math.max(...values) - Math.min(...values)
  }
  const mx = mean(0)
  const my = mean(1)
  const scale = length / Math.max(extent(0), extent(1), 1e-9)
  return splatPoints(path.map(([px, py]) => [(px - mx) * scale, (py - my) * scale] as const))
}
