// Correlation of images with kernels by Fourier transforms of tiles (overlap-save): for a kernel of 21 × 21 about ten times faster than its sum.

import { sinCos } from '../core/elementary.ts'

/** A square of complex numbers, n by n. */
interface Square {
  readonly n: number
  readonly re: Float64Array
  readonly im: Float64Array
}

function emptySquare(n: number): Square {
  return { n, re: new Float64Array(n * n), im: new Float64Array(n * n) }
}

interface Roots {
  readonly cos: Float64Array
  readonly sin: Float64Array
}

/** exp(−2πi · j / n) for j < n / 2. */
function rootsOfUnity(n: number): Roots {
  const angles = Array.from({ length: n / 2 }, (_, j) => sinCos((-2 * Math.PI * j) / n))
  return { sin: Float64Array.from(angles, ([sin]) => sin), cos: Float64Array.from(angles, ([, cos]) => cos) }
}

/** Transforms every column in place; frequencies come in bit-reversed order, as the inverse takes them. */
function transformColumns({ n, re, im }: Square, { cos, sin }: Roots): void {
  for (let half = n / 2; half >= 1; half /= 2) {
    for (let row = 0; row < n; row++) {
      const j = row & (2 * half - 1)
      if (j >= half) continue
      const wr = cos[(j * n) / (2 * half)] as number
      const wi = sin[(j * n) / (2 * half)] as number
      const end = (row + 1) * n
      for (let a = row * n, b = a + half * n; a < end; a++, b++) {
        const ar = re[a] as number
        const ai = im[a] as number
        const br = re[b] as number
        const bi = im[b] as number
        const dr = ar - br
        const di = ai - bi
        re[a] = ar + br
        im[a] = ai + bi
        re[b] = dr * wr - di * wi
        im[b] = dr * wi + di * wr
      }
    }
  }
}

/** Undoes {@link transformColumns}, but for a factor n. */
function restoreColumns({ n, re, im }: Square, { cos, sin }: Roots): void {
  for (let half = 1; half < n; half *= 2) {
    for (let row = 0; row < n; row++) {
      const j = row & (2 * half - 1)
      if (j >= half) continue
      const wr = cos[(j * n) / (2 * half)] as number
      const wi = -(sin[(j * n) / (2 * half)] as number)
      const end = (row + 1) * n
      for (let a = row * n, b = a + half * n; a < end; a++, b++) {
        const ar = re[a] as number
        const ai = im[a] as number
        const br = (re[b] as number) * wr - (im[b] as number) * wi
        const bi = (re[b] as number) * wi + (im[b] as number) * wr
        re[a] = ar + br
        im[a] = ai + bi
        re[b] = ar - br
        im[b] = ai - bi
      }
    }
  }
}

function transpose(values: Float64Array, n: number): void {
  for (let y = 0; y < n; y++) {
    for (let x = y + 1; x < n; x++) {
      const kept = values[y * n + x] as number
      values[y * n + x] = values[x * n + y] as number
      values[x * n + y] = kept
    }
  }
}

/** Side of the tiles, and what turns a tile into its correlation with one kernel. */
export interface Correlator {
  readonly tile: number
  /** Rows and columns of a tile, from the first, that come out right: tile − size + 1. */
  readonly valid: number
  /** Two real tiles, which `correlate` changes in place. */
  readonly pair: readonly [Float64Array, Float64Array]
  readonly correlate: () => void
}

/** For a kernel [size size]: output (y, x) is the sum of kernel(i, j) · input(y + i, x + j). */
export function correlator(size: number, weights: Float64Array): Correlator {
  let n = 32
  while (n < 4 * size) n *= 2
  const roots = rootsOfUnity(n)
  const transform = (square: Square) => {
    transformColumns(square, roots)
    transpose(square.re, n)
    transpose(square.im, n)
    transformColumns(square, roots)
  }
  const spectrum = emptySquare(n)
  weights.forEach((weight, i) => {
    const [y, x] = [Math.floor(i / size), i % size]
    spectrum.re[((n - y) % n) * n + ((n - x) % n)] = weight / (n * n)
  })
  transform(spectrum)
  // One real tile is the real part and another the imaginary part: a real kernel keeps them apart.
  const work = emptySquare(n)
  const correlate = () => {
    const { re, im } = work
    transform(work)
    for (let i = 0; i < re.length; i++) {
      const [a, b] = [re[i] as number, im[i] as number]
      const [c, d] = [spectrum.re[i] as number, spectrum.im[i] as number]
      re[i] = a * c - b * d
      im[i] = a * d + b * c
    }
    restoreColumns(work, roots)
    transpose(re, n)
    transpose(im, n)
    restoreColumns(work, roots)
  }
  return { tile: n, valid: n - size + 1, pair: [work.re, work.im], correlate }
}
