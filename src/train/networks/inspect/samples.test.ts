// Samples of the inspecting network: chance alone decides, and labels tell what was done.

import { describe, expect, test } from 'vitest'
import { viewAs } from '../../../core/data.ts'
import { counterRandom } from '../../../core/random.ts'
import type { Image } from '../../../data/image.ts'
import { damageIds } from '../../../models/damages.ts'
import { kinds, noises, rmsOf, severityOf } from './kinds.ts'
import { type InspectSample, inspectSample, inspectSampleOf } from './samples.ts'

/** A scene with edges, texture and a sky. */
const scene: Image = {
  ...{ width: 128, height: 128, channels: 3 },
  data: Float32Array.from({ length: 3 * 128 * 128 }, (_, i) => {
    const c = Math.floor(i / 16384)
    const [x, y] = [i % 128, Math.floor(i / 128) % 128]
    const tile = ((x >> 4) + (y >> 4)) % 2
    return y < 40 ? 0.6 + 0.1 * c + y / 600 : 0.25 + 0.3 * tile + 0.1 * Math.sin(x / 2.3 + y / 3.1 + c)
  }),
}

const samples = Array.from({ length: 60 }, (_, i) => inspectSampleOf(scene, counterRandom(i)))

type Labels = 'presence' | 'severity' | 'known' | 'form'
const valuesOf = (sample: InspectSample, name: Labels) => [...viewAs(sample[name].bytes, Float32Array)]

describe('samples', () => {
  test('are determined by chance alone', () => {
    expect(inspectSampleOf(scene, counterRandom(7))).toEqual(samples[7])
    expect(inspectSampleOf(scene, counterRandom(8))).not.toEqual(samples[7])
  })

  test('have every kind of damage among them, several at once, and none in some', () => {
    const present = samples.map((sample) => valuesOf(sample, 'presence').filter((value) => value > 0).length)
    expect(present).toContain(0)
    expect(Math.max(...present)).toBeGreaterThan(1)
    const ever = damageIds.map((_, k) => samples.some((sample) => valuesOf(sample, 'presence')[k]! > 0.5))
    expect(ever.filter(Boolean).length).toBe(damageIds.length)
  })

  test('are whole where nothing was done', () => {
    const [clean] = samples.filter((sample) => valuesOf(sample, 'presence').every((value) => value === 0))
    expect(clean!.view).toMatchObject({ width: 64, height: 64, channels: 3 })
    expect(clean!.crops).toMatchObject({ width: 64, height: 64, channels: 9 })
    expect(valuesOf(clean!, 'form')).toEqual([0, 0, 0])
    const levels = new Set(scene.data.map((value) => Math.round(255 * value)))
    expect([...clean!.crops.data].every((value) => levels.has(Math.round(255 * value)))).toBe(true)
  })

  test('name one form of noise where noise shows', () => {
    for (const sample of samples) {
      const isSeen = valuesOf(sample, 'known')[0] === 1 && valuesOf(sample, 'presence')[0]! > 0
      const forms = valuesOf(sample, 'form').reduce((sum, value) => sum + value, 0)
      if (isSeen) expect(forms).toBe(1)
      expect(forms).toBeLessThanOrEqual(1)
    }
  })

  test('are made of photos of any size', () => {
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
      phase: { steps: 1, crop: 128, batch: 1 },
      data: { images: { root: '', views: { target: '' }, match: 'path', channels: 3, scale: 1 } },
    } as const
    const { view, crops, estimates, presence } = inspectSample(draw)
    expect([view, crops, estimates, presence].map(({ shape }) => shape)).toEqual([
      [4, 3, 64, 64],
      [4, 9, 64, 64],
      [4, 20],
      [4, 12],
    ])
  })
})

describe('severity', () => {
  test('grows with what changed, from 0 where it begins to show to 1', () => {
    expect([1, 2, 9, 40, 90].map((rms) => Math.round(100 * severityOf('noise', rms)))).toEqual([
      0, 0, 50, 100, 100,
    ])
  })

  test.each(Object.entries({ ...kinds, ...noises }))('of %s shows in most pictures', (name, step) => {
    const kind = name in noises ? 'noise' : (name as keyof typeof kinds)
    const shown = Array.from({ length: 12 }, (_, i) =>
      severityOf(kind, rmsOf(scene, step(scene, counterRandom(i)))),
    )
    expect(shown.filter((severity) => severity > 0.15).length).toBeGreaterThan(7)
  })

  test('of blur on a plain wall is none', () => {
    const wall = { ...scene, data: new Float32Array(scene.data.length).fill(0.5) }
    expect(severityOf('defocus', rmsOf(wall, kinds.defocus(wall, counterRandom(1))))).toBe(0)
  })
})
