// What a repair found, did and left, as results report it; and in words.

import type { DamageId } from '../models/damages.ts'
import type { DamageFinding } from './plan/findings.ts'
import type { Plan, Untreated } from './plan/plan.ts'
import { medium, strengths } from './plan/rules.ts'

/** A step that was done. */
export interface RepairedStep {
  readonly damages: readonly DamageId[]
  readonly task: string
  readonly model: string
  readonly version?: number | undefined
  /** Share of the restoration in the result, 0..1. */
  readonly strength: number
  /** Share of blocks that failed a check and faded back to what they were, 0..1. */
  readonly faded: number
  /** What the inspecting network found before and after, of the damage that the step treats. */
  readonly before: readonly DamageFinding[]
  readonly after: readonly DamageFinding[]
}

/** A step that was tried and given up. */
export interface RefusedStep {
  readonly damages: readonly DamageId[]
  /** Why, as half a sentence for each attempt. */
  readonly reasons: readonly string[]
}

/** What a repair found, did and left. */
export interface RepairInfo {
  readonly findings: readonly DamageFinding[]
  readonly done: readonly RepairedStep[]
  readonly refused: readonly RefusedStep[]
  readonly untreated: readonly Untreated[]
}

const percent = (share: number) => `${Math.round(100 * share)} %`

function severityWord(severity: number): string {
  if (severity < medium) return 'slight'
  return severity < strengths[1]![0] ? 'medium' : 'severe'
}

const finders = { network: 'seen', estimates: 'measured', caller: 'named by you' } as const

function describeFinding({ damage, severity, confidence, by, form }: DamageFinding): string {
  const name = form === undefined || form === 'even' ? damage : `${damage} (${form})`
  const how = by.map((finder) => finders[finder]).join(' and ')
  return `${name}: ${severityWord(severity)}, ${percent(confidence)} certain, ${how}`
}

/** Sentences on what was found, and on what is left with the reason. */
function describeFound({ findings, untreated }: Pick<Plan, 'findings' | 'untreated'>) {
  const left = untreated.map(({ damage, reason, isOffered }) => {
    return `left ${damage}, since ${reason}${isOffered ? `; --damage ${damage} treats it` : ''}`
  })
  return { found: findings.map((finding) => `found ${describeFinding(finding)}`), left }
}

/** Describes a plan in lines. */
export function describePlan(plan: Plan): readonly string[] {
  const { found, left } = describeFound(plan)
  const steps = plan.steps.map(({ damages, models, strength }, i) => {
    return `${i + 1}. ${models[0]} at ${percent(strength)} against ${damages.join(' and ')}`
  })
  return [...found, ...(steps.length > 0 ? steps : ['nothing to repair']), ...left]
}

/** Describes a repair in lines. */
export function describeRepair(info: RepairInfo): readonly string[] {
  const { found, left } = describeFound(info)
  const done = info.done.map(({ damages, model, strength, faded }) => {
    const but = faded > 0 ? `, but not in ${percent(faded)} of the picture, which got worse` : ''
    return `${model} at ${percent(strength)} against ${damages.join(' and ')}${but}`
  })
  const refused = info.refused.map(({ damages, reasons }) => {
    return `kept ${damages.join(' and ')}, since ${reasons.join('; ')}`
  })
  const nothing = done.length === 0 && refused.length === 0 ? ['nothing to repair'] : []
  return [...found, ...done, ...refused, ...nothing, ...left]
}
