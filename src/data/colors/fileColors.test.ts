import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodeBytes } from '../decode.ts'
import { encodeBytes } from '../encode.ts'
import { srgbPrimaries } from './codingPoints.ts'
import { readProfile } from './iccProfile.ts'
import { curveTag, grayProfile, rgbProfile } from './matrixProfile.ts'

const raw = { width: 16, height: 16, channels: 3 } as const
const color = [235, 40, 30] as const
const samples = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => color[i % 3]!)
const plain = () => sharp(samples, { raw })

function chunk(type: string, ...body: readonly number[]): Buffer {
  const typed = Buffer.from([...Buffer.from(type, 'latin1'), ...body])
  const whole = Buffer.alloc(typed.length + 8)
  whole.writeUInt32BE(body.length, 0)
  typed.copy(whole, 4)
  whole.writeUInt32BE(crc32(typed), typed.length + 4)
  return whole
}

/** A chunk of numbers in units of 1/100000. */
function numbers(type: string, ...values: readonly number[]): Buffer {
  const body = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) body.writeUInt32BE(Math.round(value * 100_000), i * 4)
  return chunk(type, ...body)
}

const iccp = (icc: Uint8Array) => chunk('iCCP', ...Buffer.from('icc\0\0', 'latin1'), ...deflateSync(icc))

async function pngWith(...chunks: readonly Buffer[]): Promise<Buffer> {
  const png = await plain().png().toBuffer()
  return Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)])
}

/** Colors of the first pixel as 8-bit sRGB, by the profile that the file embeds, with libvips. */
async function shown(file: Uint8Array): Promise<readonly number[]> {
  return [...(await sharp(file).toColourspace('srgb').raw().toBuffer())].slice(0, 3)
}

const adobe = [0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06] as const

describe('colors that a PNG states in chunks', () => {
  // Colors in sRGB: linear light is encoded; (0.9216, 0.1569, 0.1176) of Adobe RGB and Display P3, clipped.
  const linear = [246, 109, 95]
  test.each([
    ['linear gAMA', [numbers('gAMA', 1)], linear],
    ['gAMA and cHRM', [numbers('gAMA', 0.45455), numbers('cHRM', ...adobe)], [255, 35, 23]],
    ['cICP', [chunk('cICP', 12, 13, 0, 1)], [255, 0, 0]],
    ['cICP before iCCP', [chunk('cICP', 1, 8, 0, 1), iccp(rgbProfile('', srgbPrimaries, [1.8])!)], linear],
    ['sRGB', [chunk('sRGB', 0), numbers('gAMA', 1)], color],
  ])('%s are kept in PNG, and a profile elsewhere', async (_, chunks, expected) => {
    const decoded = await decodeBytes(await pngWith(...chunks))
    expect([decoded.notes, [...decoded.pixels.data]]).toEqual([[], [...samples]])
    const png = Buffer.from(await encodeBytes(decoded))
    for (const kept of chunks) if (!kept.includes('iCCP')) expect(png.includes(kept)).toBe(true)
    expect((await sharp(png).metadata()).icc).toBeUndefined()
    for (const format of ['tiff', 'jpg', 'webp', 'avif']) {
      const file = await encodeBytes({ ...decoded, format }, { quality: 100 })
      const differences = (await shown(file)).map((value, i) => Math.abs(value - expected[i]!))
      expect(Math.max(...differences), `${format}: ${await shown(file)}`).toBeLessThanOrEqual(2)
    }
    const [first] = [(await decodeBytes(await pngWith(...chunks), { colors: 'srgb' })).pixels.data]
    const differences = expected.map((value, i) => Math.abs(value - first[i]!))
    expect(Math.max(...differences), `${first.subarray(0, 3)}`).toBeLessThanOrEqual(1)
  })

  test('gAMA applies to gray', async () => {
    const gray = await sharp(new Uint8Array(256).fill(188), { raw: { ...raw, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    const file = Buffer.concat([gray.subarray(0, 33), numbers('gAMA', 1), gray.subarray(33)])
    const { pixels } = await decodeBytes(file, { colors: 'srgb' })
    expect([pixels.channels, pixels.data[0]]).toEqual([1, 223])
    const { metadata } = await decodeBytes(file)
    expect(readProfile(metadata?.icc ?? new Uint8Array())).toMatchObject({ kind: 'gray', channels: 1 })
  })

  test.each([
    ['PQ', 16],
    ['HLG', 18],
  ])('%s is refused', async (name, transfer) => {
    await expect(decodeBytes(await pngWith(chunk('cICP', 9, transfer, 0, 1)))).rejects.toThrow(
      `an HDR image (${name}), whose brightness would be flattened; convert it to SDR first`,
    )
  })

  test('of narrow range are refused', async () => {
    await expect(decodeBytes(await pngWith(chunk('cICP', 1, 1, 0, 0)))).rejects.toThrow(
      'an image of narrow range (cICP); convert it to full range first',
    )
  })

  test('without a curve that a profile describes are refused', async () => {
    await expect(decodeBytes(await pngWith(chunk('cICP', 1, 9, 0, 1)))).rejects.toThrow('code points 1')
  })
})

/** 16 × 16 pixels, written by libavif (imagecodecs.avif_encode). */
const avif = {
  // 8 bits; the left half is 235 40 30, in Display P3.
  p3: 'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAHwAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAEAAAABAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBIAAAAAAAE2NvbHJuY2x4AAwADQABgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAJ21kYXQSAAoIOAz/2EMDQGQyEUQAAIbJVLiY3wcfzYyZ6aXA',
  // 8 bits in BT.2020 with PQ.
  pq: 'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAHwAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAEAAAABAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBIAAAAAAAE2NvbHJuY2x4AAkAEAAJgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAJ21kYXQSAAoIOAz/2EJEAmQyEUQAAIbKEKxGlpz/mxkz00uA',
  // Monochrome, 10 bits; each column is 60 levels brighter than the one before.
  mono: 'AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAOltZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAAAAAAABAAAAHmlsb2MAAAAARAAAAQABAAAAAQAAAQ0AAAA1AAAAKGlpbmYAAAAAAAEAAAAaaW5mZQIAAAAAAQAAYXYwMUNvbG9yAAAAAGhpcHJwAAAASWlwY28AAAAUaXNwZQAAAAAAAAAQAAAAEAAAAA5waXhpAAAAAAEKAAAADGF2MUOBAFwAAAAAE2NvbHJuY2x4AAIAAgACgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAPW1kYXQSAAoFGAz/2NQyKhAAbdZZImfMqLzhd7hRujiDZiloRX3bhc3xfQPborCqkMUJ7uyPpeTlyA==',
  // The first color of `samples`, YUV without loss, by Pillow 12.
  lossless:
    'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAIgAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAEAAAABAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAKm1kYXQSAAoJGAz/2CAhoNCAMhMQAAAAFLm+SRYDEiS0XW0A6ByA',
} as const

/** 16 × 16 pixels in BT.2020 with PQ, written by pillow-heif 1.7 with x265. */
const heicPq =
  'AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAADMAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm4SIBIIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAAJABAACYAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAAEAAAAAEAAAAQAAAAAf///9AAAAAC////0AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAO21kYXQAAAAvKAGvEyFkY0D4EPdn/+Hzt/2apP/CnsenOyEdwNIggJtASJNdUAsWEICHdqVW3Pg='

/** A file whose colors are stated in the bitstream alone. */
function withoutColr(base64: string): Buffer {
  const file = Buffer.from(base64, 'base64')
  file.write('free', file.indexOf('colrnclx'), 'latin1')
  return file
}

test('the bitstream of an AVIF or HEIC states colors where no box does', async () => {
  const boxed = await decodeBytes(Buffer.from(avif.p3, 'base64'))
  const bare = await decodeBytes(withoutColr(avif.p3))
  expect(bare.metadata?.icc).toEqual(boxed.metadata?.icc)
  for (const file of [avif.pq, heicPq])
    await expect(decodeBytes(withoutColr(file))).rejects.toThrow('an HDR image (PQ)')
  const unspecified = Buffer.from(avif.pq, 'base64')
  unspecified.writeUInt16BE(2, unspecified.indexOf('nclx') + 6)
  await expect(decodeBytes(unspecified)).rejects.toThrow('an HDR image (PQ)')
  const overruled = Buffer.from(heicPq, 'base64')
  overruled.writeUInt16BE(13, overruled.indexOf('nclx') + 6)
  expect((await decodeBytes(overruled)).metadata?.icc).toBeDefined()
})

test('an AVIF that lost nothing as YUV stays lossless', async () => {
  const decoded = await decodeBytes(Buffer.from(avif.lossless, 'base64'))
  expect(decoded.isLossless).toBe(true)
  const again = await decodeBytes(await encodeBytes(decoded))
  expect([again.isLossless, [...again.pixels.data]]).toEqual([true, [...decoded.pixels.data]])
})

describe('colors that an AVIF states as nclx', () => {
  const read = (name: keyof typeof avif, options = {}) =>
    decodeBytes(Buffer.from(avif[name], 'base64'), options)

  test('become a profile', async () => {
    const decoded = await read('p3')
    expect(
      [...decoded.pixels.data.subarray(0, 3)].map((value, i) => Math.abs(value - color[i]!) <= 1),
    ).toEqual([true, true, true])
    for (const format of ['avif', 'png', 'jpg']) {
      const file = await encodeBytes({ ...decoded, format })
      expect(await shown(file)).toEqual([255, expect.closeTo(0, -0.8), expect.closeTo(0, -0.8)])
      expect((await sharp(file).metadata()).icc).toEqual(Buffer.from(decoded.metadata?.icc ?? []))
    }
  })

  test('with PQ are refused', async () => {
    await expect(read('pq')).rejects.toThrow('an HDR image (PQ)')
  })

  test('and monochrome samples are gray', async () => {
    const { pixels, depth, metadata } = await read('mono')
    expect([pixels.channels, pixels.hasAlpha, depth, metadata?.icc]).toEqual([1, false, 10, undefined])
    const row = [...pixels.data.subarray(0, 16)].map((value) => Math.round((value / 65535) * 1023))
    for (const [x, value] of row.entries()) expect(Math.abs(value - 60 * x)).toBeLessThanOrEqual(1)
  })
})

/** EXIF with a color space and the index of interoperability, in big-endian order. */
function exifOf(space: number, index: string): Buffer {
  const block = Buffer.alloc(6 + 8 + 18 + 30 + 18)
  block.write('Exif\0\0MM\0*\0\0\0\x08', 'latin1')
  let at = 14
  const directory = (
    ...entries: readonly (readonly [tag: number, type: number, count: number, value: Buffer])[]
  ) => {
    block.writeUInt16BE(entries.length, at)
    for (const [i, [tag, type, count, value]] of entries.entries()) {
      const entry = at + 2 + 12 * i
      block.writeUInt16BE(tag, entry)
      block.writeUInt16BE(type, entry + 2)
      block.writeUInt32BE(count, entry + 4)
      value.copy(block, entry + 8)
    }
    at += 2 + 12 * entries.length + 4
  }
  directory([0x8769, 4, 1, Buffer.from([0, 0, 0, 26])])
  directory(
    [0xa001, 3, 1, Buffer.from([space >> 8, space & 255])],
    [0xa005, 4, 1, Buffer.from([0, 0, 0, 56])],
  )
  directory([1, 2, 4, Buffer.from(`${index}\0`)])
  return block
}

test.each([
  ['uncalibrated with R03', 0xffff, 'R03', true],
  ['2', 2, 'R98', true],
  ['sRGB', 1, 'R98', false],
  ['uncalibrated with R98', 0xffff, 'R98', false],
] as const)('a JPEG whose EXIF states the color space %s', async (_, space, index, isAdobe) => {
  const jpeg = await plain().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer()
  const exif = exifOf(space, index)
  const marker = Buffer.from([0xff, 0xe1, 0, exif.length + 2])
  const file = Buffer.concat([jpeg.subarray(0, 2), marker, exif, jpeg.subarray(2)])
  const decoded = await decodeBytes(file)
  const profile = decoded.metadata?.icc && readProfile(decoded.metadata.icc)
  expect(profile && !('fault' in profile) ? profile.kind : 'srgb').toBe(isAdobe ? 'matrix' : 'srgb')
  const [expected] = isAdobe ? [[255, 35, 23]] : [color]
  const written = await shown(await encodeBytes({ ...decoded, format: 'png' }))
  expect(Math.max(...written.map((value, i) => Math.abs(value - expected![i]!)))).toBeLessThanOrEqual(3)
})

describe('a profile that does not fit', () => {
  const icc = Buffer.from(rgbProfile('', srgbPrimaries, [2.2])!)
  const jpeg = (profile: Uint8Array, channels: 1 | 3 = 3) =>
    sharp(samples.subarray(0, 256 * channels), { raw: { ...raw, channels } })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .jpeg()
      .toBuffer()
      .then((file) => {
        const head = Buffer.from('\xff\xe2\0\0ICC_PROFILE\0\x01\x01', 'latin1')
        head.writeUInt16BE(head.length - 2 + profile.length, 2)
        return Buffer.concat([file.subarray(0, 2), head, profile, file.subarray(2)])
      })
  const webp = async (profile: Uint8Array) => {
    const file = await plain().webp({ lossless: true }).toBuffer()
    const odd = profile.length % 2
    const extended = Buffer.from('VP8X\x0a\0\0\0\x20\0\0\0\x0f\0\0\x0f\0\0ICCP\0\0\0\0', 'latin1')
    extended.writeUInt32LE(profile.length, extended.length - 4)
    const whole = Buffer.concat([
      file.subarray(0, 12),
      extended,
      profile,
      Buffer.alloc(odd),
      file.subarray(12),
    ])
    whole.writeUInt32LE(whole.length - 8, 4)
    return whole
  }
  const makers = { jpeg, webp, png: (profile: Uint8Array) => pngWith(iccp(profile)) }

  const damages = [
    ['is cut', '300 of', icc.subarray(0, 300)],
    [
      'states a wrong length',
      'of 99999 bytes',
      Buffer.concat([Buffer.from([0, 1, 0x86, 0x9f]), icc.subarray(4)]),
    ],
    ['is no profile', 'not an ICC profile', Buffer.from('hello world'.repeat(20))],
    ['is for gray', 'made for gray samples', Buffer.from(grayProfile('', curveTag([2.2])))],
  ] as const
  test.each(
    Object.entries(makers).flatMap(([name, make]) =>
      damages.map((damage) => [name, ...damage, make] as const),
    ),
  )('in a %s because it %s is left out with a note', async (name, _, fault, profile, make) => {
    const { metadata, notes, pixels } = await decodeBytes(await make(profile))
    expect(metadata?.icc).toBeUndefined()
    expect(notes).toEqual([expect.stringMatching(`^its color profile cannot be used .*${fault}`)])
    if (name === 'webp') expect([...pixels.data]).toEqual([...samples])
  })

  test('because the picture is gray is reduced to its curve', async () => {
    const gray = await sharp(samples.subarray(0, 256), { raw: { ...raw, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    const png = Buffer.concat([gray.subarray(0, 33), iccp(icc), gray.subarray(33)])
    for (const file of [await jpeg(icc, 1), png]) {
      const { metadata, notes } = await decodeBytes(file)
      expect(notes).toEqual([])
      expect(readProfile(metadata?.icc ?? new Uint8Array())).toMatchObject({ kind: 'gray', channels: 1 })
    }
  })

  test('because the picture is CMYK is applied, with a note', async () => {
    const { metadata, notes, pixels } = await decodeBytes(
      await plain().toColourspace('cmyk').jpeg().toBuffer(),
    )
    expect([metadata?.icc, notes, pixels.channels]).toEqual([undefined, ['CMYK was converted to sRGB'], 3])
  })
})
