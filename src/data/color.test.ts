import { expect, test } from 'vitest'
import { luma, rgbToYcbcr, swapRedBlue, withChannels, ycbcrToRgb } from './color.ts'
import type { Image } from './image.ts'

/** A one-row image of the given colors, in levels 0..255. */
function pixels(...colors: readonly (readonly number[])[]): Image {
  const channels = colors[0]!.length
  const data = Float32Array.from(
    { length: channels * colors.length },
    (_, i) => colors[i % colors.length]![Math.floor(i / colors.length)]! / 255,
  )
  return { width: colors.length, height: 1, channels, data }
}

const levels = ({ data }: Image) => Array.from(data, (value) => value * 255)

/** Largest difference between two lists of levels. */
function difference(a: readonly number[], b: readonly number[]): number {
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0)
}

const palette = pixels([255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 64, 32], [0, 0, 0])

test('Y matches MATLAB’s documented values', () => {
  const expected = [235, 81.481, 144.553, 40.966, 84.26617, 16]
  expect(difference(levels(luma(palette)), expected)).toBeLessThan(1e-4)
  expect(difference(levels(luma(palette, 'uint8')), expected.map(Math.round))).toBeLessThan(1e-4)
})

test('Y is the first channel of YCbCr, and white has neutral chroma', () => {
  const [y, cb, cr] = [0, 1, 2].map((c) => levels(rgbToYcbcr(palette)).slice(c * 6, c * 6 + 6))
  expect(y).toEqual(levels(luma(palette)))
  expect(cb![0]).toBeCloseTo(128, 4)
  expect(cr![0]).toBeCloseTo(128, 4)
})

test('YCbCr round-trips to RGB, within 1.5 levels when rounded', () => {
  const back = levels(ycbcrToRgb(rgbToYcbcr(palette)))
  expect(difference(back, levels(palette))).toBeLessThan(0.01)
  const rounded = levels(ycbcrToRgb(rgbToYcbcr(palette, 'uint8'), 'uint8'))
  expect(difference(rounded, rounded.map(Math.round))).toBeLessThan(1e-4)
  expect(difference(rounded, levels(palette))).toBeLessThan(1.5)
})

test('swapping red and blue twice changes nothing', () => {
  expect(levels(swapRedBlue(palette)).slice(0, 6)).toEqual(levels(palette).slice(12))
  expect(swapRedBlue(swapRedBlue(palette))).toEqual(palette)
})

test('a gray image is rejected with the function and its channel count', () => {
  expect(() => luma(pixels([1], [2]))).toThrow(/luma: expected an image with 3 channels, got 1/)
})

test('gray expands to three channels, and color becomes whole levels of gray', () => {
  const gray = pixels([10], [20])
  const filled = withChannels(gray, 3)
  expect(levels(filled).map(Math.round)).toEqual([10, 20, 10, 20, 10, 20])
  expect(levels(withChannels(filled, 1)).map(Math.round)).toEqual([10, 20])
  expect(levels(withChannels(pixels([255, 0, 0]), 1))[0]).toBeCloseTo(76, 4)
})
