import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodeImage, encodeImage } from './codec.ts'
import { quantize, roundHalfEven } from './image.ts'

const rgb = Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => (i * 53) % 256)
const raw = { width: 4, height: 3, channels: 3 } as const

async function roundTrip(file: Buffer, format: string): Promise<number[]> {
  const decoded = await decodeImage(file)
  const { data } = await sharp(await encodeImage({ ...decoded, format }))
    .raw()
    .toBuffer({ resolveWithObject: true })
  return [...data]
}

describe('images in and out', () => {
  test('8-bit colour comes back bit for bit', async () => {
    expect(await roundTrip(await sharp(rgb, { raw }).png().toBuffer(), 'png')).toEqual([...rgb])
  })

  test('16-bit colour keeps its samples, tagged as sRGB or not', async () => {
    const samples = Uint16Array.from(rgb, (value) => value * 257 - (value > 0 ? 100 : 0))
    const plain = await sharp(samples, { raw }).toColourspace('rgb16').png().toBuffer()
    const decoded = await decodeImage(plain)
    expect(decoded.depth).toBe(16)
    expect([...quantize(decoded.image, 65535, new Uint16Array(36))]).toEqual([...samples])
    const tagged = await sharp(samples, { raw })
      .toColourspace('rgb16')
      .withIccProfile('srgb')
      .png()
      .toBuffer()
    const stored = await sharp(tagged, { ignoreIcc: true })
      .toColourspace('rgb16')
      .raw({ depth: 'ushort' })
      .toBuffer()
    const { image } = await decodeImage(tagged)
    expect(Buffer.from(quantize(image, 65535, new Uint16Array(36)).buffer)).toEqual(stored)
  })

  test('grey with opacity stays grey and keeps its opacity', async () => {
    const pixels = Uint8Array.of(10, 255, 200, 128)
    const file = await sharp(pixels, { raw: { width: 2, height: 1, channels: 2 } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    const { image, alpha } = await decodeImage(file)
    expect([image.channels, ...quantize(image, 255, new Uint8Array(2))]).toEqual([1, 10, 200])
    expect([...(alpha ?? [])].map((value) => Math.round(value * 255))).toEqual([255, 128])
  })

  test('transparency is not thrown away by a format that has none', async () => {
    const file = await sharp(new Uint8Array(16), { raw: { width: 2, height: 2, channels: 4 } })
      .png()
      .toBuffer()
    const decoded = await decodeImage(file)
    await expect(encodeImage({ ...decoded, format: 'jpg' })).rejects.toThrow(
      'jpg has no transparency, which the image has',
    )
    await expect(encodeImage({ ...decoded, format: 'gif' })).rejects.toThrow(
      'expected a format among png, jpg',
    )
  })

  test('a photo is turned upright', async () => {
    const file = await sharp(rgb, { raw }).jpeg().withMetadata({ orientation: 6 }).toBuffer()
    const { image } = await decodeImage(file)
    expect([image.width, image.height]).toEqual([3, 4])
  })

  test('CMYK becomes sRGB', async () => {
    const file = await sharp(rgb, { raw }).toColourspace('cmyk').jpeg().toBuffer()
    expect((await decodeImage(file)).image.channels).toBe(3)
  })

  test('an animation is refused', async () => {
    const frames = await sharp(
      new Uint8Array(2 * 4 * 3).map((_, i) => i * 9),
      {
        raw: { width: 2, height: 4, channels: 3, pageHeight: 2 },
      },
    )
      .gif()
      .toBuffer()
    await expect(decodeImage(frames)).rejects.toThrow(
      'expected a readable still image, got: an animation or document of 2 pages',
    )
  })

  test('what is no image is refused', async () => {
    await expect(decodeImage(Buffer.from('not an image'))).rejects.toThrow('expected a readable still image')
  })
})

test('halves round to even', () => {
  expect([0.5, 1.5, 2.5, 3.49, 254.5].map(roundHalfEven)).toEqual([0, 2, 2, 3, 254])
})
