import { expect, test } from 'vitest'
import { srgbCurve, srgbPrimaries } from './codingPoints.ts'
import { type CurveParameters, rgbProfile } from './matrixProfile.ts'
import { fromTones, sampleAt, toneTables, toTones } from './toneTables.ts'

const withCurve = (curve: CurveParameters) => rgbProfile('', srgbPrimaries, curve)!

test.each([
  ['linear light', [1]],
  ['gamma 1.8', [1.8]],
  ['gamma 2.6', [2.6]],
  ['BT.709, which dips with rounded parameters', [1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081]],
] as const)('every sample of %s comes back from float32, in 8 and 16 bits', (_, curve) => {
  for (const peak of [255, 65535]) {
    const [table] = toneTables(withCurve(curve), 3, peak) ?? expect.fail()
    expect(table!.length).toBe(peak + 1)
    const wrong = table!.findIndex((value, sample) => Math.round(sampleAt(table!, value)) !== sample)
    expect(wrong).toBe(-1)
    // An error of float32 arithmetic, as blending tiles makes it.
    const shifted = table!.findIndex((value, i) => Math.round(sampleAt(table!, value * (1 + 1e-7))) !== i)
    expect(shifted).toBe(-1)
  }
})

test('linear light reaches the network with sRGB’s curve', () => {
  const [table] = toneTables(withCurve([1]), 3, 255) ?? expect.fail()
  // 0.5 is 0.7354 in sRGB.
  expect(table![128]).toBeCloseTo(0.735, 2)
  expect([table![0], table![255]]).toEqual([0, 1])
})

test.each([
  ['sRGB’s curve', withCurve(srgbCurve), 3],
  ['no profile', undefined, 3],
  ['a profile for other channels', withCurve([1]), 1],
])('%s needs no table', (_, icc, channels) => {
  expect(toneTables(icc, channels, 255)).toBeUndefined()
})

test('planes get sRGB’s curve and lose it again', () => {
  const image = {
    width: 4,
    height: 1,
    channels: 3,
    data: Float32Array.from({ length: 12 }, (_, i) => i / 11),
  }
  const icc = withCurve([1])
  const seen = toTones(image, icc)
  expect(seen.data[2]).toBeGreaterThan(0.45)
  for (const [i, value] of fromTones(seen, icc).data.entries()) expect(value).toBeCloseTo(i / 11, 6)
  expect(sampleAt(new Float32Array([0, 0.5, 1]), Number.NaN)).toBe(0)
})
