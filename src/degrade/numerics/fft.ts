// Correlates images with kernels by FFT of tiles (overlap-save); about ten times faster than direct sums for
// 21 × 21 kernels.

import { sinCos } from '../../core/exactMath.ts'

/** Complex matrix [n n]. */
interface ComplexMatrix {
  readonly n: number
  readonly re: Float64Array
  readonly im: Float64Array
}

function zeroMatrix(n: number): ComplexMatrix {
  return { n, re: new Float64Array(n * n), im: new Float64Array(n * n) }
}

interface Roots {
  readonly cos: Float64Array
  readonly sin: Float64Array
}

/** exp(−2πi · j / n). */
function rootsOfUnity(n: number): Roots {
  const angles = Array.from({ length: n }, (_, j) => sinCos((-2 * Math.PI * j) / n))
  return { sin: Float64Array.from(angles, ([sin]) => sin), cos: Float64Array.from(angles, ([, cos]) => cos) }
}

/** Replaces pairs of rows by their sum and difference; its own inverse up to a factor of 2. */
function butterflyPairs({ n, re, im }: ComplexMatrix): void {
  for (let row = 0; row < n; row += 2) {
    const end = (row + 1) * n
    for (let a = row * n, b = a + n; a < end; a++, b++) {
      const ar = re[a]!
      const ai = im[a]!
      const br = re[b]!
      const bi = im[b]!
      re[a] = ar + br
      im[a] = ai + bi
      re[b] = ar - br
      im[b] = ai - bi
    }
  }
}

/** One radix-4 butterfly on rows `row`, `row` + q, `row` + 2q and `row` + 3q. */
function butterfly4({ n, re, im }: ComplexMatrix, { cos, sin }: Roots, row: number, q: number): void {
  const j = ((row & (q - 1)) * n) / (4 * q)
  const w1r = cos[j]!
  const w1i = sin[j]!
  const w2r = cos[2 * j]!
  const w2i = sin[2 * j]!
  const w3r = cos[3 * j]!
  const w3i = sin[3 * j]!
  const end = (row + 1) * n
  for (let a = row * n; a < end; a++) {
    const b = a + q * n
    const c = b + q * n
    const d = c + q * n
    const sr = re[a]! + re[c]!
    const si = im[a]! + im[c]!
    const tr = re[a]! - re[c]!
    const ti = im[a]! - im[c]!
    const ur = re[b]! + re[d]!
    const ui = im[b]! + im[d]!
    const vr = im[b]! - im[d]!
    const vi = re[d]! - re[b]!
    re[a] = sr + ur
    im[a] = si + ui
    re[b] = (sr - ur) * w2r - (si - ui) * w2i
    im[b] = (sr - ur) * w2i + (si - ui) * w2r
    re[c] = (tr + vr) * w1r - (ti + vi) * w1i
    im[c] = (tr + vr) * w1i + (ti + vi) * w1r
    re[d] = (tr - vr) * w3r - (ti - vi) * w3i
    im[d] = (tr - vr) * w3i + (ti - vi) * w3r
  }
}

/** Inverse of {@link butterfly4} up to a factor of 4. */
function inverseButterfly4({ n, re, im }: ComplexMatrix, { cos, sin }: Roots, row: number, q: number): void {
  const j = ((row & (q - 1)) * n) / (4 * q)
  const w1r = cos[j]!
  const w1i = sin[j]!
  const w2r = cos[2 * j]!
  const w2i = sin[2 * j]!
  const w3r = cos[3 * j]!
  const w3i = sin[3 * j]!
  const end = (row + 1) * n
  for (let a = row * n; a < end; a++) {
    const b = a + q * n
    const c = b + q * n
    const d = c + q * n
    const br = re[b]! * w2r + im[b]! * w2i
    const bi = im[b]! * w2r - re[b]! * w2i
    const cr = re[c]! * w1r + im[c]! * w1i
    const ci = im[c]! * w1r - re[c]! * w1i
    const dr = re[d]! * w3r + im[d]! * w3i
    const di = im[d]! * w3r - re[d]! * w3i
    const sr = re[a]! + br
    const si = im[a]! + bi
    const ur = re[a]! - br
    const ui = im[a]! - bi
    re[a] = sr + cr + dr
    im[a] = si + ci + di
    re[b] = ur - ci + di
    im[b] = ui + cr - dr
    re[c] = sr - cr - dr
    im[c] = si - ci - di
    re[d] = ur + ci - di
    im[d] = ui - cr + dr
  }
}

/**
 * Transforms every column in place; frequencies are in permuted order, as
 * {@link inverseTransformColumns} expects.
 */
function transformColumns(matrix: ComplexMatrix, roots: Roots): void {
  const { n } = matrix
  let q = n / 4
  for (; q >= 1; q /= 4)
    for (let row = 0; row < n; row++) if ((row & (4 * q - 1)) < q) butterfly4(matrix, roots, row, q)
  if (q === 0.5) butterflyPairs(matrix)
}

/** Inverse of {@link transformColumns} up to a factor of n. */
function inverseTransformColumns(matrix: ComplexMatrix, roots: Roots): void {
  const { n } = matrix
  const isOdd = Math.clz32(n) % 2 === 0
  if (isOdd) butterflyPairs(matrix)
  for (let q = isOdd ? 2 : 1; q < n; q *= 4)
    for (let row = 0; row < n; row++) if ((row & (4 * q - 1)) < q) inverseButterfly4(matrix, roots, row, q)
}

function transpose(values: Float64Array, n: number): void {
  for (let y = 0; y < n; y++) {
    for (let x = y + 1; x < n; x++) {
      const swapped = values[y * n + x]!
      values[y * n + x] = values[x * n + y]!
      values[x * n + y] = swapped
    }
  }
}

/** Correlates pairs of tiles with one kernel. */
export interface Correlator {
  /** Side of a tile in pixels. */
  readonly tile: number
  /** Number of leading rows and columns of a tile that are valid afterwards: tile − size + 1. */
  readonly valid: number
  /** Two real tiles, which `correlate` replaces in place. */
  readonly pair: readonly [Float64Array, Float64Array]
  readonly correlate: () => void
}

/**
 * Creates a correlator for a kernel [size size]: output (y, x) is the sum of kernel(i, j) · input(y + i, x +
 * j).
 */
export function correlator(size: number, weights: Float64Array): Correlator {
  let n = 32
  while (n < 4 * size) n *= 2
  const roots = rootsOfUnity(n)
  const transform = (matrix: ComplexMatrix) => {
    transformColumns(matrix, roots)
    transpose(matrix.re, n)
    transpose(matrix.im, n)
    transformColumns(matrix, roots)
  }
  const spectrum = zeroMatrix(n)
  weights.forEach((weight, i) => {
    const y = Math.floor(i / size)
    const x = i % size
    spectrum.re[((n - y) % n) * n + ((n - x) % n)] = weight / (n * n)
  })
  transform(spectrum)
  // Two real tiles serve as real and imaginary part, which a real kernel does not mix.
  const work = zeroMatrix(n)
  const correlate = () => {
    const { re, im } = work
    transform(work)
    for (let i = 0; i < re.length; i++) {
      const a = re[i]!
      const b = im[i]!
      const c = spectrum.re[i]!
      const d = spectrum.im[i]!
      re[i] = a * c - b * d
      im[i] = a * d + b * c
    }
    inverseTransformColumns(work, roots)
    transpose(re, n)
    transpose(im, n)
    inverseTransformColumns(work, roots)
  }
  return { tile: n, valid: n - size + 1, pair: [work.re, work.im], correlate }
}
