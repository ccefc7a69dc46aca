// DCT filters as initial weights of a first convolution.

import { expect, test } from 'vitest'
import { numbersOf } from '../../../test/values.ts'
import { randomInit } from '../../nn/init.ts'
import { dctFilters } from './dctFilters.ts'

const init = randomInit(() => 0.5)
const rowsOf = (channels: number, kernel: number) => {
  const weight = dctFilters(init, init.buffer([channels, 3, kernel, kernel], 0))
  const size = 3 * kernel ** 2
  const values = Array.from(numbersOf(weight.read()))
  expect([weight.isTrainable, values.length]).toEqual([true, channels * size])
  return Array.from({ length: channels }, (_, i) => values.slice(i * size, (i + 1) * size))
}
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0)

test('filters come in pairs of opposite sign, are orthogonal, and only the means respond to a flat image', () => {
  for (const [channels, kernel] of [
    [48, 4],
    [34, 3],
  ] as const) {
    const rows = rowsOf(channels, kernel)
    const means = rows.filter(
      (row) =>
        Math.abs(
          dot(
            row,
            row.map(() => 1),
          ),
        ) > 1e-3,
    )
    // Only the luma mean and its negative: a flat gray image has no color.
    expect(means.length).toBe(2)
    for (let i = 0; i < channels; i += 2)
      expect(dot(rows[i]!, rows[i + 1]!)).toBeCloseTo(-dot(rows[i]!, rows[i]!), 3)
    for (let i = 2; i < 2 * kernel ** 2; i += 2) {
      expect(Math.sqrt(dot(rows[i]!, rows[i]!))).toBeCloseTo(4.25, 4)
      for (let j = 0; j < i; j += 2) expect(dot(rows[i]!, rows[j]!)).toBeCloseTo(0, 4)
    }
  }
})

test('filters repeat if there are more channels, and anything but three input channels is rejected', () => {
  const rows = rowsOf(50, 4)
  expect(rows[48]).toEqual(rows[0])
  expect(() => dctFilters(init, init.buffer([8, 1, 3, 3], 0))).toThrow('with k of 2 or more, got [8,1,3,3]')
})
