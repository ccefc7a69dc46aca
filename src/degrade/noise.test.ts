import { describe, expect, test } from 'vitest'
import { numpyRandom } from '../core/numpyRandom.ts'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { cameraNoise } from './camera.ts'
import { noise, poisson, publishedGaussianNoise, saltAndPepper, speckle } from './noise.ts'
import { samplePoisson } from './numerics/poisson.ts'

function flat(value: number, channels = 3, height = 120, width = 100): Image {
  return { channels, height, width, data: new Float32Array(channels * height * width).fill(value) }
}

function statistics(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  return { mean, deviation: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length) }
}

function plane({ data, channels }: Image, c: number): Float32Array {
  const pixels = data.length / channels
  return data.slice(c * pixels, (c + 1) * pixels)
}

function correlation(a: Float32Array, b: Float32Array): number {
  const p = statistics(a)
  const q = statistics(b)
  const covariance = a.reduce((sum, x, i) => sum + (x - p.mean) * (b[i]! - q.mean), 0) / a.length
  return covariance / (p.deviation * q.deviation)
}

describe('publishedGaussianNoise', () => {
  test('uses NumPy’s numbers by row, column, channel, restarting for each image', () => {
    const image = flat(0.5, 3, 2, 2)
    const random = numpyRandom(0)
    const numbers = Array.from({ length: 12 }, () => random.normal())
    const noisy = publishedGaussianNoise(image, 25)
    const expected = [0, 1, 2].flatMap((c) => [0, 1, 2, 3].map((i) => numbers[3 * i + c]!))
    expect([...noisy.data]).toEqual(expected.map((x) => Math.fround(0.5 + (25 / 255) * x)))
    expect(publishedGaussianNoise(image, 25)).toEqual(noisy)
    expect(Math.max(...publishedGaussianNoise(flat(1), 50).data)).toBeGreaterThan(1.3)
  })
})

describe('noise', () => {
  test('has the given deviation, is unclipped and independent in every channel', () => {
    const noisy = noise({ sigma: 40 })(flat(0.1), counterRandom(1))
    const { mean, deviation } = statistics(noisy.data)
    expect(mean).toBeCloseTo(0.1, 2)
    expect(deviation * 255).toBeCloseTo(40, 0)
    expect(Math.min(...noisy.data)).toBeLessThan(-0.1)
    expect(Math.abs(correlation(plane(noisy, 0), plane(noisy, 1)))).toBeLessThan(0.03)
  })

  test('can be clipped and shared by all channels', () => {
    const noisy = noise({ sigma: 40, color: 'gray', clip: 'on' })(flat(0.1), counterRandom(1))
    expect(Math.min(...noisy.data)).toBe(0)
    expect(plane(noisy, 0)).toEqual(plane(noisy, 2))
  })

  test('draws the deviation for every image', () => {
    const draw = noise({ sigma: [10, 30] })
    const deviations = Array.from(
      { length: 20 },
      (_, i) => statistics(draw(flat(0.5), counterRandom(i)).data).deviation * 255,
    )
    expect(Math.min(...deviations)).toBeGreaterThan(9.5)
    expect(Math.max(...deviations)).toBeLessThan(30.5)
    expect(Math.max(...deviations) - Math.min(...deviations)).toBeGreaterThan(10)
  })
})

test('speckle grows with brightness', () => {
  const degrade = speckle({ sigma: 30 })
  const deviation = (value: number) => statistics(degrade(flat(value), counterRandom(1)).data).deviation * 255
  expect(deviation(1)).toBeCloseTo(30, 0)
  expect(deviation(0.5)).toBeCloseTo(15, 0)
  expect(deviation(0)).toBe(0)
})

describe('poisson', () => {
  test('has a variance proportional to brightness', () => {
    const degrade = poisson({ peak: 100, scale: 1 })
    for (const value of [0, 0.04, 0.3, 1]) {
      const { mean, deviation } = statistics(degrade(flat(value), counterRandom(2)).data)
      expect(Math.abs(mean - value)).toBeLessThan(0.003)
      expect(deviation).toBeCloseTo(Math.sqrt(value / 100), 2)
    }
  })

  test('can be scaled, gray and clipped', () => {
    const half = poisson({ peak: 100, scale: 0.5 })(flat(0.5), counterRandom(2))
    expect(statistics(half.data).deviation).toBeCloseTo(0.5 * Math.sqrt(0.005), 3)
    const gray = poisson({ peak: 20, scale: 1, color: 'gray', clip: 'on' })(flat(0.9), counterRandom(2))
    expect(plane(gray, 0)).toEqual(plane(gray, 1))
    expect(Math.max(...gray.data)).toBe(1)
  })

  test('samplePoisson has the mean, variance and skewness of the distribution with both methods', () => {
    for (const mean of [0.3, 3, 9.9, 10.1, 60, 5000]) {
      const random = counterRandom(Math.round(mean * 10))
      const numbers = Array.from({ length: 40_000 }, () => samplePoisson(mean, random))
      const average = numbers.reduce((sum, n) => sum + n, 0) / numbers.length
      const moment = (k: number) => numbers.reduce((sum, n) => sum + (n - average) ** k, 0) / numbers.length
      expect(Math.abs(average - mean)).toBeLessThan(4 * Math.sqrt(mean / numbers.length))
      expect(moment(2) / mean).toBeCloseTo(1, 1)
      expect(Math.abs(moment(3) / moment(2) ** 1.5 - 1 / Math.sqrt(mean))).toBeLessThan(0.08)
    }
    expect(samplePoisson(0, counterRandom(1))).toBe(0)
  })
})

test('salt and pepper replaces the given share, of whole pixels or single values', () => {
  for (const color of ['gray', 'color'] as const) {
    const noisy = saltAndPepper({ amount: 0.2, salt: 0.25, color })(flat(0.5), counterRandom(3))
    const share = (value: number) => noisy.data.filter((x) => x === value).length / noisy.data.length
    expect(share(1)).toBeCloseTo(0.05, 2)
    expect(share(0)).toBeCloseTo(0.15, 2)
    expect(share(0.5)).toBeCloseTo(0.8, 1)
    expect(correlation(plane(noisy, 0), plane(noisy, 1)) > 0.99).toBe(color === 'gray')
  }
})

describe('cameraNoise', () => {
  const degrade = cameraNoise({ shot: 0.005, read: 1 })

  test('keeps the mean, correlates neighbors and makes red noisier than green', () => {
    const noisy = degrade(flat(0.6), counterRandom(4))
    const red = plane(noisy, 0)
    const green = plane(noisy, 1)
    expect(statistics(green).mean).toBeCloseTo(0.6, 2)
    expect(statistics(red).deviation).toBeGreaterThan(statistics(green).deviation)
    expect(correlation(red.subarray(1), red.subarray(0, red.length - 1))).toBeGreaterThan(0.3)
  })

  test('grows with shot noise, works in gray and on tiny images, and stays within 0..1', () => {
    const strong = cameraNoise({ shot: 0.05, read: 1 })
    const deviation = (image: Image) => statistics(image.data).deviation
    expect(deviation(strong(flat(0.5), counterRandom(4)))).toBeGreaterThan(
      2 * deviation(degrade(flat(0.5), counterRandom(4))),
    )
    expect(deviation(degrade(flat(0.5, 1), counterRandom(4)))).toBeGreaterThan(0.01)
    for (const value of strong(flat(0.98, 3, 1, 1), counterRandom(4)).data) {
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThanOrEqual(1)
    }
  })
})
