// DASR's samples and its plan of learning rates.

import { describe, expect, test } from 'vitest'
import { recipe } from '../../../recipes/dasr/iso-x2.ts'
import { counterRandom } from '../../core/random.ts'
import type { Image, Pixels } from '../../data/image.ts'
import { folder } from '../loader/images.ts'
import type { Draw } from '../loader/samples.ts'
import { rateAt, type Weights } from '../recipe/recipe.ts'
import { type BlindDegradation, isForContrastAlone, keyOrder, twoViews, withContrast } from './dasr.ts'

/** Alike everywhere, whatever its orientation: stripes both ways, four pixels wide. */
const checks: Pixels = {
  ...{ width: 160, height: 160, channels: 3, hasAlpha: false },
  data: Uint8Array.from({ length: 160 * 160 * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % 160, Math.floor(i / 480)]
    return ((x >> 2) + (y >> 2)) % 2 === 0 ? 60 : 190
  }),
}

function sampleOf(degradation: BlindDegradation, seed: number, views: Draw['views'] = { target: checks }) {
  const phase = { steps: 1, crop: 32, batch: 4 }
  return twoViews(degradation)({
    ...{ index: 0, name: 'a.png', views, data: { images: folder('', { scale: 2 }) }, phase, step: 0 },
    random: counterRandom(seed),
    shared: counterRandom(0),
  })
}

/** Deviation of what is away from the edges. */
function contrastOf({ width, data }: Image): number {
  const inside = [...data.subarray(0, width * width)].filter((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)]
    return Math.min(x, y, width - 1 - x, width - 1 - y) >= 8
  })
  const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length
  return Math.sqrt(inside.reduce((sum, value) => sum + (value - mean) ** 2, 0) / inside.length)
}

describe('two views of a picture', () => {
  test('share the blur, which differs from picture to picture', () => {
    const contrasts = [1, 2, 3, 4, 5, 6].map((seed) => {
      const { input, key, target } = sampleOf({ kernel: 'iso', sigma: [0.2, 2] }, seed)
      expect([input.width, key.width, target.width]).toEqual([32, 32, 64])
      const [ofInput, ofKey] = [contrastOf(input), contrastOf(key)]
      expect(Math.abs(ofInput / ofKey - 1)).toBeLessThan(0.08)
      return ofInput
    })
    expect(Math.max(...contrasts) / Math.min(...contrasts)).toBeGreaterThan(1.5)
  })

  test('are different crops, and have noise of one strength but not the same', () => {
    const flat: Pixels = { ...checks, data: checks.data.map(() => 127) }
    const { input, key } = sampleOf({ kernel: 'aniso', sigma: [0.2, 4], noise: [5, 25] }, 7, { target: flat })
    expect(Math.abs(contrastOf(input) / contrastOf(key) - 1)).toBeLessThan(0.2)
    expect(input.data).not.toEqual(key.data)
    const gradient: Pixels = { ...checks, data: checks.data.map((_, i) => (i / checks.data.length) * 255) }
    const views = sampleOf({ kernel: 'iso', sigma: [1, 1] }, 3, { target: gradient })
    expect(views.input.data).not.toEqual(views.key.data)
  })

  test('share their blur with other pictures of a batch where a batch has few', () => {
    const few = { kernel: 'iso', sigma: [0.2, 2], perBatch: 3 } as const
    const found = Array.from({ length: 12 }, (_, seed) => sampleOf(few, seed))
    const contrasts = [0, 1, 2].map((number) =>
      found.filter(({ degradation }) => degradation === number).map(({ input }) => contrastOf(input)),
    )
    for (const same of contrasts) expect(Math.max(...same) / Math.min(...same)).toBeLessThan(1.1)
    const means = contrasts.map((same) => same.reduce((sum, value) => sum + value, 0) / same.length)
    expect(Math.max(...means) / Math.min(...means)).toBeGreaterThan(1.2)
    const own = [1, 2, 3].map((seed) => sampleOf({ kernel: 'iso', sigma: [1, 1] }, seed).degradation)
    expect(new Set(own).size).toBe(3)
  })

  test('take turns as keys of one another where they share a degradation', () => {
    expect(keyOrder([5, 2, 5, 9, 5, 2])).toEqual([2, 5, 4, 3, 0, 1])
    expect(keyOrder([3, 1, 2])).toEqual([0, 1, 2])
  })

  test('are in 8 bits, and refused without a target', () => {
    const { input } = sampleOf({ kernel: 'iso', sigma: [1, 1] }, 3)
    expect([...input.data].every((value) => Math.abs(value * 255 - Math.round(value * 255)) < 1e-4)).toBe(
      true,
    )
    expect(() => sampleOf({ kernel: 'iso', sigma: [1, 1] }, 3, {})).toThrow('expected a view target')
  })
})

test('DASR’s learning rate falls where the official one does', () => {
  const ofEpoch = (epoch: number) => rateAt(recipe, (epoch - 1) * 970)
  const found = [1, 59, 60, 100, 101, 224, 225, 350, 475, 600].map((epoch) => ofEpoch(epoch))
  const wanted = [1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5, 6.25e-6]
  found.forEach((rate, i) => {
    expect(rate / (wanted[i] ?? 0)).toBeCloseTo(1, 9)
  })
})

test('a published file is completed by a queue and a key encoder', () => {
  const weights = (keys: readonly string[], value: number): Weights =>
    new Map(keys.map((key) => [key, { shape: [1], floats: () => Float32Array.of(value) }]))
  const published = ['G.head.0.bias', 'E.encoder_q.E.0.bias']
  const own = ['E.queue', 'E.queue_ptr', 'E.encoder_k.E.0.bias']
  expect([...published, ...own].filter(isForContrastAlone)).toEqual(own)
  const started = withContrast(weights(published, 1), weights([...published, ...own], 2))
  const values = [...published, ...own].map((key) => started.get(key)?.floats()[0])
  expect(values).toEqual([1, 1, 2, 2, 2])
})
