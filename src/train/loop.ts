// The training loop.

import { join } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import type { Rejected } from '../data/sources/check.ts'
import { scalar, scope } from '../torch/backend.ts'
import { averageGradients, averageNumbers, group } from '../torch/group.ts'
import { clipEachGradNorm, clipGradNorm } from '../torch/optim.ts'
import { checkFiniteLosses } from './finite.ts'
import type { LoadedBatch, Loader } from './loader/loader.ts'
import { addGradients } from './optimization/step.ts'
import { phaseAt, rateAt } from './recipe/recipe.ts'
import { type Journal, openJournal } from './report/journal.ts'
import { Notes } from './report/notes.ts'
import { type Best, files, loadState, type Progress, type Resumed, saveState, saveWeights } from './state.ts'
import { Throughput } from './throughput.ts'
import type { TrainingIdentity } from './trainingIdentity.ts'
import type { OnTrainingProgress } from './trainingProgress.ts'
import { batchLosses, type TrainingRun } from './trainingRun.ts'
import { settingsOf } from './trainingSettings.ts'
import { validate } from './validate.ts'

export interface LoopOptions {
  /** Folder for state, weights, log and report. */
  readonly folder: string
  readonly identity: TrainingIdentity
  /** Whether to resume from the folder's state. */
  readonly isResumed: boolean
  /** Whether to resume although recipe or data have changed. @default false */
  readonly acceptsChanges?: boolean | undefined
  /** What people should know from the start. @default none */
  readonly notes?: readonly string[]
  /** Opens a loader whose first batch belongs to `fromStep`. */
  readonly openLoader: (fromStep: number) => Loader
  /** Adapts libtorch's threads before a step; returns what people should know about it. */
  readonly adaptThreads?: (() => string | undefined) | undefined
  readonly onProgress?: OnTrainingProgress | undefined
  /** Called with each note once; the log holds them too. */
  readonly onNote?: ((note: string) => void) | undefined
  /** When aborted, the training saves its state and stops. */
  readonly signal?: AbortSignal | undefined
}

/** A training that has come to its last step. */
export interface Finished extends Progress {
  /** Images left out because they turned out to be damaged. */
  readonly leftOut: readonly Rejected[]
}

/**
 * Trains to the recipe's last step and leaves the weights in the folder. Several processes share the batches
 * that a step accumulates; rank 0 validates, writes and reports.
 */
export async function runLoop(run: TrainingRun, options: LoopOptions): Promise<Finished> {
  const { recipe, optimizer, ema } = run
  const { folder, identity, signal } = options
  const { changes, ...initial }: Resumed = options.isResumed
    ? loadState(run, folder, identity, { acceptsChanges: options.acceptsChanges ?? false })
    : { step: 0, best: undefined, changes: [] }
  checkSameStep(initial.step)
  let { best } = initial
  let savedStep = options.isResumed ? initial.step : undefined
  const { rank, size } = group()
  const isFirst = rank === 0
  const { name: title, steps } = recipe
  const subject = { title, steps, settings: settingsOf(run, identity) }
  const at = { step: initial.step, bestStep: best?.step }
  const journal = isFirst ? openJournal(folder, subject, at) : undefined
  const notes = new Notes(options.onNote ?? (() => {}), journal)
  for (const text of options.notes ?? []) notes.add(text, initial.step)
  if (changes.length > 0) notes.add(`resumed with changes: ${changes.join('; ')}`, initial.step)
  const meter = new Throughput(recipe.steps, initial.step)
  const loader = options.openLoader(initial.step)
  try {
    for (let step = initial.step; step < recipe.steps; step++) {
      const rate = rateAt(recipe, step)
      const change = options.adaptThreads?.()
      if (change !== undefined) notes.add(change, step)
      const batches = await nextBatches(loader, (recipe.accumulate ?? 1) / size)
      for (const batch of batches) notes.leaveOut(batch.leftOut, step)
      optimizer.zeroGrad()
      const losses = addAllGradients(run, batches)
      const norm = clipGradients(run)
      checkFiniteLosses(losses, norm, batches, { step, savedStep })
      scope(() => optimizer.step(rate))
      scope(() => ema?.update(recipe.ema?.(step) ?? 1))

      const done = step + 1
      const isLast = done === recipe.steps
      meter.count({ losses, norm, images: size * batches.length * phaseAt(recipe.data.phases, step).batch })
      options.onProgress?.({
        phase: 'train',
        done,
        total: recipe.steps,
        loss: meter.loss,
        text: meter.line(done, rate),
      })
      if (done % recipe.logEvery === 0 || isLast) journal?.add(meter.row(done, rate, loader.waitedSeconds))
      if (journal && recipe.validate && (done % recipe.validate.every === 0 || isLast)) {
        const validated = await validateAndKeepBest(run, options, journal, { step: done, best })
        best = validated.best
        notes.leaveOut(validated.leftOut, done)
      }
      // A signal to one process stops them all at the same step, even while rank 0 validates.
      const isStopped = averageNumbers([signal?.aborted ? 1 : 0])[0] !== 0
      if (done % recipe.saveEvery === 0 || isLast || isStopped) {
        if (isFirst) saveState(run, folder, identity, { step: done, best, savedStep })
        savedStep = done
      }
      if (isStopped || isLast) journal?.close()
      if (isStopped && !isLast) throw interrupted(folder, done)
    }
    // The previous run may have been killed after its last state was written but before its weights were.
    if (isFirst && initial.step >= recipe.steps) saveState(run, folder, identity, { ...initial, savedStep })
    return { step: recipe.steps, best, leftOut: notes.leftOut }
  } finally {
    loader.close()
  }
}

/** Rejects processes that resume from different states because they do not share a folder. */
function checkSameStep(step: number): void {
  const [mean = step] = averageNumbers([step])
  if (mean === step) return
  throw new RestoreError(
    'input',
    `--resume: expected all processes to resume from one state, got step ${step} here and other steps elsewhere; put --out in a folder that all processes share`,
  )
}

async function nextBatches(loader: Loader, count: number): Promise<readonly LoadedBatch[]> {
  const batches: LoadedBatch[] = []
  while (batches.length < count) batches.push(await loader.next())
  return batches
}

/** Adds the gradients of the mean loss over the batches of all processes; returns the mean of each loss. */
export function addAllGradients(
  run: TrainingRun,
  batches: readonly LoadedBatch[],
): Readonly<Record<string, number>> {
  const share = 1 / batches.length
  const means: Record<string, number> = {}
  for (const { batch, plan } of batches) {
    const values = addGradients(
      () => batchLosses(run, { batch, step: plan.step, number: plan.number }),
      share,
    )
    for (const [name, value] of Object.entries(values)) means[name] = (means[name] ?? 0) + value * share
  }
  averageGradients(run.trained)
  const shared = averageNumbers(Object.values(means))
  return Object.fromEntries(Object.keys(means).map((name, i) => [name, shared[i] ?? Number.NaN]))
}

/** Clips gradients as the recipe asks; returns their joint norm before clipping, if it clips. */
function clipGradients({ recipe, trained }: TrainingRun): number | undefined {
  const { maxGradNorm, maxGradNormEach } = recipe
  return scope(() => {
    const each = maxGradNormEach === undefined ? undefined : clipEachGradNorm(trained, maxGradNormEach)
    const joint = maxGradNorm === undefined ? undefined : clipGradNorm(trained, maxGradNorm)
    const norm = each ?? joint
    return norm && scalar(norm)
  })
}

async function validateAndKeepBest(
  run: TrainingRun,
  { folder, identity, onProgress }: LoopOptions,
  journal: Journal,
  { step, best }: Progress,
): Promise<{ readonly best: Best | undefined; readonly leftOut: readonly Rejected[] }> {
  const result = await validate(run, (done, total) =>
    onProgress?.({ phase: 'validate', done, total, text: `step ${step}, validating ${done}/${total}` }),
  )
  if (!result) return { best, leftOut: [] }
  const { metrics, images, selectionMetric, isBetter, leftOut } = result
  journal.add({ step, time: Date.now() / 1000, kind: 'validate', values: metrics })
  const value = metrics[selectionMetric]!
  const isBest = !best || isBetter(value, best.value)
  journal.show(images, isBest ? step : best.step)
  if (!isBest) return { best, leftOut }
  const newBest: Best = { step, metric: selectionMetric, value }
  saveWeights(run, join(folder, files.best), identity, { step, best: newBest })
  return { best: newBest, leftOut }
}

function interrupted(folder: string, step: number): RestoreError {
  return new RestoreError(
    'aborted',
    `training: interrupted after ${step} steps; ${join(folder, files.state)} is saved, continue with --resume`,
  )
}
