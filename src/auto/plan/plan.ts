// From what is found to what is done: at most three steps in order, and everything that is not done with the
// reason.

import type { DamageId } from '../../models/damages.ts'
import type { TaskId } from '../../models/tasks.ts'
import type { Estimates } from '../estimates/estimate.ts'
import type { DamageFinding } from './findings.ts'
import { judge } from './judge.ts'
import type { Overrides } from './overrides.ts'
import { maxSteps, ruleOf, strengths } from './rules.ts'

/** One step of a plan. */
export interface PlannedStep {
  /** What it treats, the most severe first. */
  readonly damages: readonly DamageId[]
  readonly task: TaskId
  /** Models that are there, in the order in which they are tried. */
  readonly models: readonly [string, ...string[]]
  /** Share of the restoration in the result, 0..1. */
  readonly strength: number
}

/** A damage that is not treated. */
export interface Untreated {
  readonly damage: DamageId
  /** Why, as half a sentence. */
  readonly reason: string
  /** Whether `--damage` would treat it. */
  readonly isOffered: boolean
}

/** What is done about a photo. */
export interface Plan {
  readonly findings: readonly DamageFinding[]
  /** In order; none if there is nothing to repair. */
  readonly steps: readonly PlannedStep[]
  readonly untreated: readonly Untreated[]
}

/** What a plan depends on besides what is found. */
export interface PlanRequest {
  readonly estimates: Estimates
  readonly overrides: Overrides
  /** Whether a model can be run. */
  readonly isAvailable: (model: string) => boolean
  /** Largest strength of a step. */
  readonly strength: number
}

/** A finding that is treated, with its rule. */
interface Treated {
  readonly finding: DamageFinding
  readonly models: readonly [string, ...string[]]
  readonly task: TaskId
  readonly order: number
}

/** Plans the treatment of a photo. */
export function planRepair(found: readonly DamageFinding[], request: PlanRequest): Plan {
  const findings = withWanted(found, request.overrides)
  const untreated: Untreated[] = []
  const treated = findings.flatMap((finding): readonly Treated[] => {
    const result = consider(finding, request)
    if ('reason' in result) untreated.push(result)
    return 'reason' in result ? [] : [result]
  })
  const steps = stepsOf(treated, request.strength)
  const bySeverity = steps.toSorted((a, b) => b.severity - a.severity)
  const kept = new Set(bySeverity.slice(0, maxSteps))
  for (const { step } of bySeverity.slice(maxSteps))
    for (const damage of step.damages)
      untreated.push({
        damage,
        reason: `other damage is worse, and more than ${maxSteps} steps pile up`,
        isOffered: true,
      })
  return { findings, steps: steps.filter((one) => kept.has(one)).map(({ step }) => step), untreated }
}

/** Adds the damage that the caller names. */
function withWanted(found: readonly DamageFinding[], { damage }: Overrides): readonly DamageFinding[] {
  const others = found.filter((finding) => !damage.includes(finding.damage))
  const wanted = damage.map((one): DamageFinding => {
    const known = found.find((finding) => finding.damage === one)
    return {
      ...known,
      damage: one,
      severity: Math.max(known?.severity ?? 0, 0.6),
      confidence: 1,
      by: [...(known?.by ?? []), 'caller'],
    }
  })
  return [...wanted, ...others]
}

/** Decides whether a finding is treated. */
function consider(finding: DamageFinding, request: PlanRequest): Treated | Untreated {
  const { damage } = finding
  const { only, never } = request.overrides
  const { models, task, order } = ruleOf(damage)
  if (never.includes(damage)) return { damage, reason: 'you excluded it', isOffered: false }
  if (only.length > 0 && !only.includes(damage))
    return { damage, reason: 'you asked for other damage alone', isOffered: false }
  const { action, reason } = judge(finding, request.estimates)
  const [first, ...others] = models.filter(request.isAvailable)
  if (action === 'leave') return { damage, reason, isOffered: false }
  if (first === undefined || task === undefined)
    return { damage, reason: noModel(damage, models), isOffered: false }
  if (action === 'offer') return { damage, reason, isOffered: true }
  return { finding, models: [first, ...others], task, order }
}

function noModel(damage: DamageId, models: readonly string[]): string {
  if (damage === 'low-resolution') return 'nothing is enlarged unasked; --task upscale does it'
  const [model] = models
  return model === undefined
    ? 'no model treats it'
    : `the package has no weights for it; --model ${model} --weights FILE treats it`
}

interface RankedStep {
  readonly step: PlannedStep
  readonly order: number
  readonly severity: number
}

/** Joins findings of one model to a step. */
function stepsOf(treated: readonly Treated[], limit: number): readonly RankedStep[] {
  const groups = new Map<string, Treated[]>()
  for (const one of treated) {
    const key = `${one.order} ${one.models[0]}`
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  const steps = [...groups.values()].map((group): RankedStep => {
    const sorted = group.toSorted((a, b) => b.finding.severity - a.finding.severity)
    const [{ models, task, order, finding }] = sorted as [Treated, ...Treated[]]
    const [first, ...others] = models
    const common = others.filter((model) => sorted.every((one) => one.models.includes(model)))
    const isOneTask = sorted.every((one) => one.task === task)
    const step: PlannedStep = {
      damages: sorted.map((one) => one.finding.damage),
      // Only the tone network has several tasks, and one for all of them.
      task: isOneTask ? task : 'tone',
      models: [first, ...common],
      strength: Math.min(strengthOf(finding.severity), limit),
    }
    return { step, order, severity: finding.severity }
  })
  return steps.toSorted((a, b) => a.order - b.order || b.severity - a.severity)
}

function strengthOf(severity: number): number {
  const [[low, weak], [high, strong]] = strengths as [(typeof strengths)[number], (typeof strengths)[number]]
  const share = Math.min(Math.max((severity - low) / (high - low), 0), 1)
  return weak + share * (strong - weak)
}
