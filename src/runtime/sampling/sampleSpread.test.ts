import { expect, test } from 'vitest'
import { SampleSpread, spreadPicture } from './sampleSpread.ts'

test('samples that agree have no spread and a black map', () => {
  const spread = new SampleSpread({ width: 2, height: 2 }, 1)
  for (const sample of [0, 1])
    for (const top of [0, 1])
      spread.add(sample, top, { width: 2, height: 1, channels: 1, data: Float32Array.of(0.5, top) })
  expect([...spread.meanRows(0, 2).data]).toEqual([0.5, 0, 0.5, 1])
  const { pixels, mean255, white255 } = spreadPicture(spread.deviation(2), { width: 2, height: 2 })
  expect([[...pixels.data], mean255, white255]).toEqual([[0, 0, 0, 0], 0, 0])
})

test('the map uses full brightness, and the few largest deviations are clipped', () => {
  const deviation = {
    width: 100,
    height: 100,
    channels: 1,
    data: Float32Array.from({ length: 10_000 }, (_, i) => (i === 5 ? 0.5 : (i % 100) / 1e4)),
  }
  const { pixels, mean255, white255 } = spreadPicture(deviation, { width: 100, height: 90 })
  expect([pixels.width, pixels.height, pixels.channels]).toEqual([100, 90, 1])
  expect(white255).toBeCloseTo(255 * 0.0099, 1)
  expect(mean255).toBeCloseTo(255 * 0.00501, 2)
  expect(pixels.data[99]).toBeGreaterThan(250)
  expect(pixels.data[50]).toBeGreaterThan(120)
  expect(pixels.data[5]).toBe(255)
})
