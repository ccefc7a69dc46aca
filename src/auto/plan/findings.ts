// What is wrong with a photo, by the inspecting network and by classical estimates.

import { type DamageId, damageIds, type NoiseForm, noiseForms } from '../../models/damages.ts'
import type { Estimates } from '../estimates/estimate.ts'
import { calibration } from './rules.ts'

/** Who found a damage. */
export type Finder = 'network' | 'estimates' | 'caller'

/** One damage of a photo. */
export interface DamageFinding {
  readonly damage: DamageId
  /** From faint, 0, to severe, 1; medium is 0.35 and more. */
  readonly severity: number
  /** Probability that it is there, 0..1. */
  readonly confidence: number
  readonly by: readonly Finder[]
  /** Form of noise; undefined for other damage. */
  readonly form?: NoiseForm | undefined
}

/** Outputs of light-inspect for one photo: logits. */
export interface Verdict {
  /** [12]. */
  readonly presence: ArrayLike<number>
  /** [12]. */
  readonly severity: ArrayLike<number>
  /** [3]. */
  readonly form: ArrayLike<number>
}

/** Probability from which on the network's damage is told. */
const told = 0.5

/** Quality of JPEG below which tables or pixels are proof enough. */
const coarseQuality = 60

const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit))

/** Lists the damage of a photo, the surest first. */
export function findDamage(verdict: Verdict, estimates: Estimates): readonly DamageFinding[] {
  const found = damageIds.flatMap((damage, k): readonly DamageFinding[] => {
    const [factor, offset] = calibration[damage]
    const confidence = sigmoid(factor * verdict.presence[k]! + offset)
    if (confidence < told) return []
    const severity = sigmoid(verdict.severity[k]!)
    return [{ damage, severity, confidence, by: ['network'], ...formOf(damage, verdict) }]
  })
  const traced = tracedJpeg(estimates)
  const known = found.find(({ damage }) => damage === 'jpeg')
  const all = !traced
    ? found
    : known
      ? found.map((one) => (one === known ? joined(one, traced) : one))
      : [...found, traced]
  return all.toSorted((a, b) => b.confidence - a.confidence)
}

function formOf(damage: DamageId, { form }: Verdict): { readonly form?: NoiseForm } {
  if (damage !== 'noise') return {}
  const best = Array.from(form).indexOf(Math.max(...Array.from(form)))
  return { form: noiseForms[best] ?? 'even' }
}

/** A compression that tables or pixels prove. */
function tracedJpeg({ jpegFile, jpegTraces }: Estimates): DamageFinding | undefined {
  const quality = Math.min(jpegFile ?? 100, jpegTraces?.quality ?? 100)
  if (quality > coarseQuality) return undefined
  return { damage: 'jpeg', severity: Math.min(1.1 - quality / 80, 1), confidence: 0.95, by: ['estimates'] }
}

function joined(a: DamageFinding, b: DamageFinding): DamageFinding {
  return {
    ...a,
    severity: Math.max(a.severity, b.severity),
    confidence: Math.max(a.confidence, b.confidence),
    by: [...a.by, ...b.by],
  }
}
