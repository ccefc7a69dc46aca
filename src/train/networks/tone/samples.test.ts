// Samples of the tone network: the maps undo the damage, and chance alone decides what it is.

import { describe, expect, test } from 'vitest'
import { viewAs } from '../../../core/data.ts'
import { counterRandom } from '../../../core/random.ts'
import type { Image } from '../../../data/image.ts'
import { applyTone, planTone, type ToneMaps } from '../../../data/tone/toneMaps.ts'
import { viewOf } from '../../../data/tone/view.ts'
import { drawDepth } from './depth.ts'
import { type ToneSample, toneSample, toneSampleOf } from './samples.ts'

/** A view with a sky over uneven ground. */
const photo: Image = {
  ...{ width: 256, height: 256, channels: 3 },
  data: Float32Array.from({ length: 3 * 65536 }, (_, i) => {
    const c = Math.floor(i / 65536)
    const y = Math.floor(i / 256) % 256
    const x = i % 256
    if (y < 90) return 0.5 + 0.12 * c + y / 900
    return 0.35 + 0.2 * Math.sin(x / 11 + c) * Math.cos(y / 7) + 0.06 * Math.sin(2.1 * x + 1.3 * y)
  }),
}

const samples = Array.from({ length: 40 }, (_, i) => toneSampleOf(photo, counterRandom(i)))

function faultsOf({ faults }: ToneSample): readonly number[] {
  return [...viewAs(faults.bytes, Float32Array)]
}

function meanError(a: Image, b: Image): number {
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length
}

/** The photo that the true maps give. */
function mended({ view, maps, colors }: ToneSample): Image {
  const size = { width: 64, height: 64 }
  const [r = 1, g = 1, b = 1, red = 0, green = 0, blue = 0] = viewAs(colors.bytes, Float32Array)
  const truth: ToneMaps = {
    transmission: { ...size, values: maps.data.subarray(0, 4096) },
    gain: { ...size, values: maps.data.subarray(4096) },
    airlight: [r, g, b],
    balance: [red, green, blue],
  }
  const parts = { haze: true, gain: true, cast: true }
  const plan = planTone(view, truth, { parts, strength: 1, floor: 0.15 })
  return viewOf(applyTone(plan, view, { top: 0, left: 0, width: 256, height: 256 }), 64)
}

describe('tone samples', () => {
  test('are determined by chance alone', () => {
    expect(toneSampleOf(photo, counterRandom(5))).toEqual(samples[5])
    expect(toneSampleOf(photo, counterRandom(6))).not.toEqual(samples[5])
  })

  test('show haze in four of ten, wrong exposure in about half, and a fifth without a fault', () => {
    const count = (test: (faults: readonly number[]) => boolean) =>
      samples.filter((sample) => test(faultsOf(sample))).length / samples.length
    expect(count(([haze]) => haze === 1)).toBeGreaterThan(0.25)
    expect(count(([haze]) => haze === 1)).toBeLessThan(0.55)
    expect(count(([, gain]) => gain === 1)).toBeGreaterThan(0.3)
    expect(count(([, , cast]) => cast === 1)).toBeGreaterThan(0.1)
    expect(count((faults) => faults.every((fault) => fault === 0))).toBeGreaterThan(0.1)
  })

  test('come back nearer to the photo by their true maps', () => {
    const damaged = samples.filter((sample) => meanError(sample.small, sample.target) > 0.05)
    expect(damaged.length).toBeGreaterThan(13)
    const left = damaged.map(
      (sample) => meanError(mended(sample), sample.target) / meanError(sample.small, sample.target),
    )
    expect(left.toSorted((a, b) => a - b)[Math.floor(left.length / 2)]).toBeLessThan(0.25)
    expect(Math.max(...left)).toBeLessThan(0.8)
  })

  test('without a fault have maps without a fault', () => {
    const clean = samples.filter((sample) => faultsOf(sample).every((fault) => fault === 0))
    for (const { maps, small, target } of clean) {
      expect(Math.min(...maps.data.subarray(0, 4096))).toBe(1)
      expect(maps.data.subarray(4096).every((gain) => Math.abs(gain) <= 0.1)).toBe(true)
      expect(meanError(small, target)).toBeLessThan(0.02)
    }
  })

  test('are made of whole photos of any size', () => {
    const pixels = {
      width: 40,
      height: 30,
      channels: 3,
      hasAlpha: false,
      data: new Uint8Array(3600).fill(99),
    }
    const draw = {
      ...{ index: 0, name: 'one', views: { target: pixels }, step: 0, random: counterRandom(1) },
      shared: counterRandom(2),
      phase: { steps: 1, crop: 256, batch: 1 },
      data: { images: { root: '', views: { target: '' }, match: 'path', channels: 3, scale: 1 } },
    } as const
    expect(toneSample(draw).view).toMatchObject({ width: 256, height: 256 })
  })
})

describe('depth', () => {
  test('lies between near and far', () => {
    for (let i = 0; i < 8; i++) {
      const { values } = drawDepth(photo, counterRandom(i))
      expect(values.every((value) => value >= -0.2 && value <= 1.2)).toBe(true)
    }
  })
})
