import { expect, test } from 'vitest'
import type { Image } from '../data/image.ts'
import { cropAt, cropCorners, inspectPx } from './views.ts'

test('crops cover a large photo from corner to corner, where blocks begin', () => {
  const corners = cropCorners({ width: 4000, height: 3000 }, inspectPx)
  expect(corners).toHaveLength(9)
  expect(corners[0]).toEqual({ top: 0, left: 0 })
  expect(corners[8]).toEqual({ top: 2808, left: 3808 })
  expect(corners.every(({ top, left }) => top % 8 === 0 && left % 8 === 0)).toBe(true)
})

test('small photos have fewer crops, and tiny ones are mirrored whole', () => {
  expect(cropCorners({ width: 481, height: 321 }, inspectPx)).toHaveLength(9)
  expect(cropCorners({ width: 250, height: 192 }, inspectPx)).toHaveLength(2)
  expect(cropCorners({ width: 20, height: 30 }, inspectPx)).toEqual([{ top: 0, left: 0 }])
  const tiny: Image = { width: 2, height: 1, channels: 1, data: Float32Array.of(0.25, 0.5) }
  const crop = cropAt(tiny, { top: 0, left: 0 }, 5)
  expect([...crop.data.subarray(0, 5)]).toEqual([0.25, 0.5, 0.5, 0.25, 0.25])
  expect(crop.data.subarray(20)).toEqual(crop.data.subarray(0, 5))
})
