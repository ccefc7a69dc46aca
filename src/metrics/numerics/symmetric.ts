// Eigenvalues and eigenvectors of real symmetric matrices: Householder tridiagonalization, then QL with
// implicit shifts (Golub and Van Loan, Matrix Computations, §8.3). Matrices are row-major.

import { RestoreError } from '../../core/errors.ts'

export interface Eigen {
  /** Eigenvalues in no particular order. */
  readonly values: Float64Array
  /** Eigenvector i in row i; empty unless requested. */
  readonly vectors: Float64Array
}

/**
 * Decomposes a symmetric matrix [n n] in O(n³) time, about 10 s for n = 2048 without vectors.
 * @throws RestoreError `numeric` if it does not converge
 */
export function eigenOfSymmetric(matrix: Float64Array, n: number, { vectors = false } = {}): Eigen {
  const { diagonal, offDiagonal, basis } = tridiagonalize(Float64Array.from(matrix), n, vectors)
  diagonalize(diagonal, offDiagonal, basis, n)
  return { values: diagonal, vectors: basis }
}

interface Tridiagonal {
  readonly diagonal: Float64Array
  /** offDiagonal[i] couples diagonal[i] and diagonal[i + 1]. */
  readonly offDiagonal: Float64Array
  /** Orthogonal Q for which Q A Qᵀ is tridiagonal; empty unless requested. */
  readonly basis: Float64Array
}

/** Zeroes the entries below the subdiagonal, column by column: A ← (I − βvvᵀ) A (I − βvvᵀ). */
function tridiagonalize(a: Float64Array, n: number, withBasis: boolean): Tridiagonal {
  const diagonal = new Float64Array(n)
  const offDiagonal = new Float64Array(n)
  const basis = new Float64Array(withBasis ? n * n : 0)
  for (let i = 0; i < n && withBasis; i++) basis[i * n + i] = 1
  const v = new Float64Array(n)
  const p = new Float64Array(n)
  for (let k = 0; k < n - 1; k++) {
    const first = k + 1
    let norm = 0
    for (let i = first; i < n; i++) {
      v[i] = a[k * n + i]!
      norm = Math.hypot(norm, v[i]!)
    }
    diagonal[k] = a[k * n + k]!
    if (norm === 0) continue
    const sign = v[first]! > 0 ? -1 : 1
    offDiagonal[k] = sign * norm
    // Scaled by the norm, so that no square underflows.
    let square = 0
    for (let i = first; i < n; i++) {
      v[i] = v[i]! / norm - (i === first ? sign : 0)
      square += v[i]! * v[i]!
    }
    const beta = 2 / square
    reflectBothSides(a, n, first, v, p, beta)
    if (withBasis) reflectRows(basis, n, first, v, p, beta)
  }
  if (n > 0) diagonal[n - 1] = a[n * n - 1]!
  return { diagonal, offDiagonal, basis }
}

/** A ← A − v wᵀ − w vᵀ with w = p − (β/2)(pᵀv) v and p = βAv, on the rows and columns from `first`. */
function reflectBothSides(
  a: Float64Array,
  n: number,
  first: number,
  v: Float64Array,
  p: Float64Array,
  beta: number,
): void {
  let product = 0
  for (let i = first; i < n; i++) {
    let sum = 0
    for (let j = first, at = i * n + first; j < n; j++, at++) sum += a[at]! * v[j]!
    p[i] = beta * sum
    product += p[i]! * v[i]!
  }
  for (let i = first; i < n; i++) p[i]! -= 0.5 * beta * product * v[i]!
  for (let i = first; i < n; i++) {
    const vi = v[i]!
    const wi = p[i]!
    for (let j = first, at = i * n + first; j < n; j++, at++) a[at]! -= vi * p[j]! + wi * v[j]!
  }
}

/** Q ← (I − βvvᵀ) Q. */
function reflectRows(
  q: Float64Array,
  n: number,
  first: number,
  v: Float64Array,
  p: Float64Array,
  beta: number,
): void {
  p.fill(0)
  for (let i = first; i < n; i++) for (let j = 0; j < n; j++) p[j]! += v[i]! * q[i * n + j]!
  for (let i = first; i < n; i++) for (let j = 0; j < n; j++) q[i * n + j]! -= beta * v[i]! * p[j]!
}

const maxSweeps = 60

/** Diagonalizes a tridiagonal matrix, applying the same rotations to the rows of `basis`. */
function diagonalize(d: Float64Array, e: Float64Array, basis: Float64Array, n: number): void {
  // Relative to the whole matrix: beside eigenvalues of 0, neighbors on the diagonal are rounding errors themselves.
  const negligible = Number.EPSILON * normOf(d, e)
  for (let low = 0; low < n; low++) {
    for (let sweep = 0; ; sweep++) {
      let high = low
      while (high < n - 1 && Math.abs(e[high]!) > negligible) high++
      if (high === low) break
      if (sweep === maxSweeps) {
        throw new RestoreError(
          'numeric',
          'eigenvalues: expected finite values, got a matrix that does not converge',
        )
      }
      qlStep(d, e, basis, n, low, high)
    }
  }
}

/** Largest row sum of magnitudes of a tridiagonal matrix. */
function normOf(d: Float64Array, e: Float64Array): number {
  return d.reduce((max, value, i) => {
    return Math.max(max, Math.abs(value) + Math.abs(e[i]!) + Math.abs(e[i - 1] ?? 0))
  }, 0)
}

/** One implicit QL step on the rows low..high, shifted by Wilkinson's eigenvalue at low. */
function qlStep(
  d: Float64Array,
  e: Float64Array,
  basis: Float64Array,
  n: number,
  low: number,
  high: number,
): void {
  const half = (d[low + 1]! - d[low]!) / (2 * e[low]!)
  const root = Math.hypot(half, 1)
  let g = d[high]! - d[low]! + e[low]! / (half + (half < 0 ? -root : root))
  let sine = 1
  let cosine = 1
  let shift = 0
  for (let i = high - 1; i >= low; i--) {
    const f = sine * e[i]!
    const b = cosine * e[i]!
    const length = Math.hypot(f, g)
    e[i + 1] = length
    if (length === 0) {
      // The matrix splits here; continue with the parts.
      d[i + 1]! -= shift
      e[high] = 0
      return
    }
    sine = f / length
    cosine = g / length
    g = d[i + 1]! - shift
    const r = (d[i]! - g) * sine + 2 * cosine * b
    shift = sine * r
    d[i + 1] = g + shift
    g = cosine * r - b
    if (basis.length > 0) rotateRows(basis, n, i, sine, cosine)
  }
  d[low]! -= shift
  e[low] = g
  e[high] = 0
}

function rotateRows(q: Float64Array, n: number, i: number, sine: number, cosine: number): void {
  for (let at = i * n; at < (i + 1) * n; at++) {
    const a = q[at]!
    const b = q[at + n]!
    q[at + n] = sine * a + cosine * b
    q[at] = cosine * a - sine * b
  }
}
