import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodeBytes } from '../decode.ts'
import type { Pixels } from '../image.ts'
import { encodeJpeg } from './jpegEncoder.ts'
import { decodePng, encodePng } from './pngSamples.ts'

function pixels(channels: number, hasAlpha: boolean, peak = 255): Pixels {
  const [width, height] = [37, 21]
  const count = width * height * (channels + (hasAlpha ? 1 : 0))
  const value = (i: number) => Math.round(((Math.sin(i / 7) + 1) / 2) * peak)
  const data =
    peak > 255
      ? Uint16Array.from({ length: count }, (_, i) => value(i))
      : Uint8Array.from({ length: count }, (_, i) => value(i))
  return { width, height, channels, hasAlpha, data }
}

const rawOf = ({ width, height, channels, hasAlpha, data }: Pixels) =>
  sharp(data, { raw: { width, height, channels: (channels + (hasAlpha ? 1 : 0)) as 3 } })

describe('samples of a PNG', () => {
  test.each([
    ['gray', pixels(1, false)],
    ['gray with opacity', pixels(1, true)],
    ['color', pixels(3, false)],
    ['color with opacity', pixels(3, true)],
    ['gray in 16 bits', pixels(1, false, 65535)],
    ['color in 16 bits', pixels(3, true, 65535)],
  ])('%s come back from Limpid and from libpng', async (_, source) => {
    const file = await encodePng(source)
    expect(await decodePng(file)).toEqual(source)
    expect((await decodeBytes(file)).pixels).toEqual(source)
  })

  test.each([
    ['interlaced', { progressive: true }],
    ['of a palette', { palette: true, colours: 8 }],
    ['of two colors, one bit each', { palette: true, colours: 2 }],
  ])('%s are read like libpng reads them', async (_, options) => {
    const file = await rawOf(pixels(3, false)).png(options).toBuffer()
    const read = await decodePng(file)
    const expected = await sharp(file).toColourspace('srgb').raw().toBuffer()
    expect(Buffer.compare(Buffer.from(read.data), expected)).toBe(0)
  })

  test('a file that ends too early is refused', async () => {
    const file = await encodePng(pixels(3, false))
    await expect(decodePng(file.subarray(0, 400))).rejects.toThrow('a damaged PNG')
  })
})

test.each([1, 3])('a JPEG of %d channel(s) is what libjpeg writes at the same quality', async (channels) => {
  const source = pixels(channels, false)
  const own = await sharp(await encodeJpeg(source, 90))
    .raw()
    .toBuffer()
  const options = { quality: 90, chromaSubsampling: '4:4:4' }
  const theirs = await sharp(await rawOf(source).jpeg(options).toBuffer())
    .raw()
    .toBuffer()
  expect(Buffer.compare(own, theirs)).toBe(0)
})
