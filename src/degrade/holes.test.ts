import { expect, test } from 'vitest'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { cutHoles, holes } from './holes.ts'

const image: Image = { width: 64, height: 48, channels: 3, data: new Float32Array(3 * 64 * 48).fill(0.25) }

test.each(['strokes', 'blocks', 'text', 'any'] as const)(
  '%s cover the given share and are white in all channels',
  (shape) => {
    for (const coverage of [0.05, 0.3]) {
      const { data } = holes.apply(image, { shape, thickness: 3, coverage }, counterRandom(4))
      const pixels = 64 * 48
      const white = data.slice(0, pixels).filter((value) => value === 1).length / pixels
      expect(white).toBeGreaterThanOrEqual(coverage)
      expect(white).toBeLessThan(coverage + 0.2)
      expect(data.every((value) => value === 1 || value === 0.25)).toBe(true)
      expect(data.slice(pixels, 2 * pixels)).toEqual(data.slice(0, pixels))
    }
  },
)

test('a coverage of 0 leaves the image unchanged', () => {
  expect(holes.apply(image, { shape: 'any', thickness: 3, coverage: 0 }, counterRandom(4))).toEqual(image)
})

test('thicker strokes have fewer edges for the same area', () => {
  const edges = (thickness: number) => {
    const { data } = holes.apply(image, { shape: 'strokes', thickness, coverage: 0.25 }, counterRandom(2))
    return data.slice(1, 64 * 48).filter((value, i) => value !== data[i]).length
  }
  expect(edges(8)).toBeLessThan(0.7 * edges(2))
})

test('cutHoles resizes a mask to the image', () => {
  const mask: Image = { width: 2, height: 2, channels: 1, data: Float32Array.of(1, 0, 1, 1) }
  const { data } = cutHoles(image, mask)
  const at = (x: number, y: number) => data[y * 64 + x]
  expect([at(0, 0), at(31, 23), at(32, 0), at(63, 23), at(63, 24)]).toEqual([0.25, 0.25, 1, 1, 0.25])
})

test('a color mask is rejected', () => {
  const mask: Image = { width: 1, height: 1, channels: 3, data: new Float32Array(3) }
  expect(() => cutHoles(image, mask)).toThrow(
    'holes: expected a gray mask, got 3 channels; convert it to gray',
  )
})
