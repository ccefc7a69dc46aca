// Losses of IR-SDE and Refusion against official values, and sampling for validation.

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readCase, tensor } from '../../../test/fixtures/cases.ts'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { numbersOf } from '../../../test/values.ts'
import { float32Data } from '../../core/data.ts'
import { counterRandom } from '../../core/random.ts'
import { cleanEstimate, createSde, denoisingSde, evaluateEach, restoringSde } from '../../diffusion/irsde.ts'
import { LatentUnet } from '../../models/latentUnet/latentUnet.ts'
import { randomInit } from '../../nn/init.ts'
import { parameters } from '../../nn/module.ts'
import { loadModel } from '../../registry/loadModel.ts'
import { backward, grad, moveToTorch, noGrad, scalar, toTorch } from '../../torch/backend.ts'
import { RandomGenerator } from '../../torch/rng.ts'
import { latentLosses, lowResolution, restoreBySampling, sdeLoss } from './irsde.ts'

const fixtures = join('test', 'golden', 'fixtures', 'irsde')
const ramp = (shape: readonly number[], scale = 1) =>
  float32Data(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => scale * ((i * 0.37) % 1)),
    shape,
  )

describe.skipIf(libtorchMissing !== undefined)('the matching loss of a batch', () => {
  const fixture = readCase(join(fixtures, 'train_loss.json'))
  const { sde: sdeOptions, timesteps } = fixture.call as { sde: { max_sigma: number }; timesteps: number[] }

  test('matches the official value for the same times and noise', () => {
    const model = loadModel(fixture.weights())
    moveToTorch(model.network)
    const times = timesteps.slice()
    const generator = new RandomGenerator(0)
    generator.randn = () => toTorch(tensor(fixture, 'in.eps'))
    const random = counterRandom(0)
    random.integer = () => (times.shift() ?? 0) - 1
    const sources = { random, generator }
    const sde = createSde({ ...restoringSde, maxSigma: sdeOptions.max_sigma })
    const pair = { clean: toTorch(tensor(fixture, 'in.GT')), degraded: toTorch(tensor(fixture, 'in.LQ')) }
    const loss = sdeLoss(sde, pair, sources, (inputs) => {
      const { state, time } = inputs
      return model.forward({ state, time, degraded: pair.degraded }).prediction ?? state
    })
    const [expected] = Array.from(numbersOf(tensor(fixture, 'out.loss')))
    expect(scalar(loss)).toBeCloseTo(expected ?? 0, 6)
  })

  test('is the error of x0 if the output is scaled', () => {
    const sde = createSde({ ...restoringSde, dataSigma: 40 })
    const pair = { clean: toTorch(ramp([2, 3, 8, 8])), degraded: toTorch(ramp([2, 3, 8, 8], 0.5)) }
    const sources = { random: counterRandom(1), generator: new RandomGenerator(1) }
    let expected = Number.NaN
    const loss = sdeLoss(sde, pair, sources, ({ state, time }) => {
      const forms = Array.from(numbersOf(time.read()), (t) => cleanEstimate(sde, t))
      const prediction = state.mul(0.3)
      const error = evaluateEach(forms, { ...pair, state, prediction }).sub(pair.clean)
      expected = scalar(error.abs().mean())
      return prediction
    })
    expect(scalar(loss)).toBeCloseTo(expected, 6)
  })

  test('draws times up to the last, late ones more often if the output is scaled', () => {
    const timesOf = (dataSigma?: number) => {
      const pair = { clean: toTorch(ramp([900, 1, 1, 1])), degraded: toTorch(ramp([900, 1, 1, 1])) }
      const sources = { random: counterRandom(1), generator: new RandomGenerator(1) }
      let times: number[] = []
      sdeLoss(createSde({ ...restoringSde, dataSigma }), pair, sources, ({ state, time }) => {
        times = Array.from(numbersOf(time.read()))
        return state
      })
      return times
    }
    const late = (times: readonly number[]) => times.filter((t) => t > 50).length / times.length
    const uniform = timesOf()
    const scaled = timesOf(40)
    for (const times of [uniform, scaled]) {
      expect(times.every((t) => Number.isInteger(t) && t >= 1 && t <= 100)).toBe(true)
      expect(times).toContain(100)
    }
    expect([late(uniform), late(scaled)]).toEqual([expect.closeTo(0.5, 1), expect.closeTo(0.75, 1)])
  })

  test('passes no degraded image to the network of the denoising SDE', () => {
    const sources = { random: counterRandom(1), generator: new RandomGenerator(1) }
    const clean = toTorch(ramp([2, 3, 8, 8]))
    sdeLoss(createSde(denoisingSde), { clean }, sources, ({ state, degraded, time }) => {
      expect([degraded, time.shape]).toEqual([undefined, [2]])
      return state
    })
  })
})

describe.skipIf(libtorchMissing !== undefined)('sampling for validation', () => {
  test('steps through all times and draws the same noise in every run', () => {
    const sde = createSde({ ...restoringSde, steps: 10 })
    const degraded = toTorch(ramp([1, 3, 8, 8]))
    const run = () => {
      const visited: number[] = []
      const output = noGrad(() =>
        restoreBySampling(sde, degraded, { sampler: 'posterior' }, ({ state, time }) => {
          visited.push(scalar(time.mean()))
          return state.sub(degraded)
        }),
      )
      return [visited, Array.from(numbersOf(output.read()))] as const
    }
    const [times, values] = run()
    expect(times).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    expect(run()[1]).toEqual(values)
  })

  test('starts at the step of the denoising SDE that has the noise level of the image', () => {
    const visited: number[] = []
    const image = toTorch(ramp([1, 3, 8, 8]))
    const sde = createSde({ ...denoisingSde, steps: 100, maxSigma: 75 })
    noGrad(() =>
      restoreBySampling(sde, image, { sampler: 'ode', noise255: 25 }, ({ state, degraded, time }) => {
        expect(degraded).toBeUndefined()
        visited.push(scalar(time.mean()))
        return state.mul(0)
      }),
    )
    expect([visited[0], visited.length]).toEqual([21, 21])
  })
})

test.skipIf(libtorchMissing !== undefined)('the losses of the compressor reach all its parameters', () => {
  const random = counterRandom(1)
  const options = { channelsIn: 3, channelsOut: 3, width: 4, multipliers: [1, 2], latentChannels: 2 }
  const model = new LatentUnet(
    randomInit(() => random.uniform()),
    options,
  )
  moveToTorch(model)
  const clean = toTorch(ramp([1, 3, 8, 8]))
  const degraded = toTorch(ramp([1, 3, 8, 8], 0.5))
  const losses = latentLosses(model, { clean, degraded })
  expect(Object.keys(losses)).toEqual(['degraded', 'clean', 'scale'])
  backward(losses.degraded.add(losses.clean).add(losses.scale))
  const withoutGradient = [...parameters(model)].filter(([, weight]) => grad(weight) === undefined)
  expect(withoutGradient.map(([key]) => key)).toEqual([])
})

test('a low-resolution image keeps its size and loses its detail', () => {
  const image = { width: 16, height: 16, channels: 1, data: new Float32Array(256).map((_, i) => i % 2) }
  const small = lowResolution(4)(image, counterRandom(1))
  expect([small.width, small.height]).toEqual([16, 16])
  expect(Math.max(...small.data) - Math.min(...small.data)).toBeLessThan(0.2)
})
