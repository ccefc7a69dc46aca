import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { viewAs } from '../../core/data.ts'
import type { Image } from '../image.ts'
import { clipImage, resizeAndCrop, resizeBytes, toBytes } from './clipImage.ts'

interface Golden {
  readonly pictures: readonly {
    readonly size: readonly [number, number]
    readonly side: number
    readonly first: readonly (readonly number[])[]
    readonly sha256: string
  }[]
}

const { pictures } = JSON.parse(
  readFileSync(new URL('../../../test/golden/clip/clip.json', import.meta.url), 'utf8'),
) as Golden

/** The test image of test/golden/clip/clip.py. */
function picture(height: number, width: number): Image {
  const size = height * width
  const data = new Float32Array(3 * size)
  for (let i = 0; i < data.length; i++)
    data[(i % 3) * size + Math.floor(i / 3)] = Number(((BigInt(i) * 2654435761n) >> 7n) % 251n) / 255
  return { width, height, channels: 3, data }
}

describe('an image for CLIP', () => {
  test.each(pictures)('of $size resized to $side matches Pillow bit for bit', (golden) => {
    const { planes } = resizeAndCrop(toBytes(picture(...golden.size)), [golden.side, golden.side])
    const bytes = new Uint8Array(3 * golden.side ** 2)
    for (const [c, plane] of planes.entries())
      for (let i = 0; i < plane.length; i++) bytes[3 * i + c] = plane[i]!
    expect([...bytes.subarray(0, 12)]).toEqual(golden.first.flat())
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(golden.sha256)
  })

  test('keeps byte values and truncates values between them', () => {
    const data = Float32Array.from({ length: 256 }, (_, i) => i / 255)
    const [plane] = toBytes({ width: 16, height: 16, channels: 1, data }).planes
    expect([...(plane as Uint8Array)]).toEqual(Array.from({ length: 256 }, (_, i) => i))
    const between = Float32Array.of(0.999, 1.5, -0.2, 0.5)
    expect([...(toBytes({ width: 4, height: 1, channels: 1, data: between }).planes[0] ?? [])]).toEqual([
      254, 255, 0, 127,
    ])
  })

  test('is normalized per channel, with gray as three equal channels', () => {
    const gray = clipImage({ width: 2, height: 2, channels: 1, data: new Float32Array(4).fill(0.6) }, [2, 2])
    expect(gray.shape).toEqual([1, 3, 2, 2])
    const values = viewAs(gray.bytes, Float32Array)
    expect(values[0]).toBeCloseTo((153 / 255 - 0.48145466) / 0.26862954, 6)
    expect(values[11]).toBeCloseTo((153 / 255 - 0.40821073) / 0.27577711, 6)
  })

  test('for a CLIP with a rectangular input has both sides resized', () => {
    const bytes = toBytes(picture(20, 12))
    expect(resizeAndCrop(bytes, [6, 10])).toEqual(resizeBytes(bytes, 10, 6))
  })

  test('with an alpha channel is rejected', () => {
    const image = { width: 1, height: 1, channels: 4, data: new Float32Array(4) }
    expect(() => clipImage(image, [2, 2])).toThrow('CLIP: expected an image with 1 or 3 channels, got 4')
  })
})
