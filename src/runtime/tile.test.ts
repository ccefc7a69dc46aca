import { expect, test } from 'vitest'
import { chooseTile, usualOverlap } from './tile.ts'

const memory = { fixedBytes: 1e9, bytesPerPixel: 5000 }

test('an image is tiled where its peak exceeds half of the free memory', () => {
  const megapixel = { width: 1000, height: 1000 }
  expect(chooseTile(megapixel, memory, 12e9)).toBeUndefined()
  expect(chooseTile(megapixel, memory, 11.99e9)).toBe(512)
})

test('an image no larger than a tile stays whole, as tiles would take no less', () => {
  expect(chooseTile({ width: 512, height: 512 }, memory, 0)).toBeUndefined()
  expect(chooseTile({ width: 513, height: 512 }, memory, 0)).toBe(512)
})

test('the usual overlap is a quarter of the tile in steps of 8, at most 32, and below the tile', () => {
  expect([8, 16, 24, 32, 64, 96, 128, 512].map(usualOverlap)).toEqual([0, 8, 8, 8, 16, 24, 32, 32])
  for (let side = 1; side < 600; side++) expect(usualOverlap(side)).toBeLessThan(side)
})
