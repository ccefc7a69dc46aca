// IPT's samples, windows, and initialization from the tasks of a checkpoint.

import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { numbersOf } from '../../../test/values.ts'
import { float32Data } from '../../core/data.ts'
import { counterRandom } from '../../core/random.ts'
import type { Pixels } from '../../data/image.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import { imresize } from '../../degrade/resize.ts'
import { Ipt, type IptOptions, iptDefaults } from '../../models/ipt/ipt.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import { moveToTorch, noGrad, scalar, toTorch } from '../../torch/backend.ts'
import type { Weights } from '../recipe/recipe.ts'
import { folder } from '../samples/images.ts'
import type { Draw } from '../samples/samples.ts'
import { inWindows, iptPretraining, oneTaskPerBatch, tasksFrom } from './ipt.ts'

const pixels: Pixels = {
  width: 60,
  height: 70,
  channels: 3,
  hasAlpha: false,
  data: Uint8Array.from({ length: 60 * 70 * 3 }, (_, i) => (i * 37) % 251),
}

function draw(batch: number, sample: number): Draw {
  return {
    index: 0,
    name: 'a.png',
    views: { target: pixels },
    data: { images: folder('') },
    phase: { steps: 1, crop: 12, batch: 4 },
    step: 0,
    random: counterRandom(1).fork(sample),
    shared: counterRandom(2).fork(batch),
  }
}

const tasks = Object.values(iptPretraining)
const tiny: IptOptions = { ...iptDefaults, channels: 4, patchSize: 12, layers: 1, hidden: 8 }

describe('a batch of IPT', () => {
  test('has one task, drawn uniformly, and targets of its scale', () => {
    const sample = oneTaskPerBatch(tasks)
    const counts = tasks.map(() => 0)
    for (let batch = 0; batch < 300; batch++) {
      const a = sample(draw(batch, 2 * batch))
      const b = sample(draw(batch, 2 * batch + 1))
      expect(b.task).toBe(a.task)
      counts[a.task]!++
      const side = 12 * (tasks[a.task]?.scale ?? 0)
      expect([a.input.width, a.input.height, a.target.width, a.target.height]).toEqual([12, 12, side, side])
    }
    expect(Math.min(...counts)).toBeGreaterThan(30)
  })

  test('has inputs downscaled as by MATLAB on 8-bit images, clipped noise and additive rain', () => {
    const { input, target } = oneTaskPerBatch([iptPretraining['sr-x3']])(draw(0, 0))
    expect(input.data).toEqual(imresize(target, 1 / 3, { rounding: 'uint8' }).data)
    const noisy = oneTaskPerBatch([iptPretraining['denoise-50']])(draw(0, 0)).input.data
    expect([Math.min(...noisy), Math.max(...noisy)]).toEqual([0, 1])
    const rainy = oneTaskPerBatch([iptPretraining.derain])(draw(0, 0))
    expect(rainy.input.data.every((value, i) => value >= (rainy.target.data[i] ?? 0))).toBe(true)
    expect(rainy.input.data).not.toEqual(rainy.target.data)
  })

  test('crops after degrading if the task has slack', () => {
    const sides: number[] = []
    const degrade: Degrade = (image) => {
      sides.push(image.width)
      return image
    }
    const task = { scale: 1, slack: 15, degrade }
    const { input, target } = oneTaskPerBatch([task])(draw(0, 0))
    expect([sides, input.width]).toEqual([[27], 12])
    expect(input.data).toEqual(target.data)
  })
})

test.skipIf(libtorchMissing !== undefined)('images are restored window by window', () => {
  const network = new Ipt(
    randomInit(() => 0.4),
    tiny,
  )
  moveToTorch(network)
  const picture = toTorch(
    float32Data(
      Float32Array.from({ length: 3 * 24 * 36 }, (_, i) => (i * 0.37) % 1),
      [1, 3, 24, 36],
    ),
  )
  const whole = noGrad(() => inWindows(network, picture, 0))
  expect(whole.shape).toEqual([1, 3, 48, 72])
  const window = noGrad(() => network.forward(picture.slice(2, 12, 24).slice(3, 24, 36), 0))
  const difference = whole.slice(2, 24, 48).slice(3, 48, 72).sub(window).abs().amax()
  expect(scalar(difference)).toBeLessThan(1e-4)
})

describe('a network initialized from the tasks of a checkpoint', () => {
  const weights = (seed: number, changed: Partial<IptOptions>): Weights => {
    const random = counterRandom(seed)
    const network = new Ipt(
      randomInit(() => random.uniform()),
      { ...tiny, ...changed },
    )
    return new Map(
      [...stateDict(network)].map(([key, tensor]) => [
        key,
        { shape: tensor.shape as number[], floats: () => numbersOf(tensor.read()) as Float32Array },
      ]),
    )
  }
  const six = weights(1, {})
  const valuesOf = (from: Weights, key: string) => Array.from(from.get(key)?.floats() ?? [])

  test('takes the head, tail and query of one task, and the body', () => {
    const own = weights(2, { scales: [1], queries: 1 })
    const started = tasksFrom([4])(six, own)
    expect([...started.keys()]).toEqual([...own.keys()])
    expect(valuesOf(started, 'head.0.0.weight')).toEqual(valuesOf(six, 'head.4.0.weight'))
    expect(valuesOf(started, 'tail.0.1.bias')).toEqual(valuesOf(six, 'tail.4.1.bias'))
    const rows = valuesOf(six, 'body.query_embed.weight')
    const width = rows.length / 6
    expect(valuesOf(started, 'body.query_embed.weight')).toEqual(rows.slice(4 * width, 5 * width))
    const linear = 'body.encoder.layers.0.linear1.weight'
    expect(valuesOf(started, linear)).toEqual(valuesOf(six, linear))
  })

  test('adds a new task to all existing ones', () => {
    const own = weights(2, { scales: [2, 3, 4, 1, 1, 1, 1], queries: 7 })
    const started = tasksFrom([0, 1, 2, 3, 4, 5, 'new'])(six, own)
    expect(valuesOf(started, 'head.6.0.weight')).toEqual(valuesOf(own, 'head.6.0.weight'))
    expect(valuesOf(started, 'tail.2.1.weight')).toEqual(valuesOf(six, 'tail.2.1.weight'))
    const [before, after] = [six, own].map((from) => valuesOf(from, 'body.query_embed.weight'))
    const width = (before?.length ?? 0) / 6
    const expected = [...(before ?? []), ...(after ?? []).slice(6 * width)]
    expect(valuesOf(started, 'body.query_embed.weight')).toEqual(expected)
  })

  test('rejects a task that the checkpoint does not have', () => {
    const one = weights(1, { scales: [1], queries: 1 })
    expect(() => tasksFrom([3])(one, weights(2, { scales: [1], queries: 1 }))).toThrow(
      "expected tasks below 1, which the checkpoint has, or 'new', got 3",
    )
  })
})
