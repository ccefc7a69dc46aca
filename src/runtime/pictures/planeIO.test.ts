import { expect, test } from 'vitest'
import type { Image, Pixels } from '../../data/image.ts'
import { imageReader, planeReader, sampleWriter } from './planeIO.ts'

const size = { width: 5, height: 4 }

function pixels(channels: number, hasAlpha: boolean, is16Bit: boolean): Pixels {
  const step = channels + (hasAlpha ? 1 : 0)
  const values = Array.from({ length: 20 * step }, (_, i) => (i * 53) % 256)
  const data = is16Bit ? Uint16Array.from(values, (value) => value * 257) : Uint8Array.from(values)
  return { ...size, channels, hasAlpha, data }
}

test.each([
  [1, false, false],
  [3, false, true],
  [3, true, false],
  [1, true, true],
])('samples of %i channels (opacity %s, 16 bits %s) survive reading as planes and writing', (...kind) => {
  const source = pixels(...kind)
  const [channels, , is16Bit] = kind
  const writer = sampleWriter(source, 1, { is16Bit })
  const read = planeReader(source, channels, size)
  writer.emit(0, read(0, 0, 3, 5))
  writer.emit(3, read(3, 0, 1, 5))
  expect(writer.pixels).toEqual(source)
})

test('a part beyond the edge is reflected, and cropped in the result', () => {
  const source: Pixels = {
    width: 3,
    height: 1,
    channels: 1,
    hasAlpha: false,
    data: Uint8Array.of(0, 51, 255),
  }
  const image = planeReader(source, 3, { width: 5, height: 2 })(0, 1, 2, 4)
  const row = [0.2, 1, 0.2, 0].map(Math.fround)
  expect([...image.data]).toEqual(Array.from({ length: 6 }, () => row).flat())
  const writer = sampleWriter(source, 1, { is16Bit: false })
  writer.emit(0, planeReader(source, 3, { width: 8, height: 8 })(0, 0, 8, 8))
  expect(writer.pixels.data).toEqual(source.data)
})

test('values are clamped and rounded half to even', () => {
  const source: Pixels = { width: 4, height: 1, channels: 1, hasAlpha: false, data: new Uint8Array(4) }
  const writer = sampleWriter(source, 1, { is16Bit: false })
  const data = Float32Array.of(-1, 2, 0.5, 1.5 / 255)
  writer.emit(0, { width: 4, height: 1, channels: 1, data })
  expect([...writer.pixels.data]).toEqual([0, 255, 128, 2])
})

test('dithering keeps levels, and the mean between them', () => {
  const size = { width: 64, height: 64, channels: 1 }
  const written = (value: number) => {
    const source = { ...size, hasAlpha: false, data: new Uint8Array(4096) }
    const writer = sampleWriter(source, 1, { is16Bit: false, dithers: true })
    writer.emit(0, { ...size, data: new Float32Array(4096).fill(value / 255) })
    return [...writer.pixels.data]
  }
  expect(new Set(written(77))).toEqual(new Set([77]))
  expect(new Set(written(77.3))).toEqual(new Set([77, 78]))
  expect(written(77.3).reduce((sum, value) => sum + value / 4096, 0)).toBeCloseTo(77.3, 1)
})

test('opacity is upscaled bicubically with the picture, within its range', () => {
  const data = Uint8Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 0 : i < 8 ? 0 : 200))
  const writer = sampleWriter({ width: 8, height: 1, channels: 1, hasAlpha: true, data }, 2, {
    is16Bit: false,
  })
  writer.emit(0, { width: 16, height: 2, channels: 1, data: new Float32Array(32) })
  const row = [...writer.pixels.data].filter((_, i) => i % 2 === 1).slice(0, 16)
  expect([row[0], row[15]]).toEqual([0, 200])
  // Symmetric around the edge, with the overshoot of cubic kernels.
  expect(row[7]! + row[8]!).toBe(200)
  expect(Math.max(...row)).toBeGreaterThan(200)
})

test('more channels than the network takes are rejected with advice', () => {
  expect(() => planeReader(pixels(3, false, false), 1, size)).toThrow(
    'use weights for color, or a gray image',
  )
  expect(() => planeReader(pixels(3, false, false), 6, size)).toThrow('limpid forward')
})

test('padding reflects without repeating the edge, and only the sides that need it', () => {
  const line: Image = { width: 5, height: 1, channels: 1, data: Float32Array.of(1, 2, 3, 4, 5) }
  const read = imageReader(line, 1, { width: 8, height: 1 })
  expect([...read(0, 0, 1, 8).data]).toEqual([1, 2, 3, 4, 5, 4, 3, 2])
})

test('a side too short to reflect repeats its edge', () => {
  const dot: Image = { width: 2, height: 1, channels: 1, data: Float32Array.of(1, 2) }
  const padded = imageReader(dot, 1, { width: 8, height: 8 })(0, 0, 8, 8)
  expect([...padded.data.subarray(0, 8)]).toEqual([1, 2, 2, 2, 2, 2, 2, 2])
  expect([...padded.data.subarray(56)]).toEqual([1, 2, 2, 2, 2, 2, 2, 2])
})
