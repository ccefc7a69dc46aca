import { describe, expect, test } from 'vitest'
import { RestoreError } from '../core/errors.ts'
import { counterRandom } from '../core/random.ts'
import { cubic } from '../core/resample.ts'
import type { Image } from '../data/image.ts'
import { borderIndex } from './numerics/taps.ts'
import { imresize, resizeMethods, resizeTo } from './resize.ts'

function noise(channels: number, height: number, width: number, seed = 1): Image {
  const random = counterRandom(seed)
  return {
    channels,
    height,
    width,
    data: Float32Array.from({ length: channels * height * width }, () => random.uniform()),
  }
}

/** An 8-bit image. */
function bytes(channels: number, height: number, width: number, seed = 1): Image {
  const image = noise(channels, height, width, seed)
  return { ...image, data: image.data.map((value) => Math.floor(value * 256) / 255) }
}

/** Reference imresize along one axis: 1-based positions, P = ceil(W) + 2 taps, a mirrored table. */
function reference(line: readonly number[], outputSize: number, scale: number): number[] {
  const [width, stretch] = scale < 1 ? [4 / scale, scale] : [4, 1]
  return Array.from({ length: outputSize }, (_, j) => {
    const u = (j + 1) / scale + 0.5 * (1 - 1 / scale)
    const left = Math.floor(u - width / 2)
    let sum = 0
    let total = 0
    for (let i = left; i < left + Math.ceil(width) + 2; i++) {
      const weight = stretch * cubic(stretch * (u - i))
      const table = [...line, ...[...line].reverse()]
      const at = (((i - 1) % table.length) + table.length) % table.length
      sum += weight * table[at]!
      total += weight
    }
    return sum / total
  })
}

function lineOf(values: readonly number[]): Image {
  return { channels: 1, height: 1, width: values.length, data: Float32Array.from(values) }
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, within: number): void {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < actual.length; i++)
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThanOrEqual(within)
}

describe('imresize', () => {
  test('matches the reference at various scales, including images smaller than the kernel', () => {
    for (const scale of [1 / 4, 1 / 3, 1 / 2, 0.37, 2 / 3, 0.9, 1, 1.3, 2, 4]) {
      for (const size of [1, 3, 16, 29]) {
        const values = [...noise(1, 1, size, size).data]
        const image = { ...lineOf(values), height: 1 }
        const expected = reference(values, Math.ceil(size * scale), scale)
        const { data, width } = imresize(image, scale)
        expect(width).toBe(expected.length)
        expectClose(data.subarray(0, width), expected, 3e-7)
      }
    }
  })

  test('has the published weights in the interior', () => {
    const impulse = (size: number) => lineOf(Array.from({ length: size }, (_, i) => (i === size / 2 ? 1 : 0)))
    const halves = [...imresize(impulse(32), 1 / 2).data].filter((weight) => weight !== 0)
    expect(halves).toEqual([-0.01171875, 0.11328125, 0.43359375, -0.03515625])
    const quarters = [...imresize(impulse(64), 1 / 4).data].filter((weight) => weight !== 0)
    expectClose(quarters, [-0.010986328, 0.097412109, 0.181884766, -0.018310547], 5e-10)
  })

  test('treats rows and columns alike, and each channel independently', () => {
    const image = noise(2, 18, 18)
    const transposed = {
      ...image,
      data: image.data.map((_, i) => image.data[i - (i % 324) + (i % 18) * 18 + Math.floor((i % 324) / 18)]!),
    }
    const a = imresize(image, 1 / 3)
    const b = imresize(transposed, 1 / 3)
    expect([a.channels, a.height, a.width]).toEqual([2, 6, 6])
    expectClose(
      b.data,
      a.data.map((_, i) => a.data[i - (i % 36) + (i % 6) * 6 + Math.floor((i % 36) / 6)]!),
      1e-7,
    )
    const second = { ...image, channels: 1, data: image.data.slice(324) }
    expect(imresize(second, 1 / 3).data).toEqual(a.data.slice(36))
  })

  test('rounds 8-bit images after each pass, half away from zero', () => {
    const image = bytes(1, 24, 36)
    const level = (value: number) => Math.min(Math.max(Math.floor(value + 0.5), 0), 255)
    const at = (y: number, x: number) => Math.round(image.data[y * 36 + x]! * 255)
    const columns = Array.from({ length: 36 }, (_, x) =>
      reference(
        Array.from({ length: 24 }, (_, y) => at(y, x)),
        12,
        0.5,
      ).map(level),
    )
    const expected = Array.from({ length: 12 }, (_, y) =>
      reference(
        columns.map((column) => column[y]!),
        18,
        0.5,
      ).map(level),
    ).flat()
    const { data } = imresize(image, 0.5, { rounding: 'uint8' })
    expect([...data].map((value) => value * 255)).toEqual(
      expected.map((value) => Math.fround(value / 255) * 255),
    )
    const unrounded = imresize(image, 0.5).data.map((value) => level(value * 255) / 255)
    expect(unrounded).not.toEqual(data)
  })

  test('clamps 8-bit images at both ends', () => {
    const steps = lineOf([0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0])
    const { data } = imresize(steps, 3, { rounding: 'uint8' })
    expect([Math.min(...data), Math.max(...data)]).toEqual([0, 1])
    expect(Math.max(...imresize(steps, 3).data)).toBeGreaterThan(1)
  })

  test('shrinks without antialiasing if disabled', () => {
    const image = lineOf([0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    expect([...imresize(image, 1 / 2, { antialias: false }).data]).toEqual([0, -0.0625, 0.5625, 0, 0])
  })

  test('a scale that is not positive is rejected', () => {
    for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => imresize(noise(1, 4, 4), scale)).toThrow(RestoreError)
  })
})

describe('resizeTo', () => {
  test('preserves constant images with every method, and images at unchanged size', () => {
    const flat: Image = { channels: 3, height: 9, width: 14, data: new Float32Array(378).fill(0.25) }
    for (const method of resizeMethods) {
      for (const size of [
        { height: 4, width: 30 },
        { height: 9, width: 14 },
        { height: 1, width: 1 },
      ]) {
        const resized = resizeTo(flat, size, { method })
        expect(resized).toMatchObject({ channels: 3, ...size })
        expectClose(resized.data, new Float32Array(resized.data.length).fill(0.25), 1e-7)
      }
      const image = noise(1, 7, 5)
      expectClose(resizeTo(image, { height: 7, width: 5 }, { method }).data, image.data, 1e-7)
    }
  })

  test('area averages what each output pixel covers', () => {
    const image = lineOf([1, 2, 3, 4, 5, 6])
    expectClose(resizeTo(image, { height: 1, width: 2 }, { method: 'area' }).data, [2, 5], 1e-6)
    expectClose(
      resizeTo(image, { height: 1, width: 4 }, { method: 'area' }).data,
      [4 / 3, 8 / 3, 13 / 3, 17 / 3],
      1e-6,
    )
    expectClose(resizeTo(lineOf([0, 1]), { height: 1, width: 3 }, { method: 'area' }).data, [0, 0.5, 1], 1e-6)
  })

  test('nearest takes the pixel under the center', () => {
    const image = lineOf([1, 2, 3, 4, 5])
    expect([...resizeTo(image, { height: 1, width: 2 }, { method: 'nearest' }).data]).toEqual([2, 4])
    expect([...resizeTo(lineOf([1, 2]), { height: 1, width: 4 }, { method: 'nearest' }).data]).toEqual([
      1, 1, 2, 2,
    ])
  })

  test('linear and Lanczos use their kernels’ weights', () => {
    expect([...resizeTo(lineOf([0, 1]), { height: 1, width: 4 }, { method: 'linear' }).data]).toEqual([
      0, 0.25, 0.75, 1,
    ])
    const impulse = lineOf([0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    const { data } = resizeTo(impulse, { height: 1, width: 20 }, { method: 'lanczos' })
    const weight = (x: number) =>
      (9 * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / 3)) / (Math.PI * x) ** 2 / 3
    const sum = [-2.75, -1.75, -0.75, 0.25, 1.25, 2.25].reduce((total, x) => total + weight(x), 0)
    expect(data[8]).toBeCloseTo(weight(0.25) / sum, 6)
  })

  test('rounds after each pass, starting with the axis that shrinks more', () => {
    const rounding = 'uint8'
    for (const [height, width] of [
      [7, 10],
      [4, 25],
    ] as const) {
      const image = bytes(1, 12, 30)
      const isNarrowing = width / 30 < height / 12
      const first = resizeTo(image, isNarrowing ? { height: 12, width } : { height, width: 30 }, { rounding })
      expect(resizeTo(image, { height, width }, { rounding })).toEqual(
        resizeTo(first, { height, width }, { rounding }),
      )
    }
  })

  test('a size below one pixel is rejected', () => {
    expect(() => resizeTo(noise(1, 4, 4), { height: 0, width: 4 })).toThrow('at least 1 px, got 4 to 0 px')
    expect(() => resizeTo(noise(1, 4, 4), { height: 2, width: 1.5 })).toThrow(RestoreError)
  })
})

test('borderIndex clamps or mirrors indices at any distance beyond an edge', () => {
  const indices = [-7, -2, -1, 0, 2, 3, 4, 9]
  expect(indices.map((i) => borderIndex(i, 3, 'clamp'))).toEqual([0, 0, 0, 0, 2, 2, 2, 2])
  expect(indices.map((i) => borderIndex(i, 3, 'mirror'))).toEqual([0, 1, 0, 0, 2, 2, 1, 2])
})
