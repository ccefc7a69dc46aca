import { describe, expect, test } from 'vitest'
import { RestoreError } from '../core/errors.ts'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { blur, blurImage } from './blur.ts'
import {
  anisotropicGaussian,
  box,
  covarianceOf,
  disc,
  generalizedGaussian,
  isotropicGaussian,
  type Kernel,
  lineMotion,
  plateau,
  sincFilter,
  trajectoryMotion,
} from './numerics/kernels.ts'
import { type Border, borderIndex } from './numerics/taps.ts'

function noise(channels: number, height: number, width: number, seed = 1): Image {
  const random = counterRandom(seed)
  const data = Float32Array.from({ length: channels * height * width }, () => random.uniform())
  return { channels, height, width, data }
}

/** A normalized kernel without symmetry. */
function unevenKernel(size: number): Kernel {
  const random = counterRandom(size)
  const weights = Float64Array.from({ length: size * size }, () => random.uniform())
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return { size, weights: weights.map((weight) => weight / sum) }
}

/** Reference implementation by direct summation. */
function direct(
  { channels, height, width, data }: Image,
  { size, weights }: Kernel,
  border: Border,
): number[] {
  return Array.from({ length: data.length }, (_, at) => {
    const c = Math.floor(at / (height * width))
    const y = Math.floor(at / width) % height
    const x = at % width
    if (c >= channels) throw new Error('beyond the last channel')
    return weights.reduce((sum, weight, i) => {
      const v = borderIndex(y + Math.floor(i / size) - (size >> 1), height, border)
      const u = borderIndex(x + (i % size) - (size >> 1), width, border)
      return sum + weight * data[(c * height + v) * width + u]!
    }, 0)
  })
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

function moments({ size, weights }: Kernel): {
  sum: number
  x: number
  y: number
  xx: number
  yy: number
  xy: number
} {
  const total = (f: (x: number, y: number) => number) =>
    weights.reduce(
      (sum, w, i) => sum + w * f((i % size) - (size >> 1), Math.floor(i / size) - (size >> 1)),
      0,
    )
  return {
    sum: total(() => 1),
    x: total((x) => x),
    y: total((_, y) => y),
    xx: total((x) => x * x),
    yy: total((_, y) => y * y),
    xy: total((x, y) => x * y),
  }
}

describe('blurImage', () => {
  test('equals direct correlation for various image and kernel sizes and borders', () => {
    for (const [height, width, size] of [
      [9, 13, 3],
      [6, 5, 8],
      [3, 4, 21],
      [1, 40, 7],
      [70, 33, 5],
    ] as const) {
      const image = noise(2, height, width)
      for (const border of ['reflect', 'clamp', 'mirror'] as const) {
        for (const kernel of [unevenKernel(size), isotropicGaussian(size, 1.3), box(size)]) {
          const blurred = blurImage(image, kernel, border)
          expect(largestDifference(blurred.data, direct(image, kernel, border))).toBeLessThan(1.5e-7)
        }
      }
    }
  })

  test('has no seams between tiles of a larger image', () => {
    const kernel = unevenKernel(9)
    for (const [channels, height, width] of [
      [1, 120, 50],
      [3, 60, 58],
    ] as const) {
      const image = noise(channels, height, width)
      const blurred = blurImage(image, kernel)
      expect(largestDifference(blurred.data, direct(image, kernel, 'reflect'))).toBeLessThan(1.5e-7)
    }
  })
})

describe('kernels', () => {
  test('sum to 1 and are centered on their origin', () => {
    const covariance = covarianceOf(1.4, 2.2, 0.6)
    const all: Readonly<Record<string, Kernel>> = {
      iso: isotropicGaussian(21, 2),
      aniso: anisotropicGaussian(21, covariance),
      generalized: generalizedGaussian(21, covariance, 0.7),
      plateau: plateau(21, covariance, 1.5),
      sinc: sincFilter(21, 1.5),
      box: box(5),
      disc: disc(3.3),
      line: lineMotion(9, 0.4),
      shake: trajectoryMotion(15, counterRandom(3)),
    }
    for (const kernel of Object.values(all)) {
      const { sum, x, y } = moments(kernel)
      expect(sum).toBeCloseTo(1, 12)
      expect(Math.abs(x)).toBeLessThan(1e-9)
      expect(Math.abs(y)).toBeLessThan(1e-9)
    }
  })

  test('Gaussians have their covariance', () => {
    const covariance = covarianceOf(1.4, 2.2, 0.6)
    const { xx, xy, yy } = moments(anisotropicGaussian(31, covariance))
    expect([xx, xy, yy]).toEqual(
      [covariance.xx, covariance.xy, covariance.yy].map((v) => expect.closeTo(v, 3)),
    )
    expect(moments(isotropicGaussian(31, 2)).xx).toBeCloseTo(4, 4)
    // The first axis points right at 0 degrees and turns clockwise as the angle grows.
    expect(covarianceOf(3, 1, 0)).toEqual({ xx: 9, xy: 0, yy: 1 })
    expect(covarianceOf(3, 1, Math.PI / 4).xy).toBeCloseTo(4, 12)
  })

  test('a generalized Gaussian with beta 1 is a Gaussian; a larger beta is flatter, a smaller one more peaked', () => {
    const covariance = covarianceOf(2, 2, 0)
    const [pointed, gaussian, flat] = [0.5, 1, 3].map((beta) => generalizedGaussian(21, covariance, beta))
    expect(largestDifference(gaussian?.weights ?? [], isotropicGaussian(21, 2).weights)).toBeLessThan(1e-15)
    const peak = (kernel: Kernel | undefined) =>
      Math.max(...(kernel?.weights ?? [])) / (kernel?.weights[220 + 1] ?? 0)
    expect(peak(pointed)).toBeGreaterThan(peak(gaussian))
    expect(peak(gaussian)).toBeGreaterThan(peak(flat))
  })

  test('the sinc kernel passes frequencies below its cutoff and stops those above', () => {
    const kernel = sincFilter(61, 1.2)
    const response = (frequency: number) =>
      kernel.weights.reduce((sum, w, i) => sum + w * Math.cos(frequency * ((i % 61) - 30)), 0)
    expect(Math.abs(response(0.8) - 1)).toBeLessThan(0.1)
    expect(Math.abs(response(1.7))).toBeLessThan(0.1)
    expect(Math.min(...kernel.weights)).toBeLessThan(0)
  })

  test('a disc is constant inside its radius; a tiny one is a single pixel', () => {
    const { size, weights } = disc(4.5)
    expect(size).toBe(11)
    const row = [...weights.subarray(5 * 11, 6 * 11)].map((w) => w / weights[60]!)
    expect(row).toEqual([0, ...Array.from({ length: 9 }, () => expect.closeTo(1, 1)), 0])
    expect([...disc(0.01).weights].filter((w) => w > 0)).toEqual([1])
  })

  test('a line has the given length and direction', () => {
    const { xx, xy, yy } = moments(lineMotion(12, Math.PI / 4))
    expect(xy / Math.sqrt(xx * yy)).toBeGreaterThan(0.95)
    expect(xx + yy).toBeGreaterThan(11)
    expect(xx + yy).toBeLessThan(14)
    expect(moments(lineMotion(12, 0)).yy).toBeCloseTo(0, 12)
  })

  test('a shake spans its length and depends on the random stream', () => {
    const { size, weights } = trajectoryMotion(15, counterRandom(8))
    const used = [...weights.keys()].filter((i) => weights[i]! > 0)
    const extent = (axis: (i: number) => number) => Math.max(...used.map(axis)) - Math.min(...used.map(axis))
    const most = Math.max(
      extent((i) => i % size),
      extent((i) => Math.floor(i / size)),
    )
    expect([15, 16, 17]).toContain(most)
    expect(trajectoryMotion(15, counterRandom(8)).weights).toEqual(weights)
    expect(trajectoryMotion(15, counterRandom(9)).weights).not.toEqual(weights)
  })

  test('invalid sizes and strengths are rejected', () => {
    expect(() => isotropicGaussian(21, 0)).toThrow('expected a sigma above 0, got 0')
    expect(() => box(0)).toThrow('expected a size from 1 to 255 px, got 0')
    expect(() => box(2.5)).toThrow(RestoreError)
    expect(() => disc(-1)).toThrow('radius above 0')
    expect(() => lineMotion(Number.NaN, 0)).toThrow('length above 0')
    expect(() => plateau(21, covarianceOf(1, 1, 0), 0)).toThrow('beta above 0')
  })
})

describe('blur', () => {
  test('every kernel preserves a constant image and changes others', () => {
    const flat: Image = { channels: 3, height: 30, width: 34, data: new Float32Array(3060).fill(0.5) }
    const image = noise(3, 30, 34)
    for (const kernel of blur.parameters.kernel.choices) {
      const degrade = blur({ kernel, sigma: 2, cutoff: 1.2, length: 8 })
      expect(largestDifference(degrade(flat, counterRandom(1)).data, flat.data)).toBeLessThan(1e-6)
      expect(largestDifference(degrade(image, counterRandom(1)).data, image.data)).toBeGreaterThan(0.1)
    }
  })

  test('sigma 0 is no blur', () => {
    const image = noise(1, 5, 5)
    expect(blur({ sigma: 0 })(image, counterRandom(1))).toEqual(image)
  })
})
