// Which damage asks for which model, from which severity on and in which order: data alone. The order is that
// of AgenticIR's failures (ICLR 2025): rain before all else, noise and blocks before blur, light last, and
// enlarging only if somebody asks for it.

import type { DamageId } from '../../models/damages.ts'
import type { TaskId } from '../../models/tasks.ts'

/** Whether an estimate confirms a damage or speaks against it; between the two it says nothing. */
export interface Evidence {
  /** Name of the estimate, a value of `evidenceOf`. */
  readonly of: EvidenceName
  /** Values from which on the damage is confirmed. */
  readonly confirms: number
  /** Values up to which it is doubted; below `confirms`. */
  readonly doubts: number
}

/** Estimates on a scale that grows with the damage. */
export type EvidenceName = 'noise' | 'compression' | 'edgeWidth' | 'veil' | 'darkness'

/** How a damage is treated. */
export interface DamageRule {
  readonly damage: DamageId
  /** Rank of the step: lower ones come first. */
  readonly order: number
  /** Task of its step. */
  readonly task?: TaskId
  /** Models that treat it, the preferred one first; none if there is none. */
  readonly models: readonly string[]
  /** Least severity that is treated. */
  readonly from: number
  readonly evidence?: Evidence
  /** What else it may be, if somebody meant it: then it is offered in words. */
  readonly meant?: string
}

/**
 * Factor and offset that turn logits of light-inspect into those of probabilities (Platt, Probabilistic outputs for
 * support vector machines, 1999), fitted on CBSD68 by scripts/inspectTable.ts --fit.
 */
export const calibration: Readonly<Record<DamageId, readonly [factor: number, offset: number]>> = {
  noise: [0.74, 0.59],
  jpeg: [1.01, -0.32],
  'motion-blur': [1.22, 0.11],
  defocus: [1.13, 1.88],
  rain: [1.39, 0.38],
  raindrops: [1.15, -1.3],
  snow: [1.03, -1.63],
  haze: [1.13, -0.24],
  'low-light': [1.15, 1.74],
  shadow: [0.48, -1.63],
  holes: [1.26, -2.29],
  'low-resolution': [1.0, -0.76],
}

/** Severity from which on damage is treated. */
export const medium = 0.35

/** Confidence of the network that needs no estimate to confirm it, and that needs one. */
export const confidences = { sure: 0.9, likely: 0.6 } as const

/** Most steps of a plan. */
export const maxSteps = 3

/** Strength by severity, linear between. */
export const strengths: readonly (readonly [severity: number, strength: number])[] = [
  [0, 0.5],
  [0.6, 1],
]

const weather = { order: 0, task: 'derain', from: medium } as const
const photo = { order: 1, task: 'photo', from: medium } as const
const edges = { of: 'edgeWidth', confirms: 2.6, doubts: 1.7 } as const
const bokeh = 'a background out of focus'

/** One rule for every kind of damage. */
export const damageRules: readonly DamageRule[] = [
  { damage: 'rain', ...weather, models: ['light-weather', 'restormer-derain'] },
  { damage: 'snow', ...weather, models: ['light-weather'] },
  { damage: 'raindrops', ...weather, models: [] },
  {
    damage: 'jpeg',
    ...{ ...photo, models: ['light-photo'] },
    evidence: { of: 'compression', confirms: 0.2, doubts: 0.08 },
  },
  {
    damage: 'noise',
    ...{ ...photo, models: ['light-photo', 'light-denoise'] },
    evidence: { of: 'noise', confirms: 3.5, doubts: 0.8 },
    meant: 'the grain of a film',
  },
  {
    damage: 'motion-blur',
    ...{ order: 2, task: 'deblur', models: ['restormer-motion-deblur'], from: medium },
    ...{ evidence: edges, meant: bokeh },
  },
  {
    damage: 'defocus',
    ...{ order: 2, task: 'defocus-deblur', models: ['restormer-defocus-single'], from: medium },
    ...{ evidence: edges, meant: bokeh },
  },
  {
    damage: 'haze',
    ...{ order: 3, task: 'dehaze', models: ['light-tone'], from: medium },
    evidence: { of: 'veil', confirms: 0.35, doubts: 0.15 },
    meant: 'fog',
  },
  {
    damage: 'low-light',
    ...{ order: 3, task: 'low-light', models: ['light-tone'], from: medium },
    evidence: { of: 'darkness', confirms: 0.75, doubts: 0.55 },
    meant: 'night',
  },
  { damage: 'shadow', order: 3, models: [], from: medium },
  { damage: 'holes', order: 1, models: [], from: medium },
  { damage: 'low-resolution', order: 4, models: [], from: medium },
]

/** Rule of a kind of damage. */
export function ruleOf(damage: DamageId): DamageRule {
  return damageRules.find((rule) => rule.damage === damage)!
}
