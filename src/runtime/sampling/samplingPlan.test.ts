import { describe, expect, test } from 'vitest'
import { denoisingSde, restoringSde } from '../../diffusion/irsde.ts'
import { conditionalNafnet } from '../../models/conditionalNafnet/conditionalNafnet.ts'
import { conditionalUnet, universalUnet, wildUnet } from '../../models/conditionalUnet/conditionalUnet.ts'
import { lightDiffusion } from '../../models/lightDiffusion/lightDiffusion.ts'
import type { NetworkDescription } from '../../models/networkDescriptor.ts'
import { findCard } from '../../registry/cards.ts'
import {
  planSampling,
  rejectSampling,
  type SamplingRole,
  type TrainingFacts,
  trainedSampling,
} from './samplingPlan.ts'

/** The role of a network that samples. */
function roleOf({ role }: NetworkDescription): SamplingRole {
  return role.kind === 'samples' ? role : expect.fail()
}
const unet = (options: object = {}) => roleOf(conditionalUnet.fromOptions(options))
const nafnet = (options: object = {}) => roleOf(conditionalNafnet.fromOptions(options))
const facts = (changed: Partial<TrainingFacts> = {}): TrainingFacts => {
  return { weights: 'net.pth', metadata: new Map(), card: undefined, maxSigma: undefined, ...changed }
}
const cardOf = (sampling: unknown) =>
  new Map([['card', JSON.stringify({ title: 'x', sampling: JSON.stringify(sampling) })]])

describe('the sampling of a training', () => {
  test.each([
    ['the universal U-Net', unet(universalUnet)],
    ['the U-Net for the wild', unet(wildUnet)],
    ['Refusion', nafnet()],
  ])('is the published SDE for %s', (_, network) => {
    expect(trainedSampling(network, facts())).toEqual({ sde: restoringSde, sampler: 'posterior' })
  })

  test('is the denoising SDE for networks that do not take the degraded image', () => {
    for (const network of [unet({ isConditional: false }), nafnet({ isConditional: false })])
      expect(trainedSampling(network, facts())).toEqual({ sde: denoisingSde, sampler: 'ode' })
  })

  test('comes from the weights, else from the card', () => {
    const card = findCard('irsde-derain-heavy')
    expect(trainedSampling(unet(), facts({ card })).sde.maxSigma).toBe(10)
    const own = { sde: { ...restoringSde, maxSigma: 30 }, sampler: 'sde' }
    expect(trainedSampling(unet(), facts({ card, metadata: cardOf(own) }))).toEqual(own)
  })

  test('requires maxSigma where nothing states it, and maxSigma takes precedence', () => {
    expect(() => trainedSampling(unet(), facts())).toThrow(
      'net.pth: expected maxSigma (--max-sigma), the deviation',
    )
    expect(trainedSampling(unet(), facts({ maxSigma: 30 })).sde).toEqual({ ...restoringSde, maxSigma: 30 })
    const denoising = trainedSampling(unet({ isConditional: false }), facts({ maxSigma: 75 }))
    expect(denoising.sde).toEqual({ ...denoisingSde, maxSigma: 75 })
  })

  test('must be embedded for the light network, whose output is scaled', () => {
    const role = roleOf(lightDiffusion.fromOptions())
    for (const maxSigma of [undefined, 10])
      expect(() => trainedSampling(role, facts({ maxSigma }))).toThrow(
        'net.pth: expected the SDE of its training, with dataSigma',
      )
    const own = { sde: { ...restoringSde, dataSigma: 40, sampleSteps: 20 }, sampler: 'posterior' }
    const trained = trainedSampling(role, facts({ metadata: cardOf(own) }))
    expect(trained).toEqual(own)
    expect(planSampling(trained, {}).sde.steps).toBe(20)
    expect(planSampling(trained, { steps: 100 }).sde.steps).toBe(100)
  })

  test.each([0.5, 256, Number.NaN])('rejects a deviation of %d', (maxSigma) => {
    expect(() => trainedSampling(unet(), facts({ maxSigma }))).toThrow(
      'maxSigma (--max-sigma): expected a deviation from 1',
    )
  })

  test.each([
    { sde: { ...restoringSde, schedule: 'quick' }, sampler: 'sde' },
    { sde: { ...restoringSde, steps: '100' }, sampler: 'sde' },
    { sde: { ...restoringSde, steps: 1e8 }, sampler: 'sde' },
    { sde: { ...restoringSde, sampleTimes: 'odd' }, sampler: 'sde' },
    { sde: restoringSde, sampler: 'fast' },
    'none',
  ])('rejects an embedded %j', (sampling) => {
    expect(() => trainedSampling(unet(), facts({ metadata: cardOf(sampling) }))).toThrow(
      'net.pth: expected an SDE and a sampler in its card',
    )
  })
})

describe('a sampling request', () => {
  const trained = { sde: restoringSde, sampler: 'posterior' } as const
  const denoising = { sde: denoisingSde, sampler: 'ode' } as const

  test('defaults to the sampling of the training', () => {
    const { sde, ...rest } = planSampling(trained, {})
    expect([sde.steps, sde.times[7]]).toEqual([100, 7])
    expect(rest).toEqual({ sampler: 'posterior', startStep: 100, seed: 0, samples: 1 })
    const { sde: fewer, startStep } = planSampling(trained, { steps: 8 })
    expect([fewer.steps, fewer.times[1], startStep]).toEqual([8, 12.5, 8])
  })

  test('starts where the noise of the SDE is that of the picture', () => {
    const { startStep, sampler } = planSampling(denoising, { noise: 25 })
    expect(sampler).toBe('ode')
    expect(startStep).toBeGreaterThan(100)
    expect(startStep).toBeLessThan(planSampling(denoising, { noise: 50 }).startStep)
    expect(planSampling(denoising, { noise: 70 }).startStep).toBe(1000)
  })

  test.each([
    [trained, { steps: 0 }, 'steps: expected a whole number from 1 to 100, got 0'],
    [trained, { steps: 101 }, 'steps: expected a whole number from 1 to 100, got 101'],
    [trained, { steps: 2.5 }, 'steps: expected a whole number'],
    [trained, { samples: 0 }, 'samples: expected a whole number from 1'],
    [trained, { seed: -1 }, 'seed: expected a whole number from 0'],
    [trained, { noise: 25 }, 'noise: expected weights of a denoising SDE, got 25 for others; leave it out'],
    [denoising, {}, 'noise: expected the deviation of the noise in the picture, above 0 and at most 70'],
    [denoising, { noise: 71 }, 'got 71'],
    [denoising, { noise: 0 }, 'got 0'],
    [
      denoising,
      { noise: 25, sampler: 'posterior' as const },
      'sampler: expected one of sde, mean, ode for a denoising',
    ],
  ])('is rejected if out of range or of another SDE: %#', (network, request, message) => {
    expect(() => planSampling(network, request)).toThrow(message)
  })

  test.each([
    { steps: 5 },
    { sampler: 'ode' as const },
    { seed: 0 },
    { samples: 2 },
    { noise: 25 },
    { maxSigma: 10 },
    { guide: 'x.pt' },
  ])('%j is rejected by name for a network that restores in one pass', (request) => {
    const [[name, value] = []] = Object.entries(request)
    const spelled = { maxSigma: 'maxSigma (--max-sigma)' }
    expect(() => rejectSampling({ id: 'restormer' }, request)).toThrow(
      `${Reflect.get(spelled, name ?? '') ?? name}: expected a network that samples, such as that of the task universal, got ${value} for restormer`,
    )
    expect(() => rejectSampling({ id: 'restormer' }, {})).not.toThrow()
  })
})
