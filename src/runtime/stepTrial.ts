// Tries a step of a plan: at its strength and at half of it, then with another model; the first attempt that
// passes all checks counts.

import { type CheckReport, checkBlocks } from '../auto/checks/checkBlocks.ts'
import { fadeBack } from '../auto/checks/fadeBack.ts'
import { type CheckName, maxFailed, type StepKind, stepKindOf } from '../auto/checks/limits.ts'
import type { DamageFinding } from '../auto/plan/findings.ts'
import type { PlannedStep } from '../auto/plan/plan.ts'
import { confidences, medium } from '../auto/plan/rules.ts'
import { cropAt, cropCorners } from '../auto/views.ts'
import type { Image } from '../data/image.ts'
import type { PartedImage } from '../data/parts.ts'
import type { StepInfo } from './pictures/pictureTypes.ts'

/** One attempt at a step. */
export interface Attempt {
  readonly model: string
  readonly strength: number
}

/** What an attempt gave: the picture, or why it failed. */
export type TrialOutcome =
  | {
      readonly image: Image
      readonly step: StepInfo
      /** Share of blocks that faded back. */
      readonly faded: number
      readonly after: readonly DamageFinding[]
    }
  | { readonly reasons: readonly string[] }

/** What a trial needs of its surroundings. */
export interface TrialContext {
  /** What was found before the step. */
  readonly findings: readonly DamageFinding[]
  run(
    image: Image | PartedImage,
    attempt: Attempt,
  ): Promise<{ readonly image: Image; readonly step: StepInfo }>
  look(image: Image): Promise<readonly DamageFinding[]>
}

/** Side and number of crops on which a step is tried before the whole, and pixels from which on that pays. */
const trialPx = 256
const trialCrops = 4
const worthwhilePixels = 6 * trialPx * trialPx

/** Tries a step. */
export async function tryStep(
  step: PlannedStep,
  image: Image | PartedImage,
  context: TrialContext,
): Promise<TrialOutcome> {
  const [first, second] = step.models
  const { strength } = step
  const attempts: readonly Attempt[] = [
    { model: first, strength },
    { model: first, strength: strength / 2 },
    ...(second === undefined ? [] : [{ model: second, strength }]),
  ]
  const reasons: string[] = []
  for (const attempt of attempts) {
    const outcome = await tryOnce(step, { image, attempt, context })
    if ('image' in outcome) return outcome
    reasons.push(`${attempt.model} at ${Math.round(100 * attempt.strength)} % ${outcome.reasons[0]}`)
  }
  return { reasons }
}

interface Trial {
  readonly image: Image | PartedImage
  readonly attempt: Attempt
  readonly context: TrialContext
}

async function tryOnce(step: PlannedStep, { image, attempt, context }: Trial): Promise<TrialOutcome> {
  const kind = stepKindOf(step.task)
  const failure = await failureOnCrops(kind, { image, attempt, context })
  if (failure) return { reasons: [failure] }
  const done = await context.run(image, attempt)
  const report = checkBlocks(image, done.image, kind, attempt.strength)
  if (!report.isPassed) return { reasons: [describeFailure([report])] }
  fadeBack(image, done.image, report)
  const after = await context.look(done.image)
  const worse = whatGotWorse(step, context.findings, after)
  if (worse) return { reasons: [worse] }
  return { image: done.image, step: done.step, faded: report.share, after }
}

/** Tries a step on crops; tones depend on the whole picture, and small pictures are tried whole. */
async function failureOnCrops(
  kind: StepKind,
  { image, attempt, context }: Trial,
): Promise<string | undefined> {
  if (kind === 'tones' || image.width * image.height < worthwhilePixels) return undefined
  const corners = cropCorners(image, trialPx)
  const chosen = Array.from({ length: Math.min(trialCrops, corners.length) }, (_, i) => {
    return corners[Math.floor((i * (corners.length - 1)) / (trialCrops - 1))]!
  })
  const reports: CheckReport[] = []
  for (const corner of chosen) {
    const before = cropAt(image, corner, trialPx)
    const after = await context.run(before, attempt)
    reports.push(checkBlocks(before, after.image, kind, attempt.strength))
  }
  const share = reports.reduce((sum, report) => sum + report.share, 0) / reports.length
  const hasNumbers = reports.every(({ counts }) => counts.numbers === undefined)
  return share <= maxFailed && hasNumbers ? undefined : describeFailure(reports)
}

const words: Readonly<Record<CheckName, string>> = {
  numbers: 'gives values that are no numbers',
  structure: 'takes away detail, not only damage',
  color: 'shifts colors',
  brightening: 'brightens the picture',
  clipping: 'clips light or dark',
  likeness: 'changes the picture seen from afar',
  halos: 'adds halos where there was nothing',
  noise: 'brings out noise',
}

/** The check that most blocks failed, in words. */
function describeFailure(reports: readonly CheckReport[]): string {
  const total = (name: CheckName) => reports.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0)
  const names = Object.keys(words) as CheckName[]
  const worst = names.reduce((best, name) => (total(name) > total(best) ? name : best))
  return words[total('numbers') > 0 ? 'numbers' : worst]
}

const weight = (finding: DamageFinding | undefined) => (finding ? finding.confidence * finding.severity : 0)

const isTraced = (finding: DamageFinding | undefined) => finding?.by.includes('estimates') === true

/** What the inspecting network holds against a step; undefined if nothing. */
function whatGotWorse(
  { damages }: PlannedStep,
  before: readonly DamageFinding[],
  after: readonly DamageFinding[],
): string | undefined {
  const of = (list: readonly DamageFinding[], name: string) => list.find(({ damage }) => damage === name)
  const still = damages.find((damage) => {
    const known = of(before, damage)
    const left = of(after, damage)
    if (known === undefined) return false
    // What the caller names may be what the network does not see, and blocks that faded back keep traces.
    if (known.by.includes('caller') || (isTraced(known) && isTraced(left))) return false
    return weight(left) >= weight(known)
  })
  if (still !== undefined) return `leaves as much ${still} as before`
  const added = after.find(
    ({ damage, confidence, severity }) =>
      of(before, damage) === undefined && confidence >= confidences.sure && severity >= medium,
  )
  return added && `adds what looks like ${added.damage}`
}
