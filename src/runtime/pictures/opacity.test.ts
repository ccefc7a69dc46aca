import { expect, test } from 'vitest'
import type { Pixels } from '../../data/image.ts'
import { opacityOf, visibleColors } from './opacity.ts'
import { upscale } from './resample.ts'

/** Gray picture with opacity, from [color, opacity] pairs. */
function pixels(width: number, pairs: readonly (readonly [number, number])[]): Pixels {
  const data = Uint8Array.from(pairs.flat())
  return { width, height: pairs.length / width, channels: 1, hasAlpha: true, data }
}

test.each([0, 1, 15])(
  'pixels of opacity %i take the color of the nearest visible one, in a copy',
  (opacity) => {
    const [x, y, hidden] = [
      [200, 255],
      [50, 16],
      [0, opacity],
    ] as const
    const picture = pixels(5, [x, hidden, hidden, hidden, y, ...Array(5).fill(hidden)])
    const before = picture.data.slice()
    const { data } = visibleColors(picture)
    const colors = [...data].filter((_, i) => i % 2 === 0)
    expect([colors[1], colors[3], colors[5], colors[6], colors[9]]).toEqual([200, 50, 200, 200, 50])
    expect([200, 50]).toContain(colors[2])
    expect([...data].filter((_, i) => i % 2 === 1)).toEqual([...before].filter((_, i) => i % 2 === 1))
    expect(picture.data).toEqual(before)
  },
)

test('the nearest visible pixel is found in every direction', () => {
  const width = 23
  const height = 17
  const visible = [0, 77, 200, 391 - 1]
  const pairs = Array.from(
    { length: width * height },
    (_, i) => [visible.includes(i) ? 1 + visible.indexOf(i) : 0, visible.includes(i) ? 9 : 0] as const,
  )
  const { data } = visibleColors(pixels(width, pairs))
  const squared = (i: number, j: number) =>
    ((i % width) - (j % width)) ** 2 + (Math.floor(i / width) - Math.floor(j / width)) ** 2
  for (let i = 0; i < width * height; i++) {
    const distances = visible.map((j) => squared(i, j))
    const found = distances[data[2 * i]! - 1]!
    // The two passes may miss the nearest by less than a pixel.
    expect(Math.sqrt(found) - Math.sqrt(Math.min(...distances))).toBeLessThan(0.5)
  }
})

test('pictures with no transparent pixels, or only transparent ones, are not copied', () => {
  for (const opacity of [255, 0]) {
    const picture = pixels(1, [[7, opacity]])
    expect(visibleColors(picture)).toBe(picture)
    expect(opacityOf(picture)).toBeUndefined()
  }
})

test('upscaling preserves constants and aligns ramps like bilinear interpolation', () => {
  const flat = upscale({ width: 3, height: 2, channels: 2, data: new Float32Array(12).fill(0.3) }, 3)
  expect([flat.width, flat.height, flat.data.length]).toEqual([9, 6, 108])
  for (const value of flat.data) expect(value).toBeCloseTo(0.3, 6)
  const ramp = upscale(
    { width: 8, height: 1, channels: 1, data: Float32Array.from({ length: 8 }, (_, i) => i) },
    2,
  )
  for (let x = 4; x < 12; x++) expect(ramp.data[x]).toBeCloseTo((x + 0.5) / 2 - 0.5, 5)
})
