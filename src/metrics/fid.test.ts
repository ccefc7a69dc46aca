import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { hashed } from '../../test/hashed.ts'
import { loadTensor } from '../checkpoints/checkpoint.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { viewAs } from '../core/data.ts'
import { frechetDistance, resizeBilinear } from './fid.ts'
import { gamma, logGamma } from './numerics/gamma.ts'
import { eigenOfSymmetric } from './numerics/symmetric.ts'

interface Case {
  readonly n: number
  readonly m: number
  readonly d: number
  readonly distance: number
}

const cases = JSON.parse(readFileSync('test/golden/metrics/frechet.json', 'utf8')) as readonly Case[]

function rows(key: string, count: number, d: number, of: (value: number) => number): Float32Array[] {
  const values = hashed(key, [count, d])
  return Array.from({ length: count }, (_, i) => values.subarray(i * d, (i + 1) * d).map(of))
}

test('the Fréchet distance matches NumPy and SciPy, for more and fewer images than features', () => {
  for (const { n, m, d, distance } of cases) {
    const a = rows(`a${n}`, n, d, (value) => value)
    const b = rows(`b${m}`, m, d, (value) => 2 * value ** 2)
    expect(frechetDistance(a, b)).toBeCloseTo(distance, 5)
    expect(frechetDistance(b, a)).toBeCloseTo(distance, 5)
    expect(frechetDistance(a, a)).toBeCloseTo(0, 6)
  }
})

const shapes = {
  'of rank 2': (i: number, k: number) =>
    Math.cos(i) * Math.sin(k + 1) + 0.5 * Math.sin(2 * i) * Math.cos(3 * k),
  'with repeated rows': (i: number, k: number) => Math.sin((i % 2) * 5 + k * 1.3),
  'of equal rows': (_: number, k: number) => Math.sin(k),
  'with five kinds of rows': (i: number, k: number) => Math.sin(((i % 5) + 1) * (k + 2) * 0.37),
  'of full rank': (i: number, k: number) => Math.sin((i + 1) * (k + 2) * 0.37),
}

function shaped(shape: keyof typeof shapes, count: number, d: number, scale = 1): Float32Array[] {
  return Array.from({ length: count }, (_, i) =>
    Float32Array.from({ length: d }, (_, k) => scale * shapes[shape](i, k)),
  )
}

// Distances by SciPy 1.17: svdvals of the product of the centered features.
test.each([
  ['of rank 2', 10, 'of full rank', 8, 6, 2.825327307608931],
  ['with repeated rows', 12, 'of rank 2', 9, 40, 33.90296676771995],
  ['with repeated rows', 12, 'of full rank', 30, 40, 39.22228369529667],
  ['of equal rows', 5, 'of full rank', 9, 7, 7.094725967871799],
  ['of rank 2', 300, 'with repeated rows', 200, 20, 15.936249907521274],
  ['of rank 2', 40, 'of rank 2', 25, 64, 0.06262192347964657],
  ['with repeated rows', 40, 'with repeated rows', 40, 100, 0],
  ['with five kinds of rows', 100, 'with five kinds of rows', 60, 200, 0.000939722578237933],
  ['with five kinds of rows', 100, 'with five kinds of rows', 63, 200, 0.05494486258666598],
  ['of rank 2', 400, 'of full rank', 300, 24, 15.29660053206177],
] as const)(
  'the Fréchet distance matches SciPy for features %s (%i) and %s (%i)',
  (a, n, b, m, d, distance) => {
    const sets = [shaped(a, n, d), shaped(b, m, d)] as const
    expect(frechetDistance(...sets)).toBeCloseTo(distance, 5)
    expect(frechetDistance(sets[0], sets[0])).toBeCloseTo(0, 5)
    const [large, small] = [1e9, 1e-9].map((scale) => {
      const distance = frechetDistance(shaped(a, n, d, scale), shaped(b, m, d, scale))
      return distance / scale ** 2
    })
    expect(large).toBeCloseTo(distance, 4)
    expect(small).toBeCloseTo(distance, 4)
  },
)

test('a set of one image is rejected', () => {
  const a = rows('a', 3, 4, (value) => value)
  expect(() => frechetDistance(a, a.slice(0, 1))).toThrow(/sets of 2 or more images, got 3 and 1/)
})

test('bilinear resizing matches PyTorch, for down- and upscaling', () => {
  const golden = readCheckpoint('test/golden/metrics/networks.safetensors').tensors.get('resized')!
  const expected = viewAs(loadTensor(golden).bytes, Float32Array)
  const image = { width: 500, height: 40, channels: 3, data: hashed('small', [1, 3, 40, 500]) }
  const { data } = resizeBilinear(image, 299, 299)
  const worst = expected.reduce((max, value, i) => {
    const c = Math.floor(i / 36)
    const y = Math.floor(i / 6) % 6
    const x = i % 6
    return Math.max(max, Math.abs(value - data[(c * 299 + 50 * y) * 299 + 50 * x]!))
  }, 0)
  expect(worst).toBeLessThan(1e-5)
})

test('eigenvalues and eigenvectors reconstruct symmetric matrices, including repeated and zero eigenvalues', () => {
  const n = 12
  const half = hashed('matrix', [n, n])
  const random = Float64Array.from(half, (_, i) => half[i]! + half[(i % n) * n + Math.floor(i / n)]!)
  const flat = new Float64Array(n * n).fill(1)
  const diagonal = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? i % 3 : 0))
  const lowRank = Float64Array.from(random, (_, at) => half[Math.floor(at / n)]! * half[at % n]!)
  const tiny = flat.map((value, at) => (at === 0 ? value : value * 1e-170))
  for (const matrix of [random, flat, diagonal, lowRank, tiny, new Float64Array(n * n)]) {
    const { values, vectors } = eigenOfSymmetric(matrix, n, { vectors: true })
    const worst = matrix.reduce((max, value, at) => {
      const i = Math.floor(at / n)
      const j = at % n
      let sum = 0
      for (let k = 0; k < n; k++) sum += values[k]! * vectors[k * n + i]! * vectors[k * n + j]!
      return Math.max(max, Math.abs(sum - value))
    }, 0)
    expect(worst).toBeLessThan(1e-12)
    expect([...eigenOfSymmetric(matrix, n).values].sort()).toEqual([...values].sort())
  }
})

test('the gamma function has its known values', () => {
  expect(gamma(0.5)).toBeCloseTo(Math.sqrt(Math.PI), 13)
  expect(gamma(5)).toBeCloseTo(24, 11)
  expect(gamma(0.1)).toBeCloseTo(9.513507698668732, 11)
  expect(logGamma(100)).toBeCloseTo(359.1342053695754, 10)
})
