// Carries out a plan: tries every step, checks it, and all of them together. Shared by Node and browsers.

import { checkBlocks } from '../auto/checks/checkBlocks.ts'
import { type StepKind, stepKindOf } from '../auto/checks/limits.ts'
import type { DamageFinding } from '../auto/plan/findings.ts'
import type { Plan, PlannedStep } from '../auto/plan/plan.ts'
import type { RefusedStep, RepairedStep } from '../auto/repairInfo.ts'
import type { Image } from '../data/image.ts'
import type { PartedImage } from '../data/parts.ts'
import type { StepInfo } from './pictures/pictureTypes.ts'
import { pictureOptionsOf, progressOfSteps, runStep, type StepModel } from './steps.ts'
import { type Attempt, tryStep } from './stepTrial.ts'
import type { PictureOptions } from './tiledRestoration.ts'

/** Which network a step needs. */
export interface StepRequest {
  readonly model?: string | undefined
  readonly task?: string | undefined
  readonly scale?: number | undefined
}

/** What a repair needs of its surroundings. */
export interface RepairContext {
  readonly scale: number
  readonly options: PictureOptions
  /** Opens a network; it stays open for the next picture. */
  model(request: StepRequest): Promise<StepModel>
  /** Looks at what a step made of a picture. */
  look(image: Image | PartedImage): Promise<readonly DamageFinding[]>
}

/** A repaired picture, and what came of every step. */
export interface RepairState {
  readonly image: Image | PartedImage
  readonly findings: readonly DamageFinding[]
  readonly done: readonly RepairedStep[]
  readonly refused: readonly RefusedStep[]
  readonly steps: readonly StepInfo[]
}

/** Carries out a plan on planes, and enlarges them last. */
export async function repairPicture(
  planes: Image | PartedImage,
  { findings, steps }: Pick<Plan, 'findings' | 'steps'>,
  { scale, options, model, look }: RepairContext,
): Promise<RepairState> {
  const isEnlarged = scale > 1
  const progress = progressOfSteps(options, planes, steps.length + (isEnlarged ? 1 : 0))
  let state: RepairState = { image: planes, findings, done: [], refused: [], steps: [] }
  for (const [i, step] of steps.entries()) {
    const whole = state.image
    const run = async (image: Image | PartedImage, attempt: Attempt) => {
      const restorer = await model(requestOf(step, attempt.model))
      // Crops on which a step is tried are no part of the picture on its way.
      const onTile = image === whole ? options.onTile : undefined
      const running = {
        ...pictureOptionsOf(options),
        strength: attempt.strength,
        onProgress: progress(i),
        onTile,
      }
      return runStep(restorer, image, { ...running, task: step.task })
    }
    state = await afterStep(state, step, { run, look })
  }
  state = checkedChain(planes, state)
  if (!isEnlarged) return state
  const restorer = await model({ task: 'upscale', scale })
  const running = { ...pictureOptionsOf(options), onProgress: progress(steps.length) }
  const { image, step } = await runStep(restorer, state.image, { ...running, task: 'upscale' })
  return { ...state, image, steps: [...state.steps, step] }
}

/**
 * Shows on a part of a picture what a plan does: every step runs once, with its first model and unchecked, since the
 * checks of the whole picture follow and take several runs.
 */
export async function previewRepair(
  planes: Image | PartedImage,
  { findings, steps }: Pick<Plan, 'findings' | 'steps'>,
  { scale, options, model }: Omit<RepairContext, 'look'>,
): Promise<RepairState> {
  const all = [
    ...steps.map((step) => ({ ...step, request: requestOf(step, step.models[0]) })),
    ...(scale > 1 ? [{ task: 'upscale', strength: 1, request: { task: 'upscale', scale } }] : []),
  ]
  const progress = progressOfSteps(options, planes, all.length)
  let image = planes
  const done: StepInfo[] = []
  for (const [i, { task, strength, request }] of all.entries()) {
    const running = { ...pictureOptionsOf(options), strength, onProgress: progress(i), task }
    const restored = await runStep(await model(request), image, running)
    image = restored.image
    done.push(restored.step)
  }
  return { image, findings, done: [], refused: [], steps: done }
}

/** The network of a step; only the tone network has several tasks. */
function requestOf({ task }: PlannedStep, model: string): StepRequest {
  return { model, task: stepKindOf(task) === 'tones' ? task : undefined }
}

/** Tries a step and adds what came of it. */
async function afterStep(
  state: RepairState,
  step: PlannedStep,
  parts: Omit<Parameters<typeof tryStep>[2], 'findings'>,
): Promise<RepairState> {
  const outcome = await tryStep(step, state.image, { ...parts, findings: state.findings })
  const { damages, task } = step
  if ('reasons' in outcome)
    return { ...state, refused: [...state.refused, { damages, reasons: outcome.reasons }] }
  const of = (findings: readonly DamageFinding[]) => findings.filter(({ damage }) => damages.includes(damage))
  const { model, version, strength } = outcome.step
  const done: RepairedStep = {
    ...{ damages, task, model, version, strength, faded: outcome.faded },
    before: of(state.findings),
    after: of(outcome.after),
  }
  return {
    ...state,
    image: outcome.image,
    findings: outcome.after,
    done: [...state.done, done],
    steps: [...state.steps, outcome.step],
  }
}

/** From the strictest checks to the loosest. */
const byStrictness: readonly StepKind[] = ['cleans', 'sharpens', 'clears', 'tones']

/** Checks all steps together against the original, which comes back if they fail. */
function checkedChain(original: Image | PartedImage, state: RepairState): RepairState {
  if (state.done.length < 2) return state
  const kinds = state.done.map(({ task }) => byStrictness.indexOf(stepKindOf(task as PlannedStep['task'])))
  if (checkBlocks(original, state.image, byStrictness[Math.max(...kinds)]!).isPassed) return state
  const refused = state.done.map(({ damages }) => ({
    damages,
    reasons: ['all steps together change too much'],
  }))
  return { ...state, image: original, done: [], steps: [], refused: [...state.refused, ...refused] }
}
