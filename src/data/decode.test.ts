import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { viewAs } from '../core/data.ts'
import { decodeBytes, decodeImage, imageSize } from './decode.ts'
import { encodeImage } from './encode.ts'
import { quantize } from './image.ts'

const rgb = Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => (i * 53) % 256)
const layout = { width: 4, height: 3, channels: 3 } as const

const deepSamples = Uint16Array.from(rgb, (value) => value * 257 - (value > 0 ? 100 : 0))
const deep = (samples: Uint16Array) => sharp(samples, { raw: layout }).toColourspace('rgb16')

/** A 16-bit PNG with these samples, tagged as Display P3. */
async function taggedP3(samples: Uint16Array): Promise<Buffer> {
  // sharp assumes that 16-bit samples are in P3 already and converts nothing.
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

describe('decoding and encoding', () => {
  test('8-bit color round-trips bit for bit', async () => {
    expect(await roundTrip(await sharp(rgb, { raw: layout }).png().toBuffer(), 'png')).toEqual([...rgb])
  })

  test('16-bit color keeps its samples, tagged as sRGB or not', async () => {
    const plain = await deep(deepSamples).png().toBuffer()
    const { depth, image } = await decodeImage(plain)
    expect([depth, ...quantize(image, 65535, new Uint16Array(36))]).toEqual([16, ...deepSamples])
    const tagged = await deep(deepSamples).withIccProfile('srgb').png().toBuffer()
    expect(await deepValues(tagged)).toEqual(await storedValues(tagged))
  })

  test('16-bit color in another profile becomes sRGB on request', async () => {
    // Display P3 (0.8, 0.4, 0.4) is sRGB (0.8596, 0.3704, 0.3865) by the matrices of the two standards.
    const p3 = Uint16Array.from({ length: 36 }, (_, i) => Math.round((i % 3 === 0 ? 0.8 : 0.4) * 65535))
    const { data, width, height } = (await decodeImage(await taggedP3(p3), { colors: 'srgb' })).image
    const first = [0, 1, 2].map((c) => data[c * width * height]!)
    for (const [c, value] of [0.8596, 0.3704, 0.3865].entries()) expect(first[c]).toBeCloseTo(value, 2)
  })

  test('gray with alpha stays gray and keeps its alpha', async () => {
    const pixels = Uint8Array.of(10, 255, 200, 128)
    const file = await sharp(pixels, { raw: { width: 2, height: 1, channels: 2 } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    const { image, alpha } = await decodeImage(file)
    expect([image.channels, ...quantize(image, 255, new Uint8Array(2))]).toEqual([1, 10, 200])
    expect([...(alpha ?? [])].map((value) => Math.round(value * 255))).toEqual([255, 128])
  })

  test('a format without alpha is rejected for a transparent image', async () => {
    const file = await sharp(new Uint8Array(16), { raw: { width: 2, height: 2, channels: 4 } })
      .png()
      .toBuffer()
    const decoded = await decodeImage(file)
    await expect(encodeImage({ ...decoded, format: 'jpg' })).rejects.toThrow(
      'expected a format with transparency, which the image has, got jpg',
    )
    await expect(encodeImage({ ...decoded, format: 'gif' })).rejects.toThrow('expected one of png, jpg')
  })

  test('alpha survives a conversion from another profile', async () => {
    const samples = Uint16Array.from({ length: 2 * 4 }, (_, i) => [52428, 26214, 26214, 300 + i][i % 4]!)
    const file = await sharp(samples, { raw: { width: 2, height: 1, channels: 4 } })
      .toColourspace('rgb16')
      .withIccProfile('p3')
      .png()
      .toBuffer()
    const { image, alpha } = await decodeImage(file, { colors: 'srgb' })
    expect([image.channels, ...(alpha ?? [])].map((value) => Math.round(value * 65535))).toEqual([
      3 * 65535,
      303,
      307,
    ])
    expect(image.data[0]).toBeCloseTo(0.8596, 3)
  })

  test('16-bit gray keeps its samples and its alpha', async () => {
    const file = await sharp(Uint16Array.of(1000, 65535, 40001, 777), {
      raw: { width: 2, height: 1, channels: 2 },
    })
      .toColourspace('grey16')
      .png()
      .toBuffer()
    const decoded = await decodeImage(file)
    expect([...quantize(decoded.image, 65535, new Uint16Array(2))]).toEqual([1000, 40001])
    const reread = await decodeImage(Buffer.from(await encodeImage(decoded)))
    expect(reread).toEqual(decoded)
  })

  test.each(['png', 'webp', 'tiff', 'avif'])('%s keeps alpha', async (format) => {
    const pixels = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => (i % 4 === 3 ? 128 : 200))
    const file = await sharp(pixels, { raw: { width: 16, height: 16, channels: 4 } })
      .png()
      .toBuffer()
    const reread = await decodeImage(await encodeImage({ ...(await decodeImage(file)), format }))
    expect(reread.format).toBe(format)
    expect(reread.image.data[0]).toBeCloseTo(200 / 255, 1)
    expect(reread.alpha?.[0]).toBeCloseTo(128 / 255, 2)
  })

  test('palette indices are resolved to colors', async () => {
    const pixels = Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => (i % 2) * 255)
    const file = await sharp(pixels, { raw: layout }).png({ palette: true }).toBuffer()
    expect(await roundTrip(file, 'png')).toEqual([...pixels])
  })

  test('a photo is rotated upright', async () => {
    const file = await sharp(rgb, { raw: layout }).png().withMetadata({ orientation: 6 }).toBuffer()
    const { image } = await decodeImage(file)
    expect([image.width, image.height]).toEqual([3, 4])
    // A quarter turn clockwise: the first row is the first column from the bottom up.
    const reds = [2, 1, 0].map((row) => rgb[row * 4 * 3])
    expect([...quantize(image, 255, new Uint8Array(36))].filter((_, i) => i % 3 === 0).slice(0, 3)).toEqual(
      reds,
    )
  })

  test('CMYK becomes sRGB', async () => {
    const file = await sharp(rgb, { raw: layout }).toColourspace('cmyk').jpeg().toBuffer()
    expect((await decodeImage(file)).image.channels).toBe(3)
  })

  test('an animation is rejected', async () => {
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

  test.each([
    ['jpg', 65_500, 'png, tif, tiff'],
    ['webp', 16_383, 'png, jpg, jpeg, tif, tiff, avif'],
    ['avif', 16_384, 'png, jpg, jpeg, tif, tiff'],
  ])(
    'a %s holds sides of %d pixels, and larger ones are refused with formats that hold them',
    async (format, side, others) => {
      const strip = (width: number) => {
        const image = { width, height: 8, channels: 1, data: new Float32Array(8 * width) }
        return encodeImage({ image, alpha: undefined, depth: 8, format: format.toUpperCase() })
      }
      expect((await imageSize(await strip(side))).width).toBe(side)
      await expect(strip(side + 1)).rejects.toMatchObject({
        code: 'usage',
        message: `output: expected sides of at most ${side} pixels, which ${format} holds, got ${side + 1} × 8; use ${others} (--format)`,
      })
    },
  )

  test('a truncated image is rejected', async () => {
    const file = await sharp(rgb, { raw: layout }).png().toBuffer()
    await expect(decodeImage(file.subarray(0, file.length - 20))).rejects.toThrow(
      'expected a readable still image',
    )
  })

  test('a file that is not an image is rejected', async () => {
    await expect(decodeImage(Buffer.from('not an image'))).rejects.toThrow('expected a readable still image')
  })
})

describe('decoded samples', () => {
  test('are interleaved 8-bit values with alpha last', async () => {
    const rgba = Uint8Array.from({ length: 4 * 3 * 4 }, (_, i) => (i * 31) % 256)
    const file = await sharp(rgba, { raw: { width: 4, height: 3, channels: 4 } })
      .png()
      .toBuffer()
    const { pixels, format } = await decodeBytes(file)
    expect(pixels).toEqual({ width: 4, height: 3, channels: 3, hasAlpha: true, data: rgba })
    expect([format, pixels.data.constructor]).toEqual(['png', Uint8Array])
  })

  test('keep 16 bits and the alpha of a gray image', async () => {
    const samples = Uint16Array.of(1000, 65535, 40001, 777)
    const file = await sharp(samples, { raw: { width: 2, height: 1, channels: 2 } })
      .toColourspace('grey16')
      .png()
      .toBuffer()
    const { pixels } = await decodeBytes(file)
    expect(pixels).toEqual({ width: 2, height: 1, channels: 1, hasAlpha: true, data: samples })
  })

  test('may be a single pixel', async () => {
    const file = await sharp(Uint8Array.of(7, 8, 9), { raw: { width: 1, height: 1, channels: 3 } })
      .png()
      .toBuffer()
    const decoded = await decodeImage(file)
    expect([decoded.image.width, decoded.image.height]).toEqual([1, 1])
    expect(await roundTrip(file, 'png')).toEqual([7, 8, 9])
  })

  test('of 10 and 12 bits reach white, and are written back to AVIF in their depth', async () => {
    const white = new Uint16Array(16 * 16 * 3).fill(65535)
    for (const bitdepth of [10, 12] as const) {
      const file = await sharp(white, { raw: { width: 16, height: 16, channels: 3 } })
        .toColourspace('rgb16')
        .avif({ lossless: true, bitdepth })
        .toBuffer()
      const decoded = await decodeImage(file)
      expect(decoded.depth).toBe(bitdepth)
      expect(decoded.image.data[0]).toBeCloseTo(1, 3)
      // Lower qualities round white by a level.
      const written = await encodeImage(decoded, { quality: 100 })
      expect((await sharp(written).metadata()).bitsPerSample).toBe(bitdepth)
      expect((await decodeImage(written)).image.data[0]).toBeCloseTo(1, 3)
    }
  })

  test('are divided by alpha where a TIFF stores them premultiplied', async () => {
    const { pixels } = await decodeBytes(associatedTiff([100, 50, 20, 128]))
    expect(pixels.hasAlpha).toBe(true)
    expect([...pixels.data]).toEqual([199, 99, 39, 128])
  })
})

/** An uncompressed TIFF of one pixel with premultiplied alpha (ExtraSamples 1). */
function associatedTiff(pixel: readonly number[]): Buffer {
  const entries = [
    [256, 3, 1, 1],
    [257, 3, 1, 1],
    [258, 3, 4, 134],
    [259, 3, 1, 1],
    [262, 3, 1, 2],
    [273, 4, 1, 142],
    [277, 3, 1, 4],
    [278, 3, 1, 1],
    [279, 4, 1, 4],
    [338, 3, 1, 1],
  ] as const
  const file = Buffer.alloc(146)
  file.write('II*\0', 'latin1')
  file.writeUInt32LE(8, 4)
  file.writeUInt16LE(entries.length, 8)
  for (const [i, [tag, type, count, value]] of entries.entries()) {
    file.writeUInt16LE(tag, 10 + i * 12)
    file.writeUInt16LE(type, 12 + i * 12)
    file.writeUInt32LE(count, 14 + i * 12)
    file.writeUInt32LE(value, 18 + i * 12)
  }
  for (let i = 0; i < 4; i++) file.writeUInt16LE(8, 134 + i * 2)
  file.set(pixel, 142)
  return file
}

describe('rejects', () => {
  const dir = mkdtempSync(join(tmpdir(), 'limpid-codec-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const writeTestFile = (name: string, bytes: Uint8Array | string): string => {
    writeFileSync(join(dir, name), bytes)
    return join(dir, name)
  }

  test.each([
    ['an empty file', '', 'an empty file (0 bytes)'],
    ['a web page', '\ufeff\n <!DOCTYPE html><html><body>404</body></html>', 'a web page'],
    ['an LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'run git lfs pull'],
    [
      'a drawing',
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
      'an SVG drawing; export it as PNG',
    ],
    ['text', 'hello', 'no image format that is known'],
  ])('%s, when decoding or reading the size', async (_, content, reason) => {
    const path = writeTestFile('bad.png', content)
    const ways = [() => decodeImage(path), () => decodeBytes(Buffer.from(content)), () => imageSize(path)]
    for (const read of ways) {
      await expect(read()).rejects.toMatchObject({ code: 'input', message: expect.stringContaining(reason) })
    }
    await expect(imageSize(path)).rejects.toThrow(`${path}: expected a readable still image, got: `)
  })

  test('a missing file and a folder, naming the path', async () => {
    await expect(decodeImage(join(dir, 'none.png'))).rejects.toThrow(
      /none\.png: no such file; check the path/,
    )
    await expect(decodeImage(dir)).rejects.toThrow(/EISDIR/)
  })

  test.each(['png', 'jpeg', 'webp', 'tiff', 'avif', 'gif'] as const)(
    'a %s truncated at any point',
    async (format) => {
      const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 7) % 251)
      const file = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
        .toFormat(format)
        .toBuffer()
      for (const part of [0.02, 0.3, 0.6, 0.9]) {
        await expect(decodeImage(file.subarray(0, file.length * part)), `${part}`).rejects.toMatchObject({
          code: 'input',
        })
      }
    },
  )

  test('a small file that claims a huge size, unless the limit is raised', async () => {
    const oversized = pngOf(100_000, 100_000)
    await expect(decodeImage(oversized)).rejects.toThrow(
      '100000 × 100000 = 10000 megapixels, above the limit of 268 megapixels; raise pixelLimit',
    )
    expect(await imageSize(oversized)).toEqual({ width: 100_000, height: 100_000, format: 'png' })
    const file = await sharp(rgb, { raw: layout }).png().toBuffer()
    await expect(decodeImage(file, { pixelLimit: 11 })).rejects.toThrow('above the limit')
    expect((await decodeImage(file, { pixelLimit: 12 })).image.width).toBe(4)
  })

  test('samples that are neither 8 nor 16 bits', async () => {
    const file = await sharp(rgb, { raw: layout })
      .toColourspace('scrgb')
      .tiff({ predictor: 'float', compression: 'deflate' })
      .toBuffer()
    await expect(decodeImage(file)).rejects.toThrow('samples of type float; convert it to 8 or 16 bits first')
  })
})

/** A PNG whose header claims a size but whose pixels are missing. */
function pngOf(width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2], 8)
  const parts = [
    ['IHDR', header],
    ['IDAT', deflateSync(new Uint8Array(64))],
    ['IEND', Buffer.alloc(0)],
  ] as const
  const chunks = parts.map(([type, data]) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(body))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    return Buffer.concat([length, body, sum])
  })
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks])
}

test('the size of a rotated photo is upright', async () => {
  const file = await sharp(rgb, { raw: layout }).jpeg().withMetadata({ orientation: 6 }).toBuffer()
  expect(await imageSize(file)).toEqual({ width: 3, height: 4, format: 'jpeg' })
})

test('the quality option reaches the encoder', async () => {
  const noise = Float32Array.from({ length: 64 * 64 * 3 }, (_, i) => ((i * i * 7) % 251) / 255)
  const image = { width: 64, height: 64, channels: 3, data: noise }
  for (const format of ['jpg', 'webp', 'avif']) {
    const sizes = [20, 90].map(async (quality) => {
      return (await encodeImage({ image, alpha: undefined, depth: 8, format }, { quality })).length
    })
    const [low, high] = (await Promise.all(sizes)) as [number, number]
    expect(low).toBeLessThan(high / 1.5)
  }
})
