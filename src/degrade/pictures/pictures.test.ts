// Properties shared by all synthetic pictures, and statistics of each kind.

import { describe, expect, test } from 'vitest'
import { sinCos } from '../../core/exactMath.ts'
import { counterRandom } from '../../core/random.ts'
import type { Image } from '../../data/image.ts'
import { luminance } from '../numerics/fields.ts'
import { emptyMask, fillBox, fillPolygon, flat, type Point, paint, strokeLine } from './canvas.ts'
import { grating, printed } from './gratings.ts'
import { type PictureName, pictures } from './pictureTable.ts'
import { anyWord, drawGlyph, type Pen } from './strokeFont.ts'

const names = Object.keys(pictures) as PictureName[]
const size = { width: 40, height: 32 }

function many(name: PictureName, count: number, side = 64): readonly Image[] {
  return Array.from({ length: count }, (_, seed) =>
    pictures[name].draw({ width: side, height: side }, counterRandom(seed)),
  )
}

/** Shares of pixels at each of 33 brightness levels, largest first. */
function commonLevels(image: Image): readonly number[] {
  const counts = new Map<number, number>()
  for (const value of luminance(image).values) {
    const level = Math.round(32 * value)
    counts.set(level, (counts.get(level) ?? 0) + 1)
  }
  return [...counts.values()].sort((a, b) => b - a).map((count) => count / (image.width * image.height))
}

describe.each(names)('%s', (name) => {
  const { draw } = pictures[name]

  test('has the size asked for and values of 8 bits, whatever the seed', () => {
    for (let seed = 0; seed < 40; seed++) {
      const image = draw(size, counterRandom(seed))
      expect([image.width, image.height, image.channels, image.data.length]).toEqual([40, 32, 3, 3840])
      const wrong = image.data.findIndex((value) => {
        return !(value >= 0 && value <= 1 && Math.abs(255 * value - Math.round(255 * value)) < 1e-4)
      })
      expect({ seed, wrong }).toEqual({ seed, wrong: -1 })
    }
  })

  test('is the same for the same seed and another for another', () => {
    const [first, again, other] = [3, 3, 4].map((seed) => draw(size, counterRandom(seed)).data)
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
  })

  test('draws pictures of one pixel, and wide ones', () => {
    expect(draw({ width: 1, height: 1 }, counterRandom(1)).data).toHaveLength(3)
    expect(draw({ width: 90, height: 3 }, counterRandom(1)).data).toHaveLength(810)
  })
})

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}

/** Share of pixels whose brightness passes a test. */
function share(image: Image, passes: (value: number) => boolean): number {
  return luminance(image).values.filter(passes).length / (image.width * image.height)
}

test('most pixels of star fields are dark, and some are bright', () => {
  const images = many('stars', 20, 128)
  expect(Math.min(...images.map((image) => share(image, (value) => value < 0.5)))).toBeGreaterThan(0.8)
  expect(images.filter((image) => share(image, (value) => value > 0.7) > 0).length).toBeGreaterThan(12)
})

test('lamps are white where they are brightest, before a dark ground', () => {
  const images = many('lamps', 30)
  expect(median(images.map((image) => share(image, (value) => value < 0.4)))).toBeGreaterThan(0.6)
  const clipped = images.filter((image) => image.data.includes(1))
  expect(clipped.length).toBeGreaterThan(20)
})

test('two levels make up most of a text', () => {
  const shares = many('text', 40).map((image) => {
    const [first = 0, second = 0] = commonLevels(image)
    return first + second
  })
  expect(median(shares)).toBeGreaterThan(0.55)
})

test('gradients change little from pixel to pixel, but for what stands before a sky', () => {
  const steps = many('gradients', 40).map(({ data, width }) => {
    const row = data.subarray(0, width)
    return Math.max(...row.subarray(1).map((value, x) => Math.abs(value - row[x]!)))
  })
  expect(median(steps)).toBeLessThan(0.04)
})

test('leaves are of all sizes: neighbors are alike, and far pixels are not', () => {
  const pairs = many('dead-leaves', 10).map((image) => {
    const { values } = luminance(image)
    const difference = (shift: number) => {
      let sum = 0
      for (let i = 0; i + shift < values.length; i++) sum += (values[i + shift]! - values[i]!) ** 2
      return sum
    }
    return difference(1) / difference(20)
  })
  expect(median(pairs)).toBeLessThan(0.5)
})

test('a grating has its energy at its frequency', () => {
  const [side, frequency] = [64, 12 / 64]
  const pattern = grating({ frequency, turn: [0, 1], phase: 0.1, isSquare: false })
  const image = printed({ width: side, height: side }, pattern, [
    [0, 0, 0],
    [1, 1, 1],
  ])
  const power = Array.from({ length: side / 2 }, (_, k) => {
    let [re, im] = [0, 0]
    for (let x = 0; x < side; x++) {
      const [sin, cos] = sinCos((2 * Math.PI * k * x) / side)
      re += image.data[x]! * cos
      im += image.data[x]! * sin
    }
    return k === 0 ? 0 : re * re + im * im
  })
  const total = power.reduce((sum, value) => sum + value, 0)
  expect(power[12]! / total).toBeGreaterThan(0.99)
})

describe('the canvas', () => {
  const covered = (mask: { values: Float32Array }) => mask.values.reduce((sum, value) => sum + value, 0)

  test('covers as much as a shape has area, wherever it lies', () => {
    const triangle: readonly Point[] = [
      [2.3, 1.2],
      [20.7, 5.1],
      [9.4, 25.8],
    ]
    const area = 0.5 * Math.abs(18.4 * 24.6 - 7.1 * 3.9)
    const mask = emptyMask(size)
    fillPolygon(mask, triangle)
    expect(Math.abs(covered(mask) - area)).toBeLessThan(1)
    const box = emptyMask(size)
    fillBox(box, { left: 3.25, top: 4.5, width: 10, height: 6 }, 0, 1)
    expect(Math.abs(covered(box) - 60)).toBeLessThan(1)
    const line = emptyMask(size)
    strokeLine(line, [5, 5], [30, 25], { width: 3, softness: 1 })
    expect(Math.abs(covered(line) - 3 * Math.sqrt(25 * 25 + 20 * 20) - Math.PI * 1.5 * 1.5)).toBeLessThan(2)
  })

  test('paints what is covered and empties the mask', () => {
    const image = flat(size, [0, 0, 0])
    const mask = emptyMask(size)
    fillBox(mask, { left: 2, top: 3, width: 4, height: 5 }, 0, 1)
    paint(image, mask, [1, 0.5, 0])
    expect(image.data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(20 * 1.5, 5)
    expect(covered(mask)).toBe(0)
  })

  test('shapes beyond the edges are cut off', () => {
    const mask = emptyMask(size)
    strokeLine(mask, [-50, 10], [90, 10], { width: 2, softness: 1 })
    expect(covered(mask)).toBeCloseTo(80, 0)
    strokeLine(mask, [-50, -10], [-20, -40], { width: 2, softness: 1 })
    expect(covered(mask)).toBeCloseTo(80, 0)
  })
})

test('all letters of words leave ink, and different letters different ink', () => {
  const pen: Pen = {
    unit: 2,
    stretch: 1,
    weight: 1.5,
    level: 1,
    slant: 0,
    hasSerifs: false,
    softness: 1,
    turn: [0, 1],
  }
  const inks = new Map<string, string>()
  const random = counterRandom(1)
  for (let i = 0; i < 600; i++) {
    for (const letter of anyWord(random)) {
      const mask = emptyMask({ width: 24, height: 24 })
      expect(drawGlyph(mask, letter, [4, 4], pen)).toBeGreaterThan(0)
      inks.set(letter, mask.values.join(' '))
    }
  }
  expect(inks.size).toBeGreaterThan(70)
  // The capital I and the small l are one line each.
  expect(new Set(inks.values()).size).toBeGreaterThanOrEqual(inks.size - 2)
})
