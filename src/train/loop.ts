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
import { lossesOf, type TrainingRun } from './trainingRun.ts'
import { validate } from './validate.ts'

export interface TrainOptions {
  /** Where state, weights, log and report go. */
  readonly folder: string
  readonly identity: TrainingIdentity
  /** Goes on from the folder's state. */
  readonly isResumed: boolean
  /** Makes the batches from a step on. */
  readonly openLoader: (fromStep: number) => Loader
  readonly onProgress?: ((line: string) => void) | undefined
  /** Aborting it saves the state and ends the training. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Trains to the recipe's last step; what it was for is then in the folder. Several processes share the batches that a step accumulates;
 * the first of them validates, writes and tells.
 */
export async function train(run: TrainingRun, options: TrainOptions): Promise<Progress> {
  const { recipe, optimizer, ema } = run
  const { folder, identity, signal } = options
  const begun: Progress = options.isResumed ? loadState(run, folder, identity) : { step: 0, best: undefined }
  checkTogether(begun.step)
  let { best } = begun
  const { rank, size } = group()
  const isFirst = rank === 0
  const journal = isFirst ? openJournal(folder, recipe.name, begun.step) : undefined
  const meter = new Throughput(recipe.steps, begun.step)
  const loader = options.openLoader(begun.step)
  try {
    for (let step = begun.step; step < recipe.steps; step++) {
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
      options.onProgress?.(meter.line(done, rate))
      if (done % recipe.logEvery === 0 || isLast) journal?.add(meter.row(done, rate, loader.waitedSeconds))
      if (journal && recipe.validate && (done % recipe.validate.every === 0 || isLast)) {
        best = await validateAndKeepBest(run, options, journal, { step: done, best })
      }
      // All stop where one is told to, be it while the first validates.
      const isStopped = averageNumbers([signal?.aborted ? 1 : 0])[0] !== 0
      if (isFirst && (done % recipe.saveEvery === 0 || isLast || isStopped)) {
        saveState(run, folder, identity, { step: done, best })
      }
      if (isStopped && !isLast) throw interrupted(folder, done)
    }
    // A training that was cut off between its last state and its weights.
    if (isFirst && begun.step >= recipe.steps) saveState(run, folder, identity, begun)
    return { step: recipe.steps, best }
  } finally {
    loader.close()
  }
}

/** Processes that do not see the same folder would go on from different states. */
function checkTogether(step: number): void {
  const [mean = step] = averageNumbers([step])
  if (mean === step) return
  throw new RestoreError(
    'input',
    `--resume: expected all processes to go on from one state, got step ${step} here and others elsewhere; let all see the folder of --out`,
  )
}

async function nextBatches(loader: Loader, count: number): Promise<readonly LoadedBatch[]> {
  const batches: LoadedBatch[] = []
  while (batches.length < count) batches.push(await loader.next())
  return batches
}

/** Gradients of the mean loss of the batches, over all processes; returns the mean of each loss. */
export function addAllGradients(
  run: TrainingRun,
  batches: readonly LoadedBatch[],
): Readonly<Record<string, number>> {
  const share = 1 / batches.length
  const means: Record<string, number> = {}
  for (const { batch, plan } of batches) {
    const values = addGradients(() => lossesOf(run, { batch, step: plan.step, number: plan.number }), share)
    for (const [name, value] of Object.entries(values)) means[name] = (means[name] ?? 0) + value * share
  }
  averageGradients(run.trained)
  const shared = averageNumbers(Object.values(means))
  return Object.fromEntries(Object.keys(means).map((name, i) => [name, shared[i] ?? Number.NaN]))
}

/** Clips as the recipe says; returns the joint norm before, where it does. */
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
  const places = group().size === 1 ? names : `${names}, or what other processes had`
  throw new RestoreError(
    'numeric',
    `step ${batches[0]?.plan.step}: expected a finite loss, got ${bad[0]} ${bad[1]} on ${places}; the state saved last is good: go on from it with --resume and a lower learning rate or other data`,
  )
}

async function validateAndKeepBest(
  run: TrainingRun,
  { folder, identity, onProgress }: TrainOptions,
  journal: Journal,
  { step, best }: Progress,
): Promise<Best | undefined> {
  const result = await validate(run, (done, total) =>
    onProgress?.(`step ${step}, validating ${done}/${total}`),
  )
  if (!result) return best
  const { metrics, pictures, decisive, isBetter } = result
  journal.add({ step, time: Date.now() / 1000, kind: 'validate', values: metrics })
  journal.show(pictures)
  const value = metrics[decisive] as number
  if (best && !isBetter(value, best.value)) return best
  const found: Best = { step, metric: decisive, value }
  saveWeights(run, join(folder, files.best), identity, { step, best: found })
  return found
}

function interrupted(folder: string, step: number): RestoreError {
  return new RestoreError(
    'aborted',
    `training: interrupted after ${step} steps; ${join(folder, files.state)} is saved, go on with --resume`,
  )
}
