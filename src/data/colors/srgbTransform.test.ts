import sharp from 'sharp'
import { expect, test } from 'vitest'
import type { Pixels } from '../image.ts'
import { convertByProfile } from '../sharpRaster.ts'
import { srgbPrimaries } from './codingPoints.ts'
import { srgbDecode, srgbEncode } from './curves.ts'
import { curveTag, grayProfile, rgbProfile } from './matrixProfile.ts'
import { srgbTransform } from './srgbTransform.ts'

const p3 = { ...srgbPrimaries, red: [0.68, 0.32], green: [0.265, 0.69] } as const

/** Pseudorandom colors with alpha. */
function pixels(channels: 1 | 3, peak: 255 | 65535): Pixels {
  const values = Array.from({ length: 200 * (channels + 1) }, (_, i) =>
    Math.floor(((i * 0.618034) % 1) * (peak + 1)),
  )
  const data = peak === 255 ? Uint8Array.from(values) : Uint16Array.from(values)
  return { width: 200, height: 1, channels, hasAlpha: true, data }
}

/** From linear Display P3 to linear sRGB, both under D65, by the chromaticities of the two standards. */
const p3ToSrgb: readonly (readonly number[])[] = [
  [1.22494, -0.22494, 0],
  [-0.04206, 1.04206, 0],
  [-0.01964, -0.07864, 1.09827],
]

test.each([255, 65535] as const)(
  'Display P3 of a white level of %i becomes sRGB, and alpha stays',
  async (peak) => {
    const curve = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045] as const
    const source = pixels(3, peak)
    const { data } = (await srgbTransform(rgbProfile('', p3, curve), convertByProfile))(source)
    for (let i = 0; i < data.length; i += 4) {
      const linear = [0, 1, 2].map((c) => srgbDecode(source.data[i + c]! / peak))
      for (const [c, row] of p3ToSrgb.entries()) {
        const value = row.reduce((sum, weight, k) => sum + weight * linear[k]!, 0)
        const expected = srgbEncode(Math.min(Math.max(value, 0), 1))
        expect(Math.abs(data[i + c]! / 65535 - expected)).toBeLessThan(0.25 / 255)
      }
      expect(data[i + 3]).toBe(source.data[i + 3]! * (65535 / peak))
    }
  },
)

test('linear gray becomes sRGB', async () => {
  const { data } = (await srgbTransform(grayProfile('', curveTag([1])), convertByProfile))(pixels(1, 255))
  const source = pixels(1, 255).data
  for (let i = 0; i < data.length; i += 2) {
    const linear = source[i]! / 255
    const expected = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055
    expect(data[i]! / 65535).toBeCloseTo(expected, 4)
  }
  expect(data[1]).toBe(source[1]! * 257)
})

test('a profile of tables is interpolated from what libvips makes of a grid', async () => {
  const icc = tableProfile()
  const { data } = (await srgbTransform(icc, convertByProfile))(pixels(3, 255))
  const source = pixels(3, 255).data
  const swapped = source.map((_, i) => source[i % 4 === 0 ? i + 2 : i % 4 === 2 ? i - 2 : i]!)
  const differences = data.map((value, i) => Math.abs(Math.round(value / 257) - swapped[i]!))
  expect(Math.max(...differences)).toBeLessThanOrEqual(2)
})

test('sRGB and samples without a profile stay as they are', async () => {
  const source = pixels(3, 255)
  const file = await sharp(source.data, { raw: { width: 200, height: 1, channels: 4 } })
    .withIccProfile('srgb')
    .png()
    .toBuffer()
  for (const icc of [undefined, (await sharp(file).metadata()).icc]) {
    expect((await srgbTransform(icc, convertByProfile))(source)).toBe(source)
  }
})

/** sRGB with red and blue swapped, as tables only (lut16Type, ICC.1:2022, 10.10). */
function tableProfile(): Uint8Array {
  const matrix = [0.4361, 0.3851, 0.1431, 0.2225, 0.7169, 0.0606, 0.0139, 0.0971, 0.7141]
  const curve = Array.from({ length: 1024 }, (_, i) => {
    const value = i / 1023
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  const u16 = (values: readonly number[]) =>
    values.flatMap((value) => {
      const whole = Math.min(Math.max(Math.round(value * 65535), 0), 65535)
      return [whole >> 8, whole & 255]
    })
  const fixed = (value: number) => [0, value, 0, 0]
  const corners = Array.from({ length: 8 }, (_, corner) => {
    // XYZ up to 1 + 32767/32768 spans 16 bits; the first channel varies slowest, and is blue.
    const rgb = [corner & 1, (corner >> 1) & 1, corner >> 2]
    return [0, 3, 6].map((row) => rgb.reduce((sum, v, c) => sum + v * matrix[row + c]!, 0) * (32768 / 65535))
  })
  const table = Buffer.from([
    ...Buffer.from('mft2\0\0\0\0\x03\x03\x02\0', 'latin1'),
    ...[1, 0, 0, 0, 1, 0, 0, 0, 1].flatMap(fixed),
    ...[4, 0, 0, 2],
    ...u16([...curve, ...curve, ...curve, ...corners.flat(), 0, 1, 0, 1, 0, 1]),
  ])
  const base = Buffer.from(rgbProfile('', srgbPrimaries, [1])!)
  // One tag of tables in place of all curves and primaries; the required texts and white point stay.
  const kept = 3
  const count = base.readUInt32BE(128)
  const entries = base.subarray(132, 132 + 12 * kept)
  const entry = Buffer.alloc(12)
  entry.write('A2B0', 'latin1')
  entry.writeUInt32BE(base.length, 4)
  entry.writeUInt32BE(table.length, 8)
  const filler = Buffer.alloc(12 * (count - kept - 1))
  const profile = Buffer.concat([
    base.subarray(0, 132),
    entries,
    entry,
    filler,
    base.subarray(132 + 12 * count),
    table,
  ])
  profile.writeUInt32BE(profile.length, 0)
  profile.writeUInt32BE(kept + 1, 128)
  // Version 2, whose perceptual black is that of the sRGB built into libvips.
  profile.writeUInt32BE(0x02400000, 8)
  return profile
}
