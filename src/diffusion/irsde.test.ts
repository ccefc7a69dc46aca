import { describe, expect, test } from 'vitest'
import { float32Data, viewAs } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import {
  cleanEstimate,
  createSde,
  denoisingSde,
  evaluate,
  evaluateEach,
  type LinearForm,
  marginal,
  optimum,
  optimumDeviation,
  restoringSde,
  reverseStep,
  samplers,
  score,
  startStep,
  trueNoise,
} from './irsde.ts'

const sde = createSde(restoringSde)
const image = (...values: number[]) =>
  hostTensor(float32Data(Float32Array.from(values), [values.length, 1, 1, 1]))
const valuesOf = (tensor: ReturnType<typeof image>) => Array.from(viewAs(tensor.read().bytes, Float32Array))

describe('the tables', () => {
  test('match the published numbers for the cosine schedule', () => {
    for (const [t, theta] of [
      [0, 0.00061429],
      [1, 0.00169456],
      [2, 0.00324011],
      [50, 0.50615633],
      [100, 0.99976659],
    ] as const)
      expect(sde.theta[t]).toBeCloseTo(theta, 7)
    expect(sde.cumulative[0]).toBe(0)
    expect(sde.cumulative[100]).toBeCloseTo(50.8994484, 4)
    expect(sde.dt).toBeCloseTo(0.1040938, 6)
    expect([1, 50, 100].map((t) => sde.sigmaBar[t]?.toFixed(6))).toEqual(['0.003683', '0.182870', '0.196076'])
    expect([1, 50, 100].map((t) => sde.sigma[t]?.toFixed(6))).toEqual(['0.011415', '0.197282', '0.277264'])
  })

  test.each([
    ['linear', [0.0029604, 0.09950496, 0.1980198], 10.0490103, 0.5272477],
    ['constant', [1, 1, 1], 100, 0.0529832],
  ] as const)('match the published numbers for the %s schedule', (schedule, theta, cumulative, dt) => {
    const tables = createSde({ ...restoringSde, schedule })
    for (const [i, t] of [1, 50, 100].entries()) expect(tables.theta[t]).toBeCloseTo(theta[i]!, 6)
    expect(tables.cumulative[100]).toBeCloseTo(cumulative, 4)
    expect(tables.dt).toBeCloseTo(dt, 6)
  })

  test('match the published numbers for the denoising SDE', () => {
    const tables = createSde(denoisingSde)
    expect(tables.cumulative[1000]).toBeCloseTo(504.4303, 2)
    expect(tables.dt).toBeCloseTo(0.00638121, 7)
  })

  test('read a deviation of 1 or more as a level of 255', () => {
    expect(createSde({ ...restoringSde, maxSigma: 0.2 }).maxSigma).toBe(0.2)
    expect(createSde({ ...restoringSde, maxSigma: 1 }).maxSigma).toBe(1 / 255)
    expect(createSde({ ...denoisingSde, maxSigma: 1 }).maxSigma).toBe(1)
  })

  test('have one entry per sampling step, with times on the scale of training', () => {
    const fewer = createSde({ ...restoringSde, sampleSteps: 8 })
    expect([fewer.steps, fewer.theta.length]).toEqual([8, 9])
    expect([...fewer.times]).toEqual([0, 12.5, 25, 37.5, 50, 62.5, 75, 87.5, 100])
  })

  test('match times by the share of the clean image left in training', () => {
    const trained = createSde(restoringSde)
    expect([...trained.times]).toEqual(Array.from({ length: 101 }, (_, t) => t))
    for (const sampleSteps of [1, 4, 20]) {
      const fewer = createSde({ ...restoringSde, sampleSteps, sampleTimes: 'matched' })
      expect([fewer.times[0], fewer.times[sampleSteps]]).toEqual([0, 100])
      for (let t = 1; t < sampleSteps; t++) {
        const [low, high] = [Math.floor, Math.ceil].map(
          (round) => marginal(trained, round(fewer.times[t]!)).clean!,
        )
        const left = marginal(fewer, t).clean!
        expect(left).toBeLessThanOrEqual(low! + 1e-6)
        expect(left).toBeGreaterThanOrEqual(high! - 1e-6)
      }
    }
    const even = createSde({ ...restoringSde, sampleSteps: 4 })
    expect(marginal(even, 2).clean! / marginal(trained, 50).clean!).toBeLessThan(0.7)
  })

  test.each([{ steps: 0 }, { sampleSteps: 2.5 }, { maxSigma: 0 }, { eps: 1 }, { maxSigma: Number.NaN }])(
    'reject %j',
    (wrong) => {
      expect(() => createSde({ ...restoringSde, ...wrong })).toThrow(
        'SDE: expected step counts that are positive integers',
      )
    },
  )
})

describe('the steps', () => {
  test('have the published coefficients and deviations', () => {
    for (const [t, ofState, ofClean, deviation] of [
      [1, 0, 1, 0],
      [2, 0.3433367, 0.6566058, 0.00298409],
      [50, 0.9328964, 0.043733, 0.06149173],
      [100, 0.9011574, 0.0010426, 0.08499606],
    ] as const) {
      const form = optimum(sde, t)
      expect(form.state).toBeCloseTo(ofState, 4)
      expect(form.clean).toBeCloseTo(ofClean, 4)
      expect(optimumDeviation(sde, t)).toBeCloseTo(deviation, 6)
    }
  })

  test('recover the clean image from the noise in a state', () => {
    for (const t of [1, 30, 100]) {
      const clean = image(0.2)
      const degraded = image(0.7)
      const noise = image(1.3)
      const state = evaluate(marginal(sde, t), { clean, degraded, noise })
      const prediction = evaluate(trueNoise(sde, t), { state, clean, degraded })
      expect(valuesOf(prediction)[0]).toBeCloseTo(1.3, 2)
      const found = evaluate(cleanEstimate(sde, t), { state, degraded, prediction })
      expect(valuesOf(found)[0]).toBeCloseTo(0.2, 3)
    }
  })

  test('leave an image that is neither degraded nor noisy unchanged', () => {
    for (const sampler of samplers)
      for (const t of [1, 2, 57, 100]) {
        const { state = 0, degraded = 0 } = reverseStep(sde, t, sampler)
        expect(state + degraded).toBeCloseTo(1, 6)
      }
  })

  test('draw noise except for the mean and the ODE', () => {
    const noisy = samplers.filter((sampler) => (reverseStep(sde, 50, sampler).noise ?? 0) !== 0)
    expect(noisy).toEqual(['posterior', 'sde'])
  })

  test('end without noise in posterior sampling', () => {
    expect(reverseStep(sde, 1, 'posterior').noise).toBeLessThan(1e-10)
  })

  test('reject posterior sampling of the denoising SDE', () => {
    expect(() => reverseStep(createSde(denoisingSde), 5, 'posterior')).toThrow('expected sde, mean or ode')
  })

  test('reject times outside 0 to the last', () => {
    expect(() => reverseStep(sde, 101, 'sde')).toThrow('SDE: expected an integer time from 0 to 100, got 101')
    expect(() => reverseStep(sde, 1.5, 'sde')).toThrow('got 1.5')
  })
})

describe('a scaled output', () => {
  const scaled = createSde({ ...restoringSde, dataSigma: 40 })
  /** The output from which x0 is recovered exactly. */
  const exact = (t: number): Required<Pick<LinearForm, 'state' | 'clean' | 'degraded'>> => {
    const { state = 0, degraded = 0, prediction = 0 } = cleanEstimate(scaled, t)
    return { clean: 1 / prediction, state: -state / prediction, degraded: -degraded / prediction }
  }

  test('determines the clean image and the noise in a state', () => {
    for (const t of [1, 30, 100]) {
      const clean = image(0.2)
      const degraded = image(0.7)
      const noise = image(1.3)
      const state = evaluate(marginal(scaled, t), { clean, degraded, noise })
      const prediction = evaluate(exact(t), { state, clean, degraded })
      const images = { state, degraded, prediction }
      expect(valuesOf(evaluate(cleanEstimate(scaled, t), images))[0]).toBeCloseTo(0.2, 6)
      const sigmaBar = scaled.sigmaBar[t]!
      expect((valuesOf(evaluate(score(scaled, t), images))[0] as number) * -sigmaBar).toBeCloseTo(1.3, 2)
    }
  })

  test('has deviation 1 at every time if the images have deviation dataSigma', () => {
    for (const t of [1, 2, 30, 57, 100]) {
      const { state, clean } = exact(t)
      const { clean: left = 0, noise = 0 } = marginal(scaled, t)
      const imagePart = (clean + state * left) * (40 / 255)
      const noisePart = state * noise
      expect(Math.hypot(imagePart, noisePart)).toBeCloseTo(1, 4)
    }
  })

  test('requires a restoring SDE and a deviation above 0', () => {
    for (const wrong of [
      { ...restoringSde, dataSigma: 0 },
      { ...denoisingSde, dataSigma: 40 },
    ])
      expect(() => createSde(wrong)).toThrow('SDE: expected dataSigma above 0 and a restoring SDE')
  })
})

describe('the start of denoising', () => {
  const tables = createSde({ ...denoisingSde, steps: 100, maxSigma: 75 })

  test('is the time at which the SDE has the noise level of the image', () => {
    expect([15, 25, 50].map((level) => startStep(tables, level / 255))).toEqual([14, 21, 38])
    const t = startStep(tables, 25 / 255)
    expect(Math.abs((tables.sigmaBar[t] ?? 0) * 255 - 25)).toBeLessThan(2)
  })

  test('rejects a noise level above the largest, and a restoring SDE', () => {
    expect(() => startStep(tables, 0.5)).toThrow(
      'start step: expected a denoising SDE and a noise level up to',
    )
    expect(() => startStep(sde, 0.1)).toThrow('got restoring')
  })
})

describe('forms', () => {
  const state = image(1, 2)
  const noise = image(10, 20)

  test('weight images, with a form of its own for each image of a batch', () => {
    expect(valuesOf(evaluate({ state: 2, noise: -1 }, { state, noise }))).toEqual([-8, -16])
    const forms: LinearForm[] = [{ state: 1 }, { state: 2, noise: 0.5 }]
    expect(valuesOf(evaluateEach(forms, { state, noise }))).toEqual([1, 14])
  })

  test('reject missing images and empty forms', () => {
    expect(() => evaluate({ clean: 1 }, { state })).toThrow("SDE: expected an image 'clean', got none")
    expect(() => evaluate({}, { state })).toThrow('got an empty one')
  })
})
