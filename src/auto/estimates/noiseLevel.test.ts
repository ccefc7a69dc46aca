import { expect, test } from 'vitest'
import { counterRandom } from '../../core/random.ts'
import { noiseLevel } from './noiseLevel.ts'

/** A smooth picture of two channels with noise. */
function noisy(sigma: number, { width = 96, height = 80 } = {}) {
  const random = counterRandom(3)
  const data = Float32Array.from({ length: 2 * width * height }, (_, i) => {
    const smooth = 0.5 + 0.3 * Math.sin((i % width) / 40) * Math.cos(Math.floor(i / width) / 30)
    return smooth + (sigma / 255) * random.normal()
  })
  return { width, height, channels: 2, data }
}

test.each([2, 15, 50])('of noise with a deviation of %d is found within 8 %%', (sigma) => {
  const found = noiseLevel([noisy(sigma), noisy(sigma, { width: 64 })])
  expect(Math.abs(found / sigma - 1)).toBeLessThan(0.08)
})

test('of slopes, flat areas and tiny images is zero', () => {
  const slope = {
    width: 40,
    height: 40,
    channels: 1,
    data: Float32Array.from({ length: 1600 }, (_, i) => (i % 40) / 40),
  }
  expect(noiseLevel([slope])).toBeLessThan(1e-4)
  expect(noiseLevel([{ ...slope, data: new Float32Array(1600) }])).toBe(0)
  expect(noiseLevel([noisy(9, { width: 3, height: 3 })])).toBe(0)
})
