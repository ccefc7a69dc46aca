import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { viewAs } from '../core/data.ts'
import { decodeImage, encodeImage } from './codec.ts'
import { quantize } from './image.ts'

const rgb = Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => (i * 53) % 256)
const raw = { width: 4, height: 3, channels: 3 } as const

const deepSamples = Uint16Array.from(rgb, (value) => value * 257 - (value > 0 ? 100 : 0))
const deep = (samples: Uint16Array) => sharp(samples, { raw }).toColourspace('rgb16')

/** A 16-bit PNG that stores these samples and says that they are Display P3. */
async function taggedP3(samples: Uint16Array): Promise<Buffer> {
  // sharp takes 16-bit samples for P3, so that nothing is converted.
  return deep(samples).withIccProfile('p3').png().toBuffer()
}

async function deepValues(file: Buffer): Promise<number[]> {
  return [...quantize((await decodeImage(file)).image, 65535, new Uint16Array(36))]
}

async function storedValues(file: Buffer): Promise<number[]> {
  const pipeline = sharp(file, { ignoreIcc: true }).toColourspace('rgb16')
  const bytes = await pipeline.raw({ depth: 'ushort' }).toBuffer()
  return [...viewAs(bytes, Uint16Array)]
}

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
    const plain = await deep(deepSamples).png().toBuffer()
    const { depth, image } = await decodeImage(plain)
    expect([depth, ...quantize(image, 65535, new Uint16Array(36))]).toEqual([16, ...deepSamples])
    const tagged = await deep(deepSamples).withIccProfile('srgb').png().toBuffer()
    expect(await deepValues(tagged)).toEqual(await storedValues(tagged))
  })

  test('16-bit colour in another profile becomes sRGB', async () => {
    // What Display P3 calls (0.8, 0.4, 0.4) is sRGB (0.8596, 0.3704, 0.3865), by the matrices of the two standards.
    const p3 = Uint16Array.from({ length: 36 }, (_, i) => Math.round((i % 3 === 0 ? 0.8 : 0.4) * 65535))
    const { data, width, height } = (await decodeImage(await taggedP3(p3))).image
    const first = [0, 1, 2].map((c) => data[c * width * height] as number)
    for (const [c, value] of [0.8596, 0.3704, 0.3865].entries()) expect(first[c]).toBeCloseTo(value, 2)
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

  test('opacity survives a conversion from another profile', async () => {
    const samples = Uint16Array.from(
      { length: 2 * 4 },
      (_, i) => [52428, 26214, 26214, 300 + i][i % 4] as number,
    )
    const file = await sharp(samples, { raw: { width: 2, height: 1, channels: 4 } })
      .toColourspace('rgb16')
      .withIccProfile('p3')
      .png()
      .toBuffer()
    const { image, alpha } = await decodeImage(file)
    expect([image.channels, ...(alpha ?? [])].map((value) => Math.round(value * 65535))).toEqual([
      3 * 65535,
      303,
      307,
    ])
    expect(image.data[0]).toBeCloseTo(0.8596, 3)
  })

  test('16-bit grey keeps its samples and its opacity', async () => {
    const file = await sharp(Uint16Array.of(1000, 65535, 40001, 777), {
      raw: { width: 2, height: 1, channels: 2 },
    })
      .toColourspace('grey16')
      .png()
      .toBuffer()
    const decoded = await decodeImage(file)
    expect([...quantize(decoded.image, 65535, new Uint16Array(2))]).toEqual([1000, 40001])
    const again = await decodeImage(Buffer.from(await encodeImage(decoded)))
    expect(again).toEqual(decoded)
  })

  test.each(['png', 'webp', 'tiff', 'avif'])('%s keeps opacity', async (format) => {
    const pixels = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => (i % 4 === 3 ? 128 : 200))
    const file = await sharp(pixels, { raw: { width: 16, height: 16, channels: 4 } })
      .png()
      .toBuffer()
    const again = await decodeImage(await encodeImage({ ...(await decodeImage(file)), format }))
    expect(again.format).toBe(format)
    expect(again.image.data[0]).toBeCloseTo(200 / 255, 1)
    expect(again.alpha?.[0]).toBeCloseTo(128 / 255, 2)
  })

  test('a palette is looked up', async () => {
    const pixels = Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => (i % 2) * 255)
    const file = await sharp(pixels, { raw }).png({ palette: true }).toBuffer()
    expect(await roundTrip(file, 'png')).toEqual([...pixels])
  })

  test('a photo is turned upright', async () => {
    const file = await sharp(rgb, { raw }).png().withMetadata({ orientation: 6 }).toBuffer()
    const { image } = await decodeImage(file)
    expect([image.width, image.height]).toEqual([3, 4])
    // A quarter turn clockwise: the first row is the first column from the bottom up.
    const reds = [2, 1, 0].map((row) => rgb[row * 4 * 3])
    expect([...quantize(image, 255, new Uint8Array(36))].filter((_, i) => i % 3 === 0).slice(0, 3)).toEqual(
      reds,
    )
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

  test('an image that is too large for its format is an error of the output', async () => {
    const image = { width: 17000, height: 1, channels: 1, data: new Float32Array(17000) }
    await expect(encodeImage({ image, alpha: undefined, depth: 8, format: 'webp' })).rejects.toMatchObject({
      code: 'output',
      message: expect.stringContaining('webp: the image cannot be encoded'),
    })
  })

  test('a torn image is refused', async () => {
    const file = await sharp(rgb, { raw }).png().toBuffer()
    await expect(decodeImage(file.subarray(0, file.length - 20))).rejects.toThrow(
      'expected a readable still image',
    )
  })

  test('what is no image is refused', async () => {
    await expect(decodeImage(Buffer.from('not an image'))).rejects.toThrow('expected a readable still image')
  })
})
