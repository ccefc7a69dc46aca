import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { compressJpeg, jpegBlocks, type Subsampling } from './jpeg.ts'

/** Edges, a ramp and noise, in multiples of 1/255. */
function picture(width: number, height: number, channels: number): Image {
  const random = counterRandom(7)
  const data = new Float32Array(channels * height * width)
  for (let i = 0; i < data.length; i++) {
    const c = Math.floor(i / (width * height))
    const y = Math.floor(i / width) % height
    const x = i % width
    const scene = (x + 2 * y) % 23 < 9 + c ? 210 - 3 * y : 20 + 2 * x + 30 * c
    data[i] = Math.min(Math.max(scene + random.integer(40) - 20, 0), 255) / 255
  }
  return { width, height, channels, data }
}

function toBytes({ width, height, channels, data }: Image): Uint8Array {
  const pixels = width * height
  return Uint8Array.from(data, (_, i) =>
    Math.round((data[(i % channels) * pixels + Math.floor(i / channels)] ?? 0) * 255),
  )
}

/** Writes and reads a real JPEG file with libjpeg. */
async function throughFile(image: Image, quality: number, chromaSubsampling: Subsampling) {
  const { width, height } = image
  const [channels, space] = image.channels === 1 ? ([1, 'b-w'] as const) : ([3, 'srgb'] as const)
  const file = await sharp(toBytes(image), { raw: { width, height, channels } })
    .toColourspace(space)
    .jpeg({ quality, chromaSubsampling })
    .toBuffer()
  return new Uint8Array(await sharp(file).toColourspace(space).raw().toBuffer())
}

describe('compressJpeg matches libjpeg bit for bit', () => {
  const sizes = [
    [1, 1],
    [3, 2],
    [5, 4],
    [7, 5],
    [6, 19],
    [16, 16],
    [33, 17],
    [50, 7],
    [64, 64],
    [61, 90],
  ] as const
  test.each(sizes)('at %i x %i, at various qualities, in color and gray', async (width, height) => {
    for (const channels of [1, 3]) {
      const image = picture(width, height, channels)
      for (const subsampling of ['4:2:0', '4:4:4'] as const) {
        for (const quality of [1, 10, 49, 50, 75, 96, 100]) {
          const expected = await throughFile(image, quality, subsampling)
          const actual = toBytes(compressJpeg(image, quality, subsampling))
          expect(
            Buffer.compare(actual, expected),
            `quality ${quality}, ${subsampling}, ${channels} channels`,
          ).toBe(0)
        }
      }
    }
  })
})

test('an image with another number of channels is rejected', () => {
  const image = { width: 2, height: 2, channels: 4, data: new Float32Array(16) }
  expect(() => compressJpeg(image, 50, '4:4:4')).toThrow('jpeg: expected a gray or RGB image, got 4 channels')
})

test('double compression differs from single compression and keeps the size', () => {
  const image = picture(70, 50, 3)
  const drawn = { quality: 5, second: 60, subsampling: '4:4:4' } as const
  const twice = jpegBlocks.apply(image, drawn, counterRandom(1))
  expect([twice.width, twice.height, twice.channels]).toEqual([70, 50, 3])
  const single = compressJpeg(image, 5, '4:4:4')
  let difference = 0
  twice.data.forEach((value, i) => {
    difference += Math.abs(value - (single.data[i] ?? 0)) / twice.data.length
  })
  expect(difference).toBeGreaterThan(0.002)
  expect(difference).toBeLessThan(0.06)
})
