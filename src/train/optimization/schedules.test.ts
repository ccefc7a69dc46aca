import { expect, test } from 'vitest'
import { constant, cosine, cosineRestarts, sequence, steps, warmup } from './schedules.ts'

test('a cosine with restarts gives the official Restormer rates at known iterations', () => {
  const rate = cosineRestarts(3e-4, [
    { steps: 92_000, to: 3e-4 },
    { steps: 208_000, to: 1e-6 },
  ])
  const expected = [
    [1, 3e-4],
    [92_000, 3e-4],
    [156_000, 2.354275e-4],
    [196_001, 1.505e-4],
    [240_000, 5.830231e-5],
    [300_000, 1.0e-6],
  ] as const
  for (const [iteration, value] of expected) expect(rate(iteration - 1)).toBeCloseTo(value, 9)
})

test('a restart begins at the full rate, scaled by the weight of its cycle', () => {
  const rate = cosineRestarts(1, [
    { steps: 10, to: 0 },
    { steps: 10, weight: 0.5, to: 0 },
  ])
  expect(rate(10)).toBeCloseTo(0, 12)
  expect(rate(11)).toBeCloseTo(0.5 * 0.5 * (1 + Math.cos(Math.PI / 10)), 12)
  expect(rate(20)).toBeCloseTo(0, 12)
})

test('a cosine falls from one rate to the other and stays there', () => {
  const rate = cosine(1, 0.1, 100)
  expect([rate(0), rate(50), rate(100), rate(1000)]).toEqual([1, 0.55, 0.1, 0.1])
})

test('steps multiply the rate from each boundary on', () => {
  const rate = steps(1e-4, [200, 400], 0.5)
  expect([199, 200, 399, 400].map(rate)).toEqual([1e-4, 5e-5, 5e-5, 2.5e-5])
})

test('a warm-up rises linearly to the schedule', () => {
  const rate = warmup(4, constant(1))
  expect([0, 1, 2, 3, 4].map(rate)).toEqual([0.25, 0.5, 0.75, 1, 1])
})

test('a sequence counts each part from its own start, and its last part continues', () => {
  const rate = sequence([
    [10, constant(2)],
    [10, cosine(1, 0, 10)],
  ])
  expect([rate(0), rate(9), rate(10), rate(25)]).toEqual([2, 2, 1, 0])
  expect(() => sequence([])).toThrow('expected at least one part')
})
