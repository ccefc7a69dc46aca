import { describe, expect, test } from 'vitest'
import { decodeBytes, decodeImage, imageSize } from './codec.ts'

function pnm(head: string, samples: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(samples)])
}

interface BmpParts {
  readonly width: number
  /** Negative for rows stored top-down. */
  readonly rows: number
  readonly bits: number
  readonly palette?: readonly number[]
  readonly rowBytes: readonly number[]
  readonly compression?: number
}

function bmp({ width, rows, bits, palette = [], rowBytes, compression = 0 }: BmpParts): Buffer {
  const start = 54 + palette.length
  const file = Buffer.alloc(start + rowBytes.length)
  file.write('BM')
  file.writeUInt32LE(start, 10)
  file.writeUInt32LE(40, 14)
  file.writeInt32LE(width, 18)
  file.writeInt32LE(rows, 22)
  file.writeUInt16LE(1, 26)
  file.writeUInt16LE(bits, 28)
  file.writeUInt32LE(compression, 30)
  file.set(palette, 54)
  file.set(rowBytes, start)
  return file
}

const data = async (file: Buffer) => [...(await decodeBytes(file)).pixels.data]

describe('PNM', () => {
  test('in color, with comments in the header, is decoded', async () => {
    const file = pnm('P6 # made by hand\n2\n# wide\n1 255\n', [1, 2, 3, 4, 5, 6])
    const { pixels, format } = await decodeBytes(file)
    expect([pixels.width, pixels.height, pixels.channels, format, ...pixels.data]).toEqual([
      2,
      1,
      3,
      'pnm',
      1,
      2,
      3,
      4,
      5,
      6,
    ])
    expect(await imageSize(file)).toEqual({ width: 2, height: 1, format: 'pnm' })
  })

  test('in 16-bit gray or with another maximum is decoded', async () => {
    const deep = await decodeImage(pnm('P5 2 1 65535\n', [0x12, 0x34, 0xff, 0xff]))
    expect([deep.depth, deep.image.data[1]]).toEqual([16, 1])
    expect(await data(pnm('P5 3 1 4\n', [0, 2, 4]))).toEqual([0, 128, 255])
  })

  test.each([
    ['P6 2 2 255\n', 'a file that was cut short'],
    ['P6 2 x 255\n', 'a malformed PNM header'],
    ['P6 0 2 255\n', 'an image of 0 × 2 pixels'],
    ['P5 1 1 65536\n', 'a maximum sample of 65536'],
    ['P6 99999 99999 255\n', 'above the limit of 268 megapixels'],
  ])('with the header %j is rejected', async (head, reason) => {
    await expect(decodeImage(pnm(head, [1, 2]))).rejects.toThrow(reason)
  })
})

describe('BMP', () => {
  const rowBytes = [3, 2, 1, 6, 5, 4, 0, 0, 9, 8, 7, 12, 11, 10, 0, 0]

  test('of 24 bits is decoded, bottom-up and top-down', async () => {
    expect(await data(bmp({ width: 2, rows: 2, bits: 24, rowBytes }))).toEqual([
      7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6,
    ])
    expect(await data(bmp({ width: 2, rows: -2, bits: 24, rowBytes }))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    ])
  })

  test('of 32 bits is decoded, ignoring the fourth byte', async () => {
    expect(await data(bmp({ width: 1, rows: 1, bits: 32, rowBytes: [3, 2, 1, 99] }))).toEqual([1, 2, 3])
  })

  test('with a gray palette is gray, with a color palette is color', async () => {
    const gray = [0, 0, 0, 0, 200, 200, 200, 0]
    const rows = { width: 3, rows: 1, rowBytes: [0b01100000, 0, 0, 0] }
    const { pixels } = await decodeBytes(bmp({ ...rows, bits: 1, palette: gray }))
    expect([pixels.channels, ...pixels.data]).toEqual([1, 0, 200, 200])
    const palette = Array.from({ length: 64 }, (_, i) => i)
    const file = bmp({ width: 2, rows: 1, bits: 4, palette, rowBytes: [0x1f, 0, 0, 0] })
    expect(await data(file)).toEqual([6, 5, 4, 62, 61, 60])
  })

  test.each([
    ['compressed', { compression: 1 }, 'a BMP of 24 bits with compression 1'],
    ['of 16 bits', { bits: 16 }, 'a BMP of 16 bits'],
    ['cut short', { rowBytes: [1] }, 'cut short'],
    ['of zero width', { width: 0 }, 'an image of 0 × 2 pixels'],
    ['huge', { width: 2 ** 31 - 1, rows: -(2 ** 31) }, 'above the limit'],
  ])('that is %s is rejected', async (_, changed, reason) => {
    const file = bmp({ width: 2, rows: 2, bits: 24, rowBytes, ...changed })
    await expect(decodeImage(file)).rejects.toThrow(reason)
  })
})
