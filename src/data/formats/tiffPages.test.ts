import { describe, expect, test } from 'vitest'
import { type Directory, tiffOf } from '../../../test/tiffs.ts'
import { decodeBytes, imageSize } from '../decode.ts'

const page = (width: number, gray: number, more: Partial<Directory> = {}): Directory => {
  return { width, height: 3, gray, ...more }
}
const reduced = [[254, 4, 1]] as const
const mask = [[254, 4, 4]] as const
const full = page(40, 200)

describe('of a TIFF', () => {
  test.each<[string, readonly Directory[]]>([
    ['alone', [full]],
    ['before its thumbnail', [full, page(5, 9, { entries: reduced })]],
    ['after its preview', [page(5, 9, { entries: reduced }), full]],
    ['after its preview, marked the old way', [page(5, 9, { entries: [[255, 3, 2]] }), full]],
    ['below its preview', [page(5, 9, { entries: reduced, below: [full] })]],
    [
      'second below its preview',
      [page(5, 9, { entries: reduced, below: [page(9, 7, { entries: reduced }), full] })],
    ],
    ['below one without a mark', [page(5, 9, { below: [full] })]],
    ['before its thumbnail of EXIF', [full, page(5, 9, { entries: [[513, 4, 8]] })]],
    ['before its mask', [full, page(40, 9, { entries: mask })]],
    ['above smaller ones', [page(40, 200, { below: [page(20, 9, { entries: reduced })] })]],
    ['marked as a preview of nothing', [page(40, 200, { entries: reduced })]],
  ])('the picture %s is read', async (_, pages) => {
    const file = tiffOf(pages)
    const { pixels } = await decodeBytes(file)
    expect([pixels.width, pixels.data[0]]).toEqual([40, 200])
    expect((await imageSize(file)).width).toBe(40)
  })

  test.each<[string, readonly Directory[], string]>([
    [
      'a raw file',
      [page(5, 9, { entries: reduced, below: [page(40, 9, { entries: [[262, 3, 32803]] })] })],
      "a camera's raw file",
    ],
    ['a linear DNG', [page(40, 9, { entries: [[50706, 1, 1]] })], "a camera's raw file"],
    ['two pages', [full, full], 'an animation or document of 2 pages'],
    [
      'two pages below previews',
      [1, 2].map(() => page(5, 9, { entries: reduced, below: [full] })),
      'an animation or document of 2 pages',
    ],
    ['YCbCr', [page(40, 9, { entries: [[262, 3, 6]] })], 'a TIFF in YCbCr colors without JPEG compression'],
    ['12 bits', [page(40, 9, { entries: [[258, 3, 12]] })], 'a TIFF of 12 bits per sample; convert it'],
    ['LogLuv', [page(40, 9, { entries: [[262, 3, 32845]] })], 'a TIFF in LogLuv colors; convert it to RGB'],
  ])('%s is refused by name', async (_, pages, reason) => {
    await expect(decodeBytes(tiffOf(pages))).rejects.toThrow(reason)
    await expect(imageSize(tiffOf(pages))).rejects.toThrow(reason)
  })

  test('a picture below its preview is turned as that states', async () => {
    const entries = [...reduced, [274, 3, 6]] as const
    const file = tiffOf([page(5, 9, { entries, below: [full] })])
    const { pixels } = await decodeBytes(file)
    expect([pixels.width, pixels.height]).toEqual([3, 40])
    expect(await imageSize(file)).toMatchObject({ width: 3, height: 40 })
  })

  test('directories beyond the end are a truncated file, and those in a ring are read once', async () => {
    const file = tiffOf([full])
    await expect(decodeBytes(file.subarray(0, 40))).rejects.toThrow('a truncated TIFF')
    const ring = Buffer.from(file)
    ring.writeUInt32LE(8, 10 + ring.readUInt16LE(8) * 12)
    expect((await imageSize(ring)).width).toBe(40)
  })
})

/** 8 × 1 pixels in CIELAB, under D50. */
const lab = {
  'LZW, 8 bits, by Pillow':
    'SUkqACIAAACAIQjjlasIbkcbKF/gCGQxEwxdv0kD8XMyAgoAAAEDAAEAAAAIAAAAAQEDAAEAAAABAAAAAgEDAAMAAACgAAAAAwEDAAEAAAAFAAAABgEDAAEAAAAIAAAAEQEEAAEAAAAIAAAAFQEDAAEAAAADAAAAFgEDAAEAAAABAAAAFwEEAAEAAAAaAAAAHAEDAAEAAAABAAAAAAAAAAgACAAIAA==',
  '16 bits, big-endian':
    'TU0AKgAAAAgADQEAAAQAAAABAAAACAEBAAQAAAABAAAAAQECAAMAAAADAAAAqgEDAAMAAAABAAEAAAEGAAMAAAABAAgAAAERAAQAAAABAAAAwAEVAAMAAAABAAMAAAEWAAQAAAABAAAAAQEXAAQAAAABAAAAMAEaAAUAAAABAAAAsAEbAAUAAAABAAAAuAEcAAMAAAABAAEAAAEoAAMAAAABAAEAAAAAAAAAEAAQABAAAAABAAAAAQAAAAEAAAABhPJHSjiWtV/BxjayR3I1laEO//8ABP/8AAAAAAAAiS0AA//+u6H8uEe5P5ouTsv2',
  'raised, 8 bits':
    'SUkqAAgAAAANAAABBAABAAAACAAAAAEBBAABAAAAAQAAAAIBAwADAAAAqgAAAAMBAwABAAAAAQAAAAYBAwABAAAACQAAABEBBAABAAAAwAAAABUBAwABAAAAAwAAABYBBAABAAAAAQAAABcBBAABAAAAGAAAABoBBQABAAAAsAAAABsBBQABAAAAuAAAABwBAwABAAAAAQAAACgBAwABAAAAAQAAAAAAAAAIAAgACAABAAAAAQAAAAEAAAABAAAAhMe5tUK3R7Yh/4CAAICAiYCAu33IP65M',
}

test.each(Object.entries(lab))('CIELAB (%s) is converted to sRGB, with a note', async (name, base64) => {
  const file = Buffer.from(base64, 'base64')
  const { pixels, notes, depth, metadata } = await decodeBytes(file)
  const is16Bit = name.startsWith('16')
  expect([depth, notes, metadata?.icc]).toEqual([
    is16Bit ? 16 : 8,
    ['CIELAB was converted to sRGB'],
    undefined,
  ])
  const colors = [
    235, 40, 30, 30, 200, 60, 20, 30, 220, 255, 255, 255, 0, 0, 0, 128, 128, 128, 200, 180, 20, 90, 20, 140,
  ]
  const errors = colors.map((value, i) => Math.abs(pixels.data[i]! / (is16Bit ? 257 : 1) - value))
  // Steps of a* and b* in 8 bits are several of sRGB's in dark blue.
  expect(Math.max(...errors)).toBeLessThanOrEqual(is16Bit ? 0.1 : 4)
  expect(await imageSize(file)).toMatchObject({ width: 8, height: 1 })
})
