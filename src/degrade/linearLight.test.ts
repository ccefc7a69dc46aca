import { expect, test } from 'vitest'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { blur } from './blur.ts'
import { inLinearLight } from './linearLight.ts'
import { decodeSrgb, encodeSrgb } from './numerics/srgb.ts'
import { sharpen } from './sharpen.ts'

const line = (...data: number[]): Image => ({
  width: data.length,
  height: 1,
  channels: 1,
  data: Float32Array.from(data),
})

test('light mixes before it is encoded, and lamps are brighter than white', () => {
  const box = blur({ kernel: 'box', size: 3 })
  const image = line(0, 0, 1, 0, 0)
  const [, mixed] = inLinearLight(box)(image, counterRandom(1)).data
  expect(mixed).toBeCloseTo(encodeSrgb(1 / 3), 4)
  const [, , lamp, bright] = inLinearLight(box, { highlights: [6, 6] })(image, counterRandom(1)).data
  expect([lamp, bright]).toEqual([1, 1])
  const same = inLinearLight((one) => one)(line(0.2, 0.7), counterRandom(1)).data
  expect([...same].map(decodeSrgb)).toEqual([0.2, 0.7].map((value) => expect.closeTo(decodeSrgb(value), 4)))
})

test('sharpening overshoots at an edge, by its amount, and leaves flat parts', () => {
  const edge = line(...Array.from({ length: 20 }, (_, i) => (i < 10 ? 0.3 : 0.6)))
  const { data } = sharpen({ amount: 1, sigma: 1 })(edge, counterRandom(1))
  expect(data[0]).toBeCloseTo(0.3, 5)
  expect(data[9]).toBeLessThan(0.25)
  expect(data[10]).toBeGreaterThan(0.65)
  expect(data[19]).toBeCloseTo(0.6, 5)
  const twice = sharpen({ amount: 2, sigma: 1 })(edge, counterRandom(1)).data
  expect(twice[9]! - 0.3).toBeCloseTo(2 * (data[9]! - 0.3), 5)
})
