// Whether a damage is treated: the network and the estimates have to agree, or the network has to be very
// sure. What a photographer may have meant is offered in words.

import type { Estimates } from '../estimates/estimate.ts'
import type { DamageFinding } from './findings.ts'
import { confidences, type DamageRule, type EvidenceName, ruleOf } from './rules.ts'

/** What is done about a finding, and why. */
export interface Judgment {
  readonly action: 'treat' | 'offer' | 'leave'
  /** Why it is not treated, as half a sentence; '' if it is. */
  readonly reason: string
}

/** Estimates on scales that grow with the damage; undefined where they could not be made. */
function evidenceOf(name: EvidenceName, estimates: Estimates): number | undefined {
  const { noise255, jpegFile, jpegTraces, blockiness, edges, brightness, veil } = estimates
  const quality = Math.min(jpegFile ?? 100, jpegTraces?.quality ?? 100)
  const values: Readonly<Record<EvidenceName, number | undefined>> = {
    noise: noise255,
    compression: Math.max(1 - quality / 100, blockiness - 1),
    edgeWidth: edges?.sharpest,
    veil: veil.darkChannel,
    darkness: 1 - brightness.median,
  }
  return values[name]
}

type Opinion = 'confirms' | 'doubts' | 'silent'

function opinionOn({ evidence }: DamageRule, estimates: Estimates): Opinion {
  const value = evidence && evidenceOf(evidence.of, estimates)
  if (evidence === undefined || value === undefined) return 'silent'
  return value >= evidence.confirms ? 'confirms' : value <= evidence.doubts ? 'doubts' : 'silent'
}

/** Share of white pixels that speaks for lamps at night. */
const lamps = 5e-4

/** Whether somebody may have meant what looks like damage. */
function isAmbiguous(finding: DamageFinding, opinion: Opinion, { brightness }: Estimates): boolean {
  if (finding.form === 'grain') return true
  if (finding.damage === 'low-light' && brightness.white > lamps) return true
  return opinion === 'doubts'
}

/** Judges a finding by the rules of its damage. */
export function judge(finding: DamageFinding, estimates: Estimates): Judgment {
  const rule = ruleOf(finding.damage)
  const { severity, confidence, by } = finding
  if (by.includes('caller')) return { action: 'treat', reason: '' }
  if (severity < rule.from) return { action: 'leave', reason: 'it is slight' }
  const opinion = opinionOn(rule, estimates)
  const { meant } = rule
  if (meant !== undefined && isAmbiguous(finding, opinion, estimates))
    return { action: 'offer', reason: `it may be ${meant}, which is meant` }
  if (opinion === 'doubts') return { action: 'leave', reason: 'measurements speak against it' }
  const needed = opinion === 'confirms' ? confidences.likely : confidences.sure
  if (confidence >= needed) return { action: 'treat', reason: '' }
  return { action: 'offer', reason: 'it is not certain' }
}
