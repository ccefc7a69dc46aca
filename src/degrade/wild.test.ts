import { describe, expect, test } from 'vitest'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { blurImage } from './blur.ts'
import { isotropicGaussian } from './numerics/kernels.ts'
import { underDisplayPsf, wienerKernel, wild } from './wild.ts'

/** Stripes and a ramp. */
function picture(width: number, height: number, channels: number): Image {
  const data = new Float32Array(channels * height * width).map((_, i) => {
    const y = Math.floor(i / width) % height
    const x = i % width
    return x % 8 < 4 ? 0.2 + (0.3 * y) / height : 0.7
  })
  return { width, height, channels, data }
}

function distance(a: Image, b: Image): number {
  return Math.sqrt(a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0) / a.data.length)
}

test('the Wiener filter undoes a noiseless blur, and scales an impulse by the ratio', () => {
  const image = picture(80, 60, 1)
  const kernel = isotropicGaussian(7, 0.9)
  const blurred = blurImage(image, kernel)
  const restored = blurImage(blurred, wienerKernel(kernel, 1e-5))
  expect(distance(restored, image)).toBeLessThan(0.15 * distance(blurred, image))
  const { size, weights } = wienerKernel({ size: 1, weights: Float64Array.of(1) }, 0.25)
  expect(size).toBe(63)
  expect(weights[31 * 63 + 31]).toBeCloseTo(0.8, 12)
  expect(weights.reduce((sum, weight) => sum + Math.abs(weight), 0)).toBeCloseTo(0.8, 10)
})

test('the Wiener filter also undoes an asymmetric kernel', () => {
  const kernel = { size: 3, weights: Float64Array.of(0, 0, 0, 0, 0.6, 0.3, 0, 0, 0.1) }
  const image = picture(64, 64, 1)
  const blurred = blurImage(image, kernel)
  expect(distance(blurImage(blurred, wienerKernel(kernel, 1e-6)), image)).toBeLessThan(
    0.1 * distance(blurred, image),
  )
})

test('an under-display PSF sums to 1, is symmetric and has copies beside its core', () => {
  const { size, weights } = underDisplayPsf(counterRandom(3))
  expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12)
  weights.forEach((weight, i) => {
    expect(weight).toBeCloseTo(weights[weights.length - 1 - i]!, 12)
  })
  const row = weights.slice(20 * size, 21 * size)
  const isPeak = (x: number) => row[x]! > row[x - 1]! && row[x]! > row[x + 1]!
  expect([...row.keys()].filter((x) => x > 21 && x < 40 && isPeak(x)).length).toBeGreaterThan(0)
})

describe('wild', () => {
  const apply = (image: Image, seed: number) => wild.apply(image, {}, counterRandom(seed))

  test.each([
    [1, 1],
    [7, 5],
    [64, 40],
  ])('keeps the size of %i x %i and returns multiples of 1/255, in color and gray', (width, height) => {
    for (const channels of [1, 3]) {
      for (let seed = 0; seed < 8; seed++) {
        const out = apply(picture(width, height, channels), seed)
        expect([out.width, out.height, out.channels]).toEqual([width, height, channels])
        expect(out.data.every((value) => Math.fround(Math.round(value * 255) / 255) === value)).toBe(true)
      }
    }
  })

  test('differs between seeds and nearly always degrades', () => {
    const image = picture(64, 48, 3)
    const distances = Array.from({ length: 20 }, (_, seed) => distance(apply(image, seed), image))
    expect(new Set(distances).size).toBe(20)
    expect(distances.filter((value) => value > 0.02).length).toBeGreaterThan(14)
    expect(Math.max(...distances)).toBeLessThan(0.3)
  })
})
