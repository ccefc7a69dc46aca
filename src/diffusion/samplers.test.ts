import { expect, test } from 'vitest'
import { float32Data, viewAs } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import {
  createSde,
  denoisingSde,
  evaluate,
  restoringSde,
  reverseStep,
  type Sampler,
  trueNoise,
} from './irsde.ts'
import { drawsNoise, type Planes, type SampleOptions, sample, seededNoise } from './samplers.ts'

const size = { channels: 2, height: 5, width: 3 }
const count = 30
const image = (fill: (i: number) => number) => Float32Array.from({ length: count }, (_, i) => fill(i))
const clean = image((i) => i / 30)
const degraded = image((i) => 1 - i / 60)
const sde = createSde({ ...restoringSde, steps: 20 })
const tensorOf = (values: Float32Array) => hostTensor(float32Data(values.slice(), [1, 2, 5, 3]))

/** Rows `top` … `top + height` of planar values. */
function rowsOf(values: Float32Array, top: number, height: number): Float32Array {
  const { channels, height: all, width } = size
  return Float32Array.from({ length: channels * height * width }, (_, i) => {
    const c = Math.floor(i / (height * width))
    const rest = i % (height * width)
    return values[(c * all + top) * width + rest]!
  })
}

/**
 * A perfect network: emits the true noise of a state in bands of `bandRows`; `times`
 * records when it was called.
 */
function oracle(bandRows = 5): { predict: SampleOptions['predict']; times: number[] } {
  const times: number[] = []
  const predict: SampleOptions['predict'] = async ({ data }, time, emit) => {
    times.push(time)
    const images = { state: tensorOf(data), clean: tensorOf(clean), degraded: tensorOf(degraded) }
    const prediction = viewAs(evaluate(trueNoise(sde, time), images).read().bytes, Float32Array)
    for (let top = 0; top < size.height; top += bandRows) {
      const height = Math.min(bandRows, size.height - top)
      emit(top, { ...size, height, data: rowsOf(prediction, top, height) })
    }
  }
  return { predict, times }
}

const run = (sampler: Sampler, seed: number, more: Partial<SampleOptions> = {}) =>
  sample({
    ...size,
    sde,
    sampler,
    noise: seededNoise(seed, size),
    predict: oracle().predict,
    degraded: (top, height) => rowsOf(degraded, top, height),
    ...more,
  })
const largest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)

test.each([
  ['posterior', 1e-4],
  ['mean', 0.03],
  ['sde', 0.15],
] as const)('%s sampling with a perfect network ends at the clean image', async (sampler, within) => {
  expect(largest((await run(sampler, 1)).data, clean)).toBeLessThan(within)
})

test.each(['posterior', 'sde', 'mean', 'ode'] as const)(
  '%s sampling by rows equals reverse steps on whole images',
  async (sampler) => {
    const noise = seededNoise(4, size)
    const whole = (use: number) => tensorOf(noise(use, 0, size.height))
    const mu = tensorOf(degraded)
    let state = evaluate({ degraded: 1, noise: sde.maxSigma }, { degraded: mu, noise: whole(0) })
    for (let t = 20; t >= 1; t--) {
      const prediction = state.mul(0.3).add(t / 100)
      state = evaluate(reverseStep(sde, t, sampler), {
        state,
        prediction,
        degraded: mu,
        noise: whole(21 - t),
      })
    }
    const predict: SampleOptions['predict'] = async ({ data }, time, emit) => {
      const prediction = data.map((value) => 0.3 * value + time / 100)
      emit(0, { ...size, height: 2, data: rowsOf(prediction, 0, 2) })
      emit(2, { ...size, height: 3, data: rowsOf(prediction, 2, 3) })
    }
    const actual = await run(sampler, 4, { predict })
    const expected = viewAs(state.read().bytes, Float32Array)
    // Both round to float32 after every sum, but in a different order.
    expect(largest(actual.data, expected)).toBeLessThan(2e-6 * largest(expected, new Float32Array(count)))
  },
)

test('a seed determines the result, however the network splits its predictions into rows', async () => {
  const first = await run('sde', 7)
  expect((await run('sde', 7, { predict: oracle(2).predict })).data).toEqual(first.data)
  expect((await run('sde', 8)).data).not.toEqual(first.data)
})

test('noise is normal and depends only on the seed, the use and the row', () => {
  const noise = seededNoise(5, size)
  expect(rowsOf(noise(3, 0, 5), 2, 2)).toEqual(noise(3, 2, 2))
  expect(noise(3, 0, 5)).not.toEqual(noise(4, 0, 5))
  expect(noise(3, 0, 1)).not.toEqual(noise(3, 1, 1))
  expect(seededNoise(6, size)(3, 0, 5)).not.toEqual(noise(3, 0, 5))
  const many = seededNoise(1, { channels: 3, width: 100 })(0, 0, 100)
  const mean = many.reduce((sum, value) => sum + value, 0) / many.length
  const variance = many.reduce((sum, value) => sum + value * value, 0) / many.length
  expect([Math.abs(mean) < 0.02, Math.abs(variance - 1) < 0.03]).toEqual([true, true])
})

test('times go down from the start to 1, and every step is reported', async () => {
  const { predict, times } = oracle()
  const reported: string[] = []
  const onStep = (done: number, total: number) => reported.push(`${done}/${total}`)
  await run('ode', 1, { predict, startStep: 3, onStep })
  expect(times).toEqual([3, 2, 1])
  expect(reported).toEqual(['1/3', '2/3', '3/3'])
})

test('the network receives times on the scale of its training', async () => {
  const fewer = createSde({ ...restoringSde, sampleSteps: 4 })
  const times: number[] = []
  await run('mean', 1, { sde: fewer, predict: async (_: Planes, time) => void times.push(time) })
  expect(times).toEqual([100, 75, 50, 25])
})

test('noise is drawn only for samplers and starts that need it', async () => {
  const uses: number[] = []
  const noise = (use: number, _: number, height: number) => {
    uses.push(use)
    return new Float32Array(size.channels * size.width * height)
  }
  await run('ode', 1, { noise, startStep: 2 })
  expect([uses, drawsNoise('ode'), drawsNoise('posterior')]).toEqual([[0], false, true])
  await run('ode', 1, { noise, sde: createSde(denoisingSde), startStep: 2, predict: async () => {} })
  expect(uses).toEqual([0])
})

test('a start beyond the last step is rejected', async () => {
  await expect(run('sde', 1, { startStep: 21 })).rejects.toThrow('expected a start from 1 to 20, got 21')
})
