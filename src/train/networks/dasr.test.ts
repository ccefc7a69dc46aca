// DASR's samples, ranked contrast and learning-rate schedule.

import { describe, expect, test } from 'vitest'
import { recipe } from '../../../recipes/dasr/iso-x2.ts'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { numbersOf } from '../../../test/values.ts'
import { float32Data } from '../../core/data.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import { counterRandom } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Image, Pixels } from '../../data/image.ts'
import { backward, grad, moveToTorch, scalar } from '../../torch/backend.ts'
import { rateAt, type Weights } from '../recipe/recipe.ts'
import { folder } from '../samples/images.ts'
import type { Draw } from '../samples/samples.ts'
import {
  type BlindDegradation,
  blurredView,
  isContrastOnly,
  rankedContrast,
  twoViews,
  withContrastWeights,
} from './dasr.ts'

/** A checkerboard of 4 × 4 pixel squares: it looks the same everywhere and in every orientation. */
const checkerboard: Pixels = {
  width: 160,
  height: 160,
  channels: 3,
  hasAlpha: false,
  data: Uint8Array.from({ length: 160 * 160 * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % 160
    const y = Math.floor(i / 480)
    return ((x >> 2) + (y >> 2)) % 2 === 0 ? 60 : 190
  }),
}

function drawOf(seed: number, views: Draw['views'] = { target: checkerboard }): Draw {
  return {
    index: 0,
    name: 'a.png',
    views,
    data: { images: folder('', { scale: 2 }) },
    phase: { steps: 1, crop: 32, batch: 4 },
    step: 0,
    random: counterRandom(seed),
    shared: counterRandom(0),
  }
}

function sampleOf(degradation: BlindDegradation, seed: number, views?: Draw['views']) {
  return twoViews(degradation)(drawOf(seed, views))
}

/** Standard deviation of the values at least 8 pixels from the edges. */
function contrastOf({ width, data }: Image): number {
  const inside = [...data.subarray(0, width * width)].filter((_, i) => {
    const x = i % width
    const y = Math.floor(i / width)
    return Math.min(x, y, width - 1 - x, width - 1 - y) >= 8
  })
  const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length
  return Math.sqrt(inside.reduce((sum, value) => sum + (value - mean) ** 2, 0) / inside.length)
}

describe('two views of an image', () => {
  test('share the blur, which differs from image to image', () => {
    const contrasts = [1, 2, 3, 4, 5, 6].map((seed) => {
      const { input, key, target } = sampleOf({ kernel: 'iso', sigma: [0.2, 2] }, seed)
      expect([input.width, key.width, target.width]).toEqual([32, 32, 64])
      const inputContrast = contrastOf(input)
      expect(Math.abs(inputContrast / contrastOf(key) - 1)).toBeLessThan(0.08)
      return inputContrast
    })
    expect(Math.max(...contrasts) / Math.min(...contrasts)).toBeGreaterThan(1.5)
  })

  test('are different crops with different noise of the same strength', () => {
    const flat: Pixels = { ...checkerboard, data: checkerboard.data.map(() => 127) }
    const { input, key } = sampleOf({ kernel: 'aniso', sigma: [0.2, 4], noise: [5, 25] }, 7, { target: flat })
    expect(Math.abs(contrastOf(input) / contrastOf(key) - 1)).toBeLessThan(0.2)
    expect(input.data).not.toEqual(key.data)
    const gradient: Pixels = {
      ...checkerboard,
      data: checkerboard.data.map((_, i) => (i / checkerboard.data.length) * 255),
    }
    const views = sampleOf({ kernel: 'iso', sigma: [1, 1] }, 3, { target: gradient })
    expect(views.input.data).not.toEqual(views.key.data)
  })

  test('are rounded to 8 bits, and rejected without a target', () => {
    const { input } = sampleOf({ kernel: 'iso', sigma: [1, 1] }, 3)
    expect([...input.data].every((value) => Math.abs(value * 255 - Math.round(value * 255)) < 1e-4)).toBe(
      true,
    )
    expect(() => sampleOf({ kernel: 'iso', sigma: [1, 1] }, 3, {})).toThrow('expected a view target')
  })
})

test('a blurred view is labeled with the width of its blur', () => {
  const found = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
    const { width, input } = blurredView({ sigma: [0.2, 2] })(drawOf(seed))
    expect([input.width, input.height]).toEqual([32, 32])
    return { width, contrast: contrastOf(input) }
  })
  const byWidth = found.toSorted((a, b) => a.width - b.width).map(({ contrast }) => contrast)
  expect(byWidth).toEqual(byWidth.toSorted((a, b) => b - a))
  expect(found.every(({ width }) => width >= 0.2 && width <= 2)).toBe(true)
})

test.skipIf(libtorchMissing !== undefined)('ranked contrast matches the formula of its paper', () => {
  const rows = [
    [0.5, 1, -1],
    [2, 0, 0.25],
    [-1, 1.5, 3],
    [0, 0, 1],
    [0, 0, 1],
  ]
  const values = [0.3, 1.9, 1.2, 0.7, 0.3]
  const similarity = (i: number, j: number) => -Math.hypot(...rows[i]!.map((x, c) => x - rows[j]![c]!)) / 2
  let expected = 0
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 5; j++) {
      if (i === j) continue
      const negatives = [0, 1, 2, 3, 4].filter(
        (k) => k !== i && Math.abs(values[i]! - values[k]!) >= Math.abs(values[i]! - values[j]!),
      )
      const sum = negatives.reduce((total, k) => total + Math.exp(similarity(i, k)), 0)
      expected -= (similarity(i, j) - Math.log(sum)) / 20
    }
  }
  const holder = { x: hostTensor(float32Data(Float32Array.from(rows.flat()), [5, 3])) }
  holder.x.isTrainable = true
  moveToTorch(holder)
  const { x } = holder
  const loss = rankedContrast(x, values)
  expect(scalar(loss)).toBeCloseTo(expected, 5)
  backward(loss)
  expect(Array.from(numbersOf((grad(x) as Tensor).read())).every(Number.isFinite)).toBe(true)
})

test('DASR’s learning rate falls where the official one does', () => {
  const epochs = [1, 59, 60, 100, 101, 224, 225, 350, 475, 600]
  const expected = [1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5, 6.25e-6]
  epochs.forEach((epoch, i) => {
    expect(rateAt(recipe, (epoch - 1) * 970) / expected[i]!).toBeCloseTo(1, 9)
  })
})

test('weights of a published file are completed with a queue and a key encoder', () => {
  const weights = (keys: readonly string[], value: number): Weights =>
    new Map(keys.map((key) => [key, { shape: [1], floats: () => Float32Array.of(value) }]))
  const published = ['G.head.0.bias', 'E.encoder_q.E.0.bias']
  const own = ['E.queue', 'E.queue_ptr', 'E.encoder_k.E.0.bias']
  expect([...published, ...own].filter(isContrastOnly)).toEqual(own)
  const started = withContrastWeights(weights(published, 1), weights([...published, ...own], 2))
  const values = [...published, ...own].map((key) => started.get(key)?.floats()[0])
  expect(values).toEqual([1, 1, 2, 2, 2])
})
