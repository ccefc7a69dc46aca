import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { float32Data, viewAs } from '../../core/data.ts'
import { toTorch } from '../../torch/backend.ts'
import { localMean } from './pooling.ts'

/** Mean over the windows that fit into a line, each at its center; the outermost repeat. */
function windowAt(center: number, size: number, length: number): readonly [number, number] {
  const start = Math.min(Math.max(center - Math.floor((length - 1) / 2), 0), size - length)
  return [start, start + length]
}

describe.skipIf(libtorchMissing)('the local mean', () => {
  // Windows of level 5 are 12 pixels wide.
  test.each([
    [20, 31],
    [9, 40],
    [13, 12],
  ])('of %d × %d is that of the window around each pixel', (height, width) => {
    const values = Float32Array.from({ length: height * width }, (_, i) => Math.sin(0.3 * i * i))
    const x = toTorch(float32Data(values, [1, 1, height, width]))
    const found = viewAs(localMean(5)(x).read().bytes, Float32Array)
    for (let at = 0; at < values.length; at++) {
      const [top, bottom] = windowAt(Math.floor(at / width), height, Math.min(12, height))
      const [left, right] = windowAt(at % width, width, Math.min(12, width))
      let sum = 0
      for (let y = top; y < bottom; y++) for (let u = left; u < right; u++) sum += values[y * width + u]!
      expect(found[at]).toBeCloseTo(sum / ((bottom - top) * (right - left)), 5)
    }
  })

  test('of a map within the window is that of the whole map', () => {
    const x = toTorch(float32Data(Float32Array.of(1, 2, 3, 6), [1, 1, 2, 2]))
    expect(localMean(5)(x).shape).toEqual([1, 1, 1, 1])
  })
})
