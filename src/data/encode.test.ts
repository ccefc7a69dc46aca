import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { heifColors } from './colors/heifColors.ts'
import { type DecodedPixels, decodeBytes } from './decode.ts'
import { encodeBytes, encodingNotes } from './encode.ts'
import type { BitDepth, Pixels } from './image.ts'

const [width, height] = [32, 16]

/** Ramps across the width, with alpha that falls. */
function ramps(channels: 1 | 3, hasAlpha: boolean, depth: BitDepth = 8): Pixels {
  const step = channels + (hasAlpha ? 1 : 0)
  const values = Array.from({ length: width * height * step }, (_, i) => {
    const x = Math.floor(i / step) % width
    return i % step === channels ? 255 - x : 8 * x
  })
  const data = depth === 8 ? Uint8Array.from(values) : Uint16Array.from(values, (value) => value * 257)
  return { width, height, channels, hasAlpha, data }
}

function image(pixels: Pixels, format: string, more: Partial<DecodedPixels> = {}): DecodedPixels {
  return { pixels, depth: pixels.data instanceof Uint16Array ? 16 : 8, format, ...more }
}

describe('opacity', () => {
  const opaque = (pixels: Pixels) => {
    const data = pixels.data.map((value, i) => (i % (pixels.channels + 1) === pixels.channels ? 255 : value))
    return { ...pixels, data: data as Uint8Array }
  }

  test.each([1, 3] as const)(
    'that is full everywhere is left out of JPEG, with %i color channels',
    async (channels) => {
      const { pixels } = await decodeBytes(await encodeBytes(image(opaque(ramps(channels, true)), 'jpg')))
      expect([pixels.channels, pixels.hasAlpha]).toEqual([channels, false])
      const png = await decodeBytes(await encodeBytes(image(opaque(ramps(channels, true)), 'png')))
      expect(png.pixels.hasAlpha).toBe(true)
    },
  )

  test('that is less anywhere is refused in JPEG, unless there is a background', async () => {
    await expect(encodeBytes(image(ramps(3, true), 'jpg'))).rejects.toThrow(
      'expected a format with transparency, which the image has, got jpg; use png, webp, tif, tiff, avif (--format), or give a color to put behind it (--background)',
    )
    for (const format of ['jpg', 'png', 'webp']) {
      const file = await encodeBytes(image(ramps(3, true), format), { background: '#ff0000', quality: 100 })
      const { pixels } = await decodeBytes(file)
      expect(pixels.hasAlpha).toBe(false)
      // The last column has color 248 and opacity 224.
      const last = [...pixels.data.subarray(93, 96)]
      for (const [c, value] of [249, 218, 218].entries()) expect(Math.abs(last[c]! - value)).toBeLessThan(6)
    }
  })
})

describe('gray in AVIF', () => {
  test.each([8, 10, 12] as const)('of %i bits is monochrome, with and without opacity', async (depth) => {
    for (const hasAlpha of [false, true]) {
      const source = ramps(1, hasAlpha, depth)
      const xmp = Buffer.from('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
      const picture = image(source, 'avif', { depth, metadata: { xmp } })
      const file = await encodeBytes(picture, { quality: 100 })
      expect(heifColors(file)).toMatchObject({ isMonochrome: true, isDeep: depth > 8 })
      const decoded = await decodeBytes(file)
      expect(decoded).toMatchObject({
        depth,
        format: 'avif',
        pixels: { channels: 1, hasAlpha, width, height },
      })
      expect(decoded.metadata?.xmp).toBeDefined()
      const unit = depth === 8 ? 1 : 65535 / (2 ** depth - 1)
      const differences = decoded.pixels.data.map((value, i) => Math.abs(value - source.data[i]!))
      expect(Math.max(...differences)).toBeLessThanOrEqual(unit)
    }
  })
})

test('a lossless WebP stays lossless, transparent colors included, unless a quality is asked for', async () => {
  const source = ramps(3, true)
  source.data[3] = 0
  const file = await encodeBytes(image(source, 'webp', { isLossless: true }))
  const decoded = await decodeBytes(file)
  expect([decoded.isLossless, ...decoded.pixels.data]).toEqual([true, ...source.data])
  expect((await decodeBytes(await encodeBytes(decoded, { quality: 90 }))).isLossless).toBe(false)
  const lossy = await sharp(await encodeBytes(image(source, 'png')))
    .webp()
    .toBuffer()
  expect((await decodeBytes(lossy)).isLossless).toBe(false)
})

test.each([true, false])('a frame of an animated WebP is lossless, as its file is: %s', async (lossless) => {
  const { data } = ramps(3, false)
  const frames = [data, data.toReversed()].map((one) =>
    sharp(one, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  )
  const file = await sharp(await Promise.all(frames), { join: { animated: true } })
    .webp({ lossless })
    .toBuffer()
  expect((await decodeBytes(file, { page: 2 })).isLossless).toBe(lossless)
})

test.each([8, 10, 12] as const)(
  'a lossless AVIF of %i bits stays lossless, unless a quality is asked for',
  async (depth) => {
    for (const [channels, hasAlpha] of [
      [3, false],
      [3, true],
      [1, false],
      [1, true],
    ] as const) {
      const source = ramps(channels, hasAlpha, depth)
      const decoded = await decodeBytes(await encodeBytes(image(source, 'avif', { depth, isLossless: true })))
      expect([decoded.isLossless, decoded.depth, decoded.pixels.channels]).toEqual([true, depth, channels])
      const again = await decodeBytes(await encodeBytes(decoded))
      expect([again.isLossless, [...again.pixels.data]]).toEqual([true, [...decoded.pixels.data]])
      const errors = source.data.map((value, i) => Math.abs(decoded.pixels.data[i]! - value))
      expect(Math.max(...errors)).toBeLessThanOrEqual(depth === 8 ? 0 : 65535 / (2 ** depth - 1) / 2 + 1)
      expect((await decodeBytes(await encodeBytes(decoded, { quality: 90 }))).isLossless).toBe(false)
    }
  },
)

test.each([
  [8, 'jpg', 8, []],
  [16, 'jpg', 8, ['its 16 bits per sample became 8, since jpg holds 8']],
  [12, 'webp', 8, ['its 12 bits per sample became 8, since webp holds 8']],
  [16, 'avif', 12, ['its 16 bits per sample became 12, since avif holds 8, 10, 12']],
  [10, 'avif', 10, []],
  [10, 'png', 16, ['its 10 bits per sample became 16, since png holds 8, 16']],
  [16, 'tiff', 16, []],
] as const)('%i bits in %s become %i', async (depth, format, written, notes) => {
  const picture = image(ramps(3, false, depth), format, { depth })
  expect((await decodeBytes(await encodeBytes(picture))).depth).toBe(written)
  expect(encodingNotes(format, picture)).toEqual(notes)
})
