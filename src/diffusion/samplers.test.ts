import { expect, test } from 'vitest'
import { float32Data, type TensorData, viewAs } from '../core/data.ts'
import { hostTensor } from '../core/host.ts'
import type { Tensor } from '../core/tensor.ts'
import { createSde, evaluate, restoringSde, type Sampler, trueNoise } from './irsde.ts'
import { drawsNoise, type SampleOptions, sample, seededNoise, stepUpdate } from './samplers.ts'

const shape = [2, 1, 2, 3]
const data = (fill: (i: number) => number) =>
  float32Data(
    Float32Array.from({ length: 12 }, (_, i) => fill(i)),
    shape,
  )
const valuesOf = ({ bytes }: TensorData) => Array.from(viewAs(bytes, Float32Array))
const [clean, degraded] = [data((i) => i / 12), data((i) => 1 - i / 24)]
const sde = createSde({ ...restoringSde, steps: 20 })

/** A step around a network that knows the noise in a state. */
function oracle(): { step: SampleOptions['step']; times: number[] } {
  const times: number[] = []
  const images = { clean: hostTensor(clean), degraded: hostTensor(degraded) }
  const step: SampleOptions['step'] = async ({ state: now, time, noise, coefficients }) => {
    const [t = 0] = viewAs(time.bytes, Float32Array)
    times.push(t)
    const state = hostTensor(now)
    const prediction = evaluate(trueNoise(sde, t), { ...images, state })
    const fresh: { noise?: Tensor } = noise ? { noise: hostTensor(noise) } : {}
    return stepUpdate({ ...images, state, prediction, ...fresh }, hostTensor(coefficients)).read()
  }
  return { step, times }
}

const run = (sampler: Sampler, seeds: readonly number[], more: Partial<SampleOptions> = {}) =>
  sample({ sde, sampler, degraded, noise: seededNoise(seeds, shape), step: oracle().step, ...more })

test.each([
  ['posterior', 1e-4],
  ['mean', 0.03],
  ['sde', 0.15],
] as const)('%s sampling with a perfect network ends at the clean image', async (sampler, within) => {
  const found = valuesOf(await run(sampler, [1, 2]))
  for (const [i, value] of valuesOf(clean).entries())
    expect(Math.abs((found[i] as number) - value)).toBeLessThan(within)
})

test('seeds determine a result, each that of its image alone', async () => {
  const [first, again, other] = await Promise.all([
    run('sde', [7, 8]),
    run('sde', [7, 8]),
    run('sde', [7, 9]),
  ])
  expect(valuesOf(again)).toEqual(valuesOf(first))
  expect(valuesOf(other).slice(0, 6)).toEqual(valuesOf(first).slice(0, 6))
  expect(valuesOf(other).slice(6)).not.toEqual(valuesOf(first).slice(6))
})

test('an image draws the same noise alone as in a batch, other noise at every step', () => {
  const [alone, pair] = [seededNoise([5], [1, 1, 2, 3]), seededNoise([4, 5], shape)]
  expect(valuesOf(alone(3))).toEqual(valuesOf(pair(3)).slice(6))
  expect(valuesOf(alone(3))).not.toEqual(valuesOf(alone(4)))
})

test('times go down from the start to 1, and every step is told of', async () => {
  const { step, times } = oracle()
  const told: string[] = []
  await run('ode', [1, 2], { step, startStep: 3, onStep: (done, total) => told.push(`${done}/${total}`) })
  expect(times).toEqual([3, 2, 1])
  expect(told).toEqual(['1/3', '2/3', '3/3'])
})

test('the network is told times on the scale of its training', async () => {
  const fewer = createSde({ ...restoringSde, sampleSteps: 4 })
  const times: number[] = []
  await run('mean', [1, 2], {
    sde: fewer,
    step: async ({ state, time }) => {
      times.push(...viewAs(time.bytes, Float32Array))
      return state
    },
  })
  expect(times).toEqual([100, 100, 75, 75, 50, 50, 25, 25])
})

test('samplers without noise are given none', async () => {
  let given = 0
  const step: SampleOptions['step'] = async ({ state, noise }) => {
    if (noise) given++
    return state
  }
  await run('ode', [1, 2], { step })
  expect([given, drawsNoise('ode'), drawsNoise('posterior')]).toEqual([0, false, true])
})

test('a start that is no step and a seed too few are refused', async () => {
  await expect(run('sde', [1, 2], { startStep: 21 })).rejects.toThrow('expected a start of 1 to 20, got 21')
  expect(() => seededNoise([1], shape)).toThrow('noise: expected a seed for each of 2 images, got 1')
})
