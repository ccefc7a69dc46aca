// FID: the Fréchet distance between Gaussians fitted to the Inception features of two image sets (Heusel et
// al. 2017), with pytorch-fid's resizing: bilinear without antialiasing to 299×299.

import { viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import { type Image, pixelsToPlanes, quantize } from '../data/image.ts'
import { signed } from './lpips.ts'
import { eigenOfSymmetric } from './numerics/symmetric.ts'

const sidePx = 299

/** Computes the features [2048] of an image rounded to 8 bits. */
export async function inceptionFeatures(session: Session, image: Image): Promise<Float32Array> {
  const { features } = await session.run({
    image: signed(resizeBilinear(roundTo8Bits(image), sidePx, sidePx)),
  })
  if (features) return viewAs(features.bytes, Float32Array).slice()
  throw new RestoreError(
    'numeric',
    'fid: expected the network to output features, got none; check its weights',
  )
}

function roundTo8Bits(image: Image): Image {
  const data = quantize(image, 255, new Uint8Array(image.data.length))
  return pixelsToPlanes({ ...image, hasAlpha: false, data }).image
}

/** Resizes like torch's interpolate: bilinear, corners not aligned, no antialiasing. */
export function resizeBilinear(image: Image, height: number, width: number): Image {
  const rows = bilinearTaps(image.height, height)
  const columns = bilinearTaps(image.width, width)
  const data = new Float32Array(image.channels * height * width)
  for (let c = 0, at = 0; c < image.channels; c++) {
    const plane = image.data.subarray(c * image.width * image.height)
    for (const [top, bottom, down] of rows) {
      const above = top * image.width
      const below = bottom * image.width
      for (const [left, right, across] of columns) {
        const high = plane[above + left]! * (1 - across) + plane[above + right]! * across
        const low = plane[below + left]! * (1 - across) + plane[below + right]! * across
        data[at++] = high * (1 - down) + low * down
      }
    }
  }
  return { width, height, channels: image.channels, data }
}

function bilinearTaps(
  from: number,
  to: number,
): (readonly [first: number, second: number, weight: number])[] {
  // Positions in float32, as in torch.
  const scale = Math.fround(from / to)
  return Array.from({ length: to }, (_, i) => {
    const position = Math.max(Math.fround(Math.fround(scale * (i + 0.5)) - 0.5), 0)
    const first = Math.min(Math.floor(position), from - 1)
    return [first, Math.min(first + 1, from - 1), position - first] as const
  })
}

/**
 * |μa − μb|² + tr(Σa + Σb − 2(ΣaΣb)^½) of feature vectors, with sample covariances. For centered features X
 * [n d] and Y [m d], tr(ΣaΣb)^½ is the sum of the singular values of XYᵀ/√((n−1)(m−1)). Their squares are the
 * eigenvalues of a symmetric matrix no larger than the smaller set, so no square root of a non-symmetric
 * product is needed.
 */
export function frechetDistance(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  if (Math.min(a.length, b.length) < 2) {
    throw new RestoreError('input', `fid: expected sets of 2 or more images, got ${a.length} and ${b.length}`)
  }
  const setA = center(a)
  const setB = center(b)
  const meanShift = setA.mean.reduce((total, value, i) => total + (value - setB.mean[i]!) ** 2, 0)
  const [x, y] = setA.rows.length <= setB.rows.length ? [setA, setB] : [setB, setA]
  const size = x.mean.length
  const root = x.rows.length <= size ? nuclearNorm(x.rows, y.rows) : rootTrace(x.rows, y.rows, size)
  // Rounding may take equal sets below 0.
  return Math.max(0, meanShift + setA.variance + setB.variance - 2 * root)
}

interface CenteredFeatures {
  readonly mean: Float64Array
  /** Features minus their mean, divided by √(n − 1), so that their products are covariances. */
  readonly rows: readonly Float64Array[]
  /** Trace of the covariance. */
  readonly variance: number
}

function center(features: readonly Float32Array[]): CenteredFeatures {
  const mean = new Float64Array(features[0]!.length)
  for (const row of features) for (let i = 0; i < mean.length; i++) mean[i]! += row[i]! / features.length
  const scale = 1 / Math.sqrt(features.length - 1)
  const rows = features.map((row) => Float64Array.from(row, (value, i) => (value - mean[i]!) * scale))
  return { mean, rows, variance: rows.reduce((total, row) => total + dot(row, row), 0) }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Sum of the singular values of XYᵀ, from the eigenvalues of (XYᵀ)(XYᵀ)ᵀ. */
function nuclearNorm(x: readonly Float64Array[], y: readonly Float64Array[]): number {
  const products = x.map((row) => Float64Array.from(y, (other) => dot(row, other)))
  return sumOfRoots(gram(products), x.length)
}

/**
 * Like {@link nuclearNorm} but with covariances [d d], for sets with more images than features: tr(√Σx Σy
 * √Σx)^½.
 */
function rootTrace(x: readonly Float64Array[], y: readonly Float64Array[], size: number): number {
  const { values, vectors } = eigenOfSymmetric(gram(columnsOf(x, size)), size, { vectors: true })
  const other = gram(columnsOf(y, size))
  // Rows √λ·v form a root of Σx; their products through Σy have the eigenvalues of ΣxΣy.
  const roots = Array.from({ length: size }, (_, i) => {
    const scale = Math.sqrt(Math.max(values[i]!, 0))
    return vectors.subarray(i * size, (i + 1) * size).map((value) => value * scale)
  })
  const through = roots.map((row) =>
    Float64Array.from({ length: size }, (_, j) => dot(row, other.subarray(j * size, (j + 1) * size))),
  )
  const product = new Float64Array(size * size)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      product[i * size + j] = dot(through[i]!, roots[j]!)
      product[j * size + i] = product[i * size + j]!
    }
  }
  return sumOfRoots(product, size)
}

function columnsOf(rows: readonly Float64Array[], size: number): Float64Array[] {
  return Array.from({ length: size }, (_, j) => Float64Array.from(rows, (row) => row[j]!))
}

/** Gram matrix of rows [n n]. */
function gram(rows: readonly Float64Array[]): Float64Array {
  const n = rows.length
  const products = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      products[i * n + j] = dot(rows[i]!, rows[j]!)
      products[j * n + i] = products[i * n + j]!
    }
  }
  return products
}

function sumOfRoots(matrix: Float64Array, n: number): number {
  const { values } = eigenOfSymmetric(matrix, n)
  // Eigenvalues of 0 come out as rounding errors of the largest, whose roots would add up.
  const negligible = n * Number.EPSILON * values.reduce((max, value) => Math.max(max, value), 0)
  return values.reduce((total, value) => total + (value > negligible ? Math.sqrt(value) : 0), 0)
}
