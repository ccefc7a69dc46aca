// The training loop.

import { join } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import { scalar, scope } from '../torch/backend.ts'
import { averageGradients, averageNumbers, group } from '../torch/group.ts'
import { clipEachGradNorm, clipGradNorm } from '../torch/optim.ts'
import type { LoadedBatch, Loader } from './loader/loader.ts'
import { addGradients } from './optimization/step.ts'
import { phaseAt, rateAt } from './recipe/recipe.ts'
import { type Journal, openJournal } from './report/journal.ts'
import { type Best, files, loadState, type Progress, saveState, saveWeights } from './state.ts'
import { Throughput } from './throughput.ts'
import type { TrainingIdentity } from './trainingIdentity.ts'
import type { OnTrainingProgress } from './trainingProgress.ts'
import { batchLosses, type TrainingRun } from './trainingRun.ts'
import { validate } from './validate.ts'

export interface LoopOptions {
  /** Folder for state, weights, log and report. */
  readonly folder: string
  readonly identity: TrainingIdentity
  /** Whether to resume from the folder's state. */
  readonly isResumed: boolean
  /** Opens a loader whose first batch belongs to `fromStep`. */
  readonly openLoader: (fromStep: number) => Loader
  readonly onProgress?: OnTrainingProgress | undefined
  /** When aborted, the training saves its state and stops. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Trains to the recipe's last step and leaves the weights in the folder. Several processes share the batches
 * that a step accumulates; rank 0 validates, writes and reports.
 */
export async function runLoop(run: TrainingRun, options: LoopOptions): Promise<Progress> {
  const { recipe, optimizer, ema } = run
  const { folder, identity, signal } = options
  const initial: Progress = options.isResumed
    ? loadState(run, folder, identity)
    : { step: 0, best: undefined }
  checkSameStep(initial.step)
  let { best } = initial
  const { rank, size } = group()
  const isFirst = rank === 0
  const journal = isFirst ? openJournal(folder, recipe.name, initial.step) : undefined
  const meter = new Throughput(recipe.steps, initial.step)
  const loader = options.openLoader(initial.step)
  try {
    for (let step = initial.step; step < recipe.steps; step++) {
      const rate = rateAt(recipe, step)
      const batches = await nextBatches(loader, (recipe.accumulate ?? 1) / size)
      optimizer.zeroGrad()
      const losses = addAllGradients(run, batches)
      const norm = clipGradients(run)
      checkFinite(losses, norm, batches)
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
        best = await validateAndKeepBest(run, options, journal, { step: done, best })
      }
      // A signal to one process stops them all at the same step, even while rank 0 validates.
      const isStopped = averageNumbers([signal?.aborted ? 1 : 0])[0] !== 0
      if (isFirst && (done % recipe.saveEvery === 0 || isLast || isStopped)) {
        saveState(run, folder, identity, { step: done, best })
      }
      if (isStopped && !isLast) throw interrupted(folder, done)
    }
    // The previous run may have been killed after its last state was written but before its weights were.
    if (isFirst && initial.step >= recipe.steps) saveState(run, folder, identity, initial)
    return { step: recipe.steps, best }
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

function checkFinite(
  losses: Readonly<Record<string, number>>,
  norm: number | undefined,
  batches: readonly LoadedBatch[],
): void {
  const values = Object.entries({ ...losses, ...(norm === undefined ? {} : { 'gradient norm': norm }) })
  const bad = values.find(([, value]) => !Number.isFinite(value))
  if (!bad) return
  const names = [...new Set(batches.flatMap((batch) => batch.names))].join(', ')
  const places = group().size === 1 ? names : `${names} or the images of another process`
  throw new RestoreError(
    'numeric',
    `step ${batches[0]?.plan.step}: expected a finite loss, got ${bad[0]} ${bad[1]} on ${places}; the last saved state is intact: resume from it with --resume and a lower learning rate or other data`,
  )
}

async function validateAndKeepBest(
  run: TrainingRun,
  { folder, identity, onProgress }: LoopOptions,
  journal: Journal,
  { step, best }: Progress,
): Promise<Best | undefined> {
  const result = await validate(run, (done, total) =>
    onProgress?.({ phase: 'validate', done, total, text: `step ${step}, validating ${done}/${total}` }),
  )
  if (!result) return best
  const { metrics, images, selectionMetric, isBetter } = result
  journal.add({ step, time: Date.now() / 1000, kind: 'validate', values: metrics })
  journal.show(images)
  const value = metrics[selectionMetric]!
  if (best && !isBetter(value, best.value)) return best
  const newBest: Best = { step, metric: selectionMetric, value }
  saveWeights(run, join(folder, files.best), identity, { step, best: newBest })
  return newBest
}

function interrupted(folder: string, step: number): RestoreError {
  return new RestoreError(
    'aborted',
    `training: interrupted after ${step} steps; ${join(folder, files.state)} is saved, continue with --resume`,
  )
}
