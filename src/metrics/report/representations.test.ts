import { describe, expect, test } from 'vitest'
import { counterRandom } from '../../core/random.ts'
import { linearProbe, projectRows } from './representations.ts'

/** Rows of 6 noisy features in which a quantity in 0..1 varies along one direction. */
function rowsWith(seed: number, count: number, strength: number) {
  const random = counterRandom(seed)
  const values = Array.from({ length: count }, () => random.uniform())
  const rows = values.map((value) =>
    Float32Array.from(
      [3, -1, 2, 0, 1, 5],
      (weight) => 7 + strength * weight * value + 0.05 * random.normal(),
    ),
  )
  return { rows, values }
}

describe('representations', () => {
  test('are projected onto their principal components', () => {
    const corners = [
      [0, 0, 0],
      [4, 4, 0],
      [1, 3, 0],
      [3, 1, 0],
    ]
    const { points, shares } = projectRows(corners.map((row) => Float32Array.from(row)))
    expect(shares[0]).toBeCloseTo(0.8, 12)
    expect(shares[1]).toBeCloseTo(0.2, 12)
    const sizes = points.map((point) => point.map(Math.abs))
    expect(sizes[0]?.[0]).toBeCloseTo(Math.sqrt(8), 12)
    expect(sizes[0]?.[1]).toBeCloseTo(0, 12)
    expect(sizes[2]?.[1]).toBeCloseTo(Math.SQRT2, 12)
  })

  test('predict a quantity only if they encode it', () => {
    expect(linearProbe(rowsWith(1, 40, 1), rowsWith(2, 40, 1)).r2).toBeGreaterThan(0.99)
    expect(linearProbe(rowsWith(1, 40, 0), rowsWith(2, 40, 0)).r2).toBeLessThan(0.2)
  })

  test('predict the mean if all rows are equal', () => {
    const rows = [1, 2, 3, 4].map(() => Float32Array.of(1, 2))
    const { predicted, r2 } = linearProbe({ rows, values: [1, 2, 3, 2] }, { rows, values: [1, 2, 3, 2] })
    expect(predicted).toEqual([2, 2, 2, 2])
    expect(r2).toBe(0)
  })

  test('of fewer rows than features are projected and probed', () => {
    // A covariance of rank 2 at most, as a few images give it.
    const wide = Array.from({ length: 8 }, (_, i) =>
      Float32Array.from(
        { length: 64 },
        (_, k) => Math.cos(i) * Math.sin(k + 1) + 0.5 * Math.sin(2 * i) * Math.cos(3 * k),
      ),
    )
    const { shares } = projectRows(wide, 3)
    // By SciPy 1.17's eigvalsh.
    expect(shares[0]).toBeCloseTo(0.818411825, 7)
    expect(shares[0]! + shares[1]!).toBeCloseTo(1, 7)
    const values = wide.map((_, i) => Math.cos(i))
    expect(linearProbe({ rows: wide, values }, { rows: wide, values }).r2).toBeGreaterThan(0.99)
  })

  test('are rejected if lengths differ', () => {
    const rows = [Float32Array.of(1), Float32Array.of(1, 2)]
    expect(() => projectRows(rows)).toThrow('expected at least 2 of equal length, got 2 of length 1,2')
    expect(() => projectRows(rows.slice(1))).toThrow('got 1 of length 2')
  })
})
