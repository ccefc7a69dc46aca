// Plans: from what is found to at most three steps in order, with a reason for everything else.

import { describe, expect, test } from 'vitest'
import { type DamageId, damageIds, noiseForms } from '../../models/damages.ts'
import { defaultModels } from '../../models/tasks.ts'
import { findCard } from '../../registry/cards.ts'
import type { Estimates } from '../estimates/estimate.ts'
import { type DamageFinding, findDamage } from './findings.ts'
import { checkOverrides } from './overrides.ts'
import { type PlanRequest, planRepair } from './plan.ts'
import { damageRules } from './rules.ts'

/** Estimates that confirm noise, JPEG, blur, haze and darkness. */
const bad: Estimates = {
  noise255: 14,
  noiseCurve: undefined,
  jpegFile: 30,
  jpegTraces: undefined,
  blockiness: 1.4,
  edges: { sharpest: 4, median: 6, count: 900 },
  brightness: { dark: 0, median: 0.1, bright: 0.4, mean: 0.12, black: 0.1, white: 0 },
  veil: { darkChannel: 0.5, contrast: 0.3 },
}
/** Estimates of a good photo. */
const good: Estimates = {
  ...bad,
  noise255: 0.5,
  jpegFile: 96,
  blockiness: 1.01,
  edges: { sharpest: 1.4, median: 2, count: 900 },
  brightness: { dark: 0.05, median: 0.5, bright: 0.9, mean: 0.5, black: 0, white: 0 },
  veil: { darkChannel: 0.05, contrast: 0.8 },
}

const found = (damage: DamageId, severity = 0.7, confidence = 0.97): DamageFinding => ({
  ...{ damage, severity, confidence, by: ['network'] },
  ...(damage === 'noise' ? { form: 'even' as const } : {}),
})
const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
  ...{ estimates: bad, overrides: checkOverrides({}), isAvailable: () => true, strength: 1 },
  ...changes,
})
const plan = (findings: readonly DamageFinding[], changes?: Partial<PlanRequest>) =>
  planRepair(findings, request(changes))

describe('a plan', () => {
  test('treats nothing where nothing is found', () => {
    expect(plan([])).toEqual({ findings: [], steps: [], untreated: [] })
  })

  test('has steps in order, each damage of one model in one step', () => {
    const { steps } = plan([found('haze'), found('jpeg', 0.8), found('noise', 0.5), found('rain')])
    expect(steps.map(({ damages, task }) => [damages, task])).toEqual([
      [['rain'], 'derain'],
      [['jpeg', 'noise'], 'photo'],
      [['haze'], 'dehaze'],
    ])
    expect(steps.map(({ models }) => models)).toEqual([
      ['light-weather', 'restormer-derain'],
      ['light-photo'],
      ['light-tone'],
    ])
    expect(plan([found('noise')]).steps[0]!.models).toEqual(['light-photo', 'light-denoise'])
  })

  test('mends haze and darkness by one step', () => {
    const { steps } = plan([found('haze'), found('low-light')])
    expect(steps).toMatchObject([{ damages: ['haze', 'low-light'], task: 'tone' }])
  })

  test('has at most three steps, those against the worst', () => {
    const { steps, untreated } = plan([
      found('rain', 0.5),
      found('noise', 0.9),
      found('defocus', 0.8),
      found('haze'),
    ])
    expect(steps.map(({ damages }) => damages[0])).toEqual(['noise', 'defocus', 'haze'])
    expect(untreated).toMatchObject([{ damage: 'rain', isOffered: true }])
  })

  test('is as strong as the damage is severe, and no stronger than wanted', () => {
    const strength = (severity: number, limit = 1) =>
      plan([found('noise', severity)], { strength: limit }).steps[0]!.strength
    expect(strength(0.9)).toBe(1)
    expect(strength(0.42)).toBeCloseTo(0.85)
    expect(strength(0.9, 0.4)).toBe(0.4)
  })

  test.each([
    ['what is slight', found('noise', 0.2), {}, 'it is slight'],
    ['what is likely alone', found('rain', 0.8, 0.7), {}, 'not certain'],
    ['what measurements speak against', found('jpeg'), { estimates: good }, 'speak against'],
    ['grain', { ...found('noise'), form: noiseForms[2] }, {}, 'the grain of a film'],
    ['a background out of focus', found('defocus'), { estimates: good }, 'a background out of focus'],
    ['fog', found('haze'), { estimates: good }, 'it may be fog'],
    [
      'a night with lamps',
      found('low-light'),
      { estimates: { ...bad, brightness: { ...bad.brightness, white: 0.002 } } },
      'it may be night',
    ],
    ['what no model treats', found('shadow'), {}, 'no model treats it'],
    ['a small photo', found('low-resolution'), {}, 'nothing is enlarged unasked'],
    [
      'what the package has no weights for',
      found('rain'),
      { isAvailable: () => false },
      '--model light-weather',
    ],
  ] as const)('leaves %s', (_, finding, changes, reason) => {
    const { steps, untreated } = plan([finding], changes)
    expect(steps).toEqual([])
    expect(untreated).toMatchObject([{ damage: finding.damage, reason: expect.stringContaining(reason) }])
  })

  test('treats what is likely if measurements confirm it', () => {
    expect(plan([found('noise', 0.8, 0.65)]).steps).toHaveLength(1)
    expect(plan([found('noise', 0.8, 0.55)]).steps).toHaveLength(0)
  })

  test('follows the caller', () => {
    const all = [found('noise'), found('haze')]
    const by = (overrides: Parameters<typeof checkOverrides>[0]) =>
      plan(all, { overrides: checkOverrides(overrides) }).steps.flatMap(({ damages }) => damages)
    expect(by({ only: ['noise', 'jpeg'] })).toEqual(['noise'])
    expect(by({ never: ['haze'] })).toEqual(['noise'])
    const forced = checkOverrides({ damage: ['low-light'] })
    const { steps, findings } = plan([], { overrides: forced, estimates: good })
    expect(steps).toMatchObject([{ damages: ['low-light'], strength: 1 }])
    expect(findings).toMatchObject([{ damage: 'low-light', by: ['caller'], confidence: 1 }])
    expect(
      plan([{ ...found('noise'), form: 'grain' }], { overrides: checkOverrides({ damage: ['noise'] }) })
        .steps,
    ).toHaveLength(1)
  })
})

describe('overrides', () => {
  test.each([
    [{ only: ['fog'] }, `expected one of ${damageIds.slice(0, 2).join(', ')}`],
    [{ never: [] }, 'never: expected one or more of noise'],
    [{ only: ['noise'], never: ['noise'] }, 'got noise in both'],
    [{ never: ['haze'], damage: ['haze'] }, 'got haze in both'],
    [{ only: ['noise'], damage: ['haze'] }, 'only: expected haze among it'],
  ])('%j are refused', (overrides, message) => {
    expect(() => checkOverrides(overrides)).toThrow(message)
  })
})

describe('rules', () => {
  test('name every damage once, and models and tasks that exist', () => {
    expect(damageRules.map(({ damage }) => damage).sort()).toEqual([...damageIds].sort())
    for (const { models, task } of damageRules) {
      expect(models.length === 0 || task !== undefined).toBe(true)
      for (const model of models) expect(findCard(model).id).toBe(model)
      if (task && models.length > 0) expect(Object.keys(defaultModels)).toContain(task)
    }
  })
})

describe('findings', () => {
  const verdict = (values: Partial<Record<DamageId, number>>, form = [0, 0, 0]) => ({
    presence: damageIds.map((id) => values[id] ?? -4),
    severity: damageIds.map(() => 0),
    form,
  })

  test('are the kinds that the network thinks likely, with the form of noise', () => {
    const [noise, haze, ...rest] = findDamage(verdict({ noise: 3, haze: 1 }, [0, 4, 1]), good)
    expect(noise).toMatchObject({ damage: 'noise', severity: 0.5, by: ['network'], form: 'sensor' })
    expect(haze).toMatchObject({ damage: 'haze' })
    expect(rest).toEqual([])
  })

  test('include a compression that the tables of the file prove', () => {
    expect(findDamage(verdict({}), { ...good, jpegFile: 20 })).toMatchObject([
      { damage: 'jpeg', by: ['estimates'], severity: expect.closeTo(0.85) },
    ])
    const both = findDamage(verdict({ jpeg: 2 }), { ...good, jpegFile: 20 })
    expect(both).toMatchObject([{ by: ['network', 'estimates'] }])
  })
})
