import { describe, expect, test } from 'vitest'
import { srgbPrimaries } from '../colors/codingPoints.ts'
import { readProfile } from '../colors/iccProfile.ts'
import { rgbProfile } from '../colors/matrixProfile.ts'
import { decodeBytes, decodeImage, imageSize } from '../decode.ts'

interface BmpParts {
  readonly width?: number
  /** Negative for rows stored top-down. */
  readonly rows?: number
  readonly bits: number
  readonly compression?: number
  readonly infoSize?: number
  /** What follows the header: masks, then the palette. */
  readonly between?: readonly number[]
  readonly body: readonly number[]
}

/** A BMP of 2 × 1 pixels, unless told otherwise. */
function bmp(parts: BmpParts): Buffer {
  const { width = 2, rows = 1, bits, compression = 0, infoSize = 40, between = [], body } = parts
  const file = Buffer.alloc(14 + infoSize)
  file.write('BM')
  file.writeUInt32LE(file.length + between.length, 10)
  file.writeUInt32LE(infoSize, 14)
  if (infoSize === 12) {
    for (const [i, value] of [width, rows, 1, bits].entries()) file.writeUInt16LE(value, 18 + i * 2)
  } else {
    file.writeInt32LE(width, 18)
    file.writeInt32LE(rows, 22)
    file.writeUInt16LE(1, 26)
    file.writeUInt16LE(bits, 28)
    if (infoSize > 16) file.writeUInt32LE(compression, 30)
  }
  return Buffer.concat([file, Buffer.from(between), Buffer.from(body)])
}

/** The same with masks of red, green, blue and opacity inside a header of that size. */
function masked(infoSize: number, bits: number, masks: readonly number[], body: readonly number[]): Buffer {
  const file = bmp({ bits, compression: 3, infoSize: Math.max(infoSize, 40), body: [] })
  const behind = Buffer.alloc(infoSize === 40 ? 12 : 0)
  const all = Buffer.concat([file, behind, Buffer.from(body)])
  all.writeUInt32LE(file.length + behind.length, 10)
  for (const [i, mask] of masks.entries()) all.writeUInt32LE(mask, 54 + i * 4)
  return all
}

const gray = [0, 0, 0, 0, 200, 200, 200, 0]
const colors = [9, 8, 7, 0, 6, 5, 4, 0, 3, 2, 1, 0]
const rgb565 = [0xf800, 0x7e0, 0x1f]
const argb = [0xff0000, 0xff00, 0xff, 0xff000000]
const rgb101010 = [0x3ff00000, 0xffc00, 0x3ff, 0]

describe('BMP', () => {
  test.each<[string, Buffer, readonly number[]]>([
    ['24 bits', bmp({ bits: 24, body: [3, 2, 1, 6, 5, 4, 0, 0] }), [1, 2, 3, 4, 5, 6]],
    ['bottom-up', bmp({ width: 1, rows: 2, bits: 24, body: [3, 2, 1, 0, 6, 5, 4, 0] }), [4, 5, 6, 1, 2, 3]],
    ['top-down', bmp({ width: 1, rows: -2, bits: 24, body: [3, 2, 1, 0, 6, 5, 4, 0] }), [1, 2, 3, 4, 5, 6]],
    ['32 bits', bmp({ bits: 32, body: [3, 2, 1, 99, 6, 5, 4, 0] }), [1, 2, 3, 4, 5, 6]],
    ['1 bit', bmp({ bits: 1, between: gray, body: [0b01000000, 0, 0, 0] }), [0, 200]],
    [
      '4 bits',
      bmp({ bits: 4, between: [...colors, ...Array(52).fill(0)], body: [0x12, 0, 0, 0] }),
      [4, 5, 6, 1, 2, 3],
    ],
    ['5 bits a color', bmp({ bits: 16, body: [0x1f, 0x7c, 0xe0, 0x03] }), [255, 0, 255, 0, 255, 0]],
    ['OS/2 header', bmp({ bits: 24, infoSize: 12, body: [3, 2, 1, 6, 5, 4, 0, 0] }), [1, 2, 3, 4, 5, 6]],
    [
      'short OS/2 2 header',
      bmp({ bits: 24, infoSize: 16, body: [3, 2, 1, 6, 5, 4, 0, 0] }),
      [1, 2, 3, 4, 5, 6],
    ],
    [
      'OS/2 palette',
      bmp({ bits: 1, infoSize: 12, between: [9, 8, 7, 6, 5, 4], body: [0x40, 0, 0, 0] }),
      [7, 8, 9, 4, 5, 6],
    ],
    ['masks behind the header', masked(40, 16, rgb565, [0x00, 0xf8, 0xe0, 0x07]), [255, 0, 0, 0, 255, 0]],
    ['masks in version 2', masked(52, 16, rgb565, [0x00, 0xf8, 0x1f, 0x00]), [255, 0, 0, 0, 0, 255]],
    ['opacity in version 3', masked(56, 32, argb, [3, 2, 1, 9, 6, 5, 4, 255]), [1, 2, 3, 9, 4, 5, 6, 255]],
    ['opacity in version 4', masked(108, 32, argb, [3, 2, 1, 9, 6, 5, 4, 255]), [1, 2, 3, 9, 4, 5, 6, 255]],
    ['opacity in version 5', masked(124, 32, argb, [3, 2, 1, 9, 6, 5, 4, 255]), [1, 2, 3, 9, 4, 5, 6, 255]],
    [
      'opacity of 1 bit',
      masked(56, 16, [0x7c00, 0x3e0, 0x1f, 0x8000], [0x1f, 0x80, 0, 0]),
      [0, 0, 255, 255, 0, 0, 0, 0],
    ],
    [
      'opacity that nothing has',
      masked(56, 32, argb, [3, 2, 1, 0, 6, 5, 4, 0]),
      [1, 2, 3, 255, 4, 5, 6, 255],
    ],
    [
      '10 bits a color',
      masked(56, 32, rgb101010, [0, 0, 0xf0, 0x3f, 0xff, 3, 0, 0]),
      [65535, 0, 0, 0, 0, 65535],
    ],
    [
      'runs of 8 bits',
      bmp({ bits: 8, compression: 1, between: [...colors, ...Array(1012).fill(0)], body: [2, 1, 0, 1] }),
      [4, 5, 6, 4, 5, 6],
    ],
    [
      'runs of 4 bits',
      bmp({
        bits: 4,
        compression: 2,
        between: [...colors, ...Array(52).fill(0)],
        body: [0, 2, 0, 0, 2, 0x12, 0, 1],
      }),
      [4, 5, 6, 1, 2, 3],
    ],
    [
      'unrepeated runs',
      bmp({
        width: 3,
        bits: 8,
        compression: 1,
        between: [...colors, ...Array(1012).fill(0)],
        body: [0, 3, 2, 1, 0, 0, 0, 1],
      }),
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
    ],
    [
      'skipped pixels',
      bmp({
        width: 3,
        bits: 8,
        compression: 1,
        between: [...colors, ...Array(1012).fill(0)],
        body: [0, 2, 2, 0, 1, 2, 0, 1],
      }),
      [7, 8, 9, 7, 8, 9, 1, 2, 3],
    ],
  ])('of %s is decoded', async (_, file, samples) => {
    const { pixels, depth } = await decodeBytes(file)
    const step = pixels.data.length / (pixels.width * pixels.height)
    expect([...pixels.data]).toEqual(samples)
    expect([pixels.hasAlpha, step]).toEqual([step === 4, pixels.channels + (pixels.hasAlpha ? 1 : 0)])
    expect(depth).toBe(pixels.data instanceof Uint16Array ? 16 : 8)
    expect(await imageSize(file)).toEqual({ width: pixels.width, height: pixels.height, format: 'bmp' })
  })

  const body = [3, 2, 1, 6, 5, 4, 0, 0]

  test.each<[string, Partial<BmpParts>, string]>([
    [
      'compressed as JPEG',
      { compression: 4 },
      'a BMP of 24 bits with JPEG compression; save it uncompressed',
    ],
    ['compressed by OS/2', { compression: 3, infoSize: 64, bits: 1 }, 'Huffman compression'],
    ['of 64 bits', { bits: 64 }, 'a BMP of 64 bits'],
    ['with an odd header', { infoSize: 30 }, 'a BMP with a header of 30 bytes'],
    ['without its masks', { bits: 32, compression: 3, body: Array(16).fill(0) }, 'whose masks are missing'],
    ['cut short', { body: [1] }, 'a truncated file'],
    ['cut in a run', { bits: 8, compression: 1, between: gray, body: [0, 9, 1] }, 'a truncated file'],
    ['of zero width', { width: 0 }, 'an image of 0 × 1 pixels'],
    ['huge', { width: 2 ** 31 - 1, rows: -(2 ** 31) }, 'above the limit'],
  ])('that is %s is rejected', async (_, changed, reason) => {
    await expect(decodeImage(bmp({ bits: 24, body, ...changed }))).rejects.toThrow(reason)
  })
})

describe('colors of a BMP', () => {
  const adobe = { ...srgbPrimaries, green: [0.21, 0.71] } as const
  const icc = rgbProfile('', adobe, [2.2])!
  /** One pixel, 235 40 30, with the space of its header and what it refers to. */
  const withSpace = (space: number, write: (file: Buffer) => void = () => {}) => {
    const file = bmp({ width: 1, bits: 24, infoSize: 124, body: [30, 40, 235, 0] })
    file.writeUInt32LE(space, 70)
    write(file)
    return Buffer.concat([file, icc])
  }
  const embedded = withSpace(0x4d424544, (file) => {
    file.writeUInt32LE(file.length - 14, 126)
    file.writeUInt32LE(icc.length, 130)
  })
  const calibrated = (gammas: readonly number[], primaries = [adobe.red, adobe.green, adobe.blue]) =>
    withSpace(0, (file) => {
      for (const [i, [x, y]] of primaries.entries())
        for (const [c, value] of [x, y, 1 - x - y].entries())
          file.writeInt32LE(Math.round(value * 2 ** 30), 74 + 12 * i + 4 * c)
      for (const [i, gamma] of gammas.entries()) file.writeUInt32LE(gamma * 65536, 110 + 4 * i)
    })

  test.each([
    ['embedded', embedded],
    ['calibrated', calibrated([2.2, 2.2, 2.2])],
  ])('that are %s are kept as a profile, and converted on request', async (_, file) => {
    const { metadata, pixels, notes } = await decodeBytes(file)
    const [before, now] = [readProfile(icc), readProfile(metadata!.icc!)]
    if ('fault' in before || 'fault' in now) throw new Error('expected profiles')
    for (const [i, value] of before.matrix!.entries()) expect(now.matrix![i]).toBeCloseTo(value, 4)
    expect([notes, [...pixels.data], now.curves![1]!(0.5)]).toEqual([
      [],
      [235, 40, 30],
      expect.closeTo(0.5 ** 2.2, 3),
    ])
    const converted = await decodeBytes(file, { colors: 'srgb' })
    expect([converted.metadata?.icc, [...converted.pixels.data]]).toEqual([undefined, [255, 35, 23]])
  })

  test('may have a power for each channel', async () => {
    const { metadata } = await decodeBytes(calibrated([1, 2, 3]))
    const profile = readProfile(metadata!.icc!)
    if ('fault' in profile) throw new Error(profile.fault)
    expect(profile.curves!.map((curve) => Math.round(1000 * curve(0.5)))).toEqual([500, 250, 125])
  })

  test('that are announced without any are sRGB; those elsewhere or damaged are noted', async () => {
    const plain = await decodeBytes(calibrated([0, 0, 0]))
    expect([plain.metadata?.icc, plain.notes]).toEqual([undefined, []])
    const linked = await decodeBytes(withSpace(0x4c494e4b))
    expect(linked.notes).toEqual([
      'its color profile cannot be used and was left out (it is in another file)',
    ])
    const cut = await decodeBytes(embedded.subarray(0, -300))
    expect(cut.notes).toEqual([expect.stringMatching(/was left out \(\d+ of \d+ bytes\)/)])
  })
})
