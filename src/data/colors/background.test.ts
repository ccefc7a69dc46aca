import { expect, test } from 'vitest'
import type { Pixels } from '../image.ts'
import { checkBackground, flatten } from './background.ts'
import { srgbCurve, srgbPrimaries } from './codingPoints.ts'
import { curveTag, grayProfile, rgbProfile } from './matrixProfile.ts'

const p3 = rgbProfile('', { ...srgbPrimaries, red: [0.68, 0.32], green: [0.265, 0.69] }, srgbCurve)

/** Red pixels (or mid-gray ones) of opacity 0, half and full. */
function pixels(channels: 1 | 3, is16Bit = false): Pixels {
  const color = channels === 1 ? [100] : [200, 0, 0]
  const values = [0, 51, 255].flatMap((alpha) => [...color, alpha])
  const data = is16Bit ? Uint16Array.from(values, (value) => value * 257) : Uint8Array.from(values)
  return { width: 3, height: 1, channels, hasAlpha: true, data }
}

test.each([
  ['white in sRGB', 3, undefined, 'white', [255, 255, 255, 244, 204, 204, 200, 0, 0]],
  ['a hexadecimal color', 3, undefined, '#0080ff', [0, 128, 255, 40, 102, 204, 200, 0, 0]],
  ['gray from color', 1, undefined, '#00f', [76, 81, 100]],
  // sRGB's red is (234, 51, 35) in Display P3.
  ['a color in Display P3', 3, p3, 'red', [234, 51, 35, 227, 41, 28, 200, 0, 0]],
  ['white in Display P3', 3, p3, 'white', [255, 255, 255, 244, 204, 204, 200, 0, 0]],
  // 128 of sRGB is 0.2159 in linear light.
  ['gray in linear light', 1, grayProfile('', curveTag([1])), '#808080', [55, 64, 100]],
] as const)('%s shows where pixels are transparent', async (_, channels, icc, background, expected) => {
  for (const is16Bit of [false, true]) {
    const flat = await flatten(pixels(channels, is16Bit), icc, background)
    expect(flat.hasAlpha).toBe(false)
    const levels = Array.from(flat.data, (value) => Math.round(is16Bit ? value / 257 : value))
    for (const [i, level] of levels.entries())
      expect(Math.abs(level - expected[i]!), `${levels}`).toBeLessThanOrEqual(1)
  }
})

test('opaque pixels stay as they are', async () => {
  const opaque = { ...pixels(3), hasAlpha: false }
  expect(await flatten(opaque, undefined, 'white')).toBe(opaque)
})

test('what is no color is refused', () => {
  checkBackground('rgb(1, 2, 3)')
  expect(() => checkBackground('nothing')).toThrow(
    "background: expected a color as in CSS, such as white or '#ff8800', got nothing",
  )
})
