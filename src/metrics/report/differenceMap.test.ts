import { expect, test } from 'vitest'
import type { Image } from '../../data/image.ts'
import { describeMap, differenceMap, worstSquare } from './differenceMap.ts'

const flat = (width: number, height: number): Image => ({
  width,
  height,
  channels: 1,
  data: new Float32Array(width * height).fill(0.5),
})

test('a map is signed, amplified, and mid-gray where images are equal', () => {
  const reference = flat(2, 1)
  const output = { ...reference, data: Float32Array.of(0.5, 0.4) }
  const { data } = differenceMap(reference, output)
  expect([...data]).toEqual([0.5, expect.closeTo(0.1, 5)])
  expect(describeMap()).toContain('4 times amplified')
  expect(() => differenceMap(reference, flat(1, 1))).toThrow(/1×1×2 .*1×1×1/)
})

test('worstSquare finds the largest difference, including at edges', () => {
  const reference = flat(100, 40)
  const output = { ...reference, data: reference.data.slice() }
  output.data[39 * 100 + 99] = 1
  expect(worstSquare(reference, output, 16)).toEqual({ top: 24, left: 84 })
  expect(worstSquare(reference, output, 40)).toEqual({ top: 0, left: 60 })
})
