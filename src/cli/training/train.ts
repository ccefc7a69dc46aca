// limpid train: a recipe file to a trained network.

import { basename, extname, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { groupOf, leaveGroup } from '../../torch/group.ts'
import { overfit } from '../../train/overfit.ts'
import { tryPhases } from '../../train/preflight.ts'
import { type PreparedTraining, type PrepareOptions, prepareTraining, train } from '../../train/train.ts'
import type { OnTrainingProgress } from '../../train/trainingProgress.ts'
import { cudaIndex } from '../commands/parsers.ts'
import type { TrainCommandOptions } from '../commands/training.ts'
import { watchInterrupts } from '../io/interrupts.ts'
import { printLine, printResult, reporter } from '../io/shell.ts'

interface Result {
  readonly document: object
  readonly text: string
}

export async function trainCommand(recipeFile: string, options: TrainCommandOptions): Promise<void> {
  const isFirst = groupOf(process.env).rank === 0
  const progress = reporter(isFirst ? options : { ...options, quiet: true })
  try {
    const { document, text } = await followRecipe(recipeFile, options, {
      show: (line) => progress.show(line),
      note: (line) => {
        if (options.quiet || !isFirst) return
        progress.clear()
        printLine(line)
      },
    })
    progress.done()
    if (isFirst) printResult(options, document, text)
  } catch (error) {
    progress.done()
    throw error
  }
}

async function followRecipe(
  recipeFile: string,
  options: TrainCommandOptions,
  output: Output,
): Promise<Result> {
  const { data, set = [], steps, threads, workers, resume, acceptChanges, skipUnusable } = options
  const { show, note } = output
  if (acceptChanges && !resume)
    throw new RestoreError('usage', '--accept-changes: expected --resume beside it, got a new training')
  const prepared: PrepareOptions = {
    data,
    settings: steps === undefined ? set : [...set, ['steps', String(steps)]],
    device: deviceFor(options.device),
    threads,
    workers,
    skipUnusable,
    onProgress: paced(show),
    onNote: note,
  }
  if (options.dryRun || options.overfit) return await tryRecipe(recipeFile, { options, prepared, output })
  const out = options.out ?? join('runs', basename(recipeFile, extname(recipeFile)))
  using interrupts = watchInterrupts(() =>
    show('stopping after this step; press Ctrl-C again to stop at once'),
  )
  const result = await train(recipeFile, {
    ...prepared,
    out,
    resume,
    acceptChanges,
    signal: interrupts.signal,
  })
  return { document: { ...result }, text: result.weights }
}

/** Where progress and notes go. */
interface Output {
  readonly show: (line: string) => void
  readonly note: (line: string) => void
}

interface Trial {
  readonly options: TrainCommandOptions
  readonly prepared: PrepareOptions
  readonly output: Output
}

/** Tries a recipe without writing anything: one step of every phase, or one batch again and again. */
async function tryRecipe(recipeFile: string, { options, prepared, output }: Trial): Promise<Result> {
  const { show, note } = output
  const training = await prepareTraining(recipeFile, prepared)
  try {
    if (options.dryRun) for (const text of training.notes) note(text)
    const change = training.adaptThreads()
    if (change !== undefined) note(change)
    const result = await tryOn(training, options, show)
    leaveGroup({ waitsForOthers: true })
    return result
  } finally {
    training.close()
  }
}

async function tryOn(
  { run, images, leftOut, openLoader }: PreparedTraining,
  options: TrainCommandOptions,
  show: Output['show'],
): Promise<Result> {
  if (options.dryRun) {
    const phases = await tryPhases(run, openLoader, show)
    const text = [`${images} images`, ...phases.map((phase) => phase.text)].join('\n')
    return { document: { images, leftOut, phases }, text }
  }
  const { steps = 200 } = options
  const pace = paced(show)
  const onProgress = (text: string) => pace({ phase: 'train', done: 1, total: steps, text })
  const document = await overfit(run, openLoader, { steps, onProgress })
  const first = document.first.toPrecision(4)
  const last = document.last.toPrecision(4)
  return { document, text: `loss ${first} at first, ${last} after ${steps} steps` }
}

function deviceFor(chosen: TrainCommandOptions['device']): PrepareOptions['device'] {
  if (chosen === 'auto' || chosen === 'cpu') return chosen
  const index = cudaIndex(chosen)
  return index === undefined ? 'cuda' : `cuda:${index}`
}

/**
 * Limits progress lines: five a second on a terminal, one in ten seconds into a file; the first line of each phase
 * is always shown.
 */
function paced(show: (text: string) => void): OnTrainingProgress {
  const pauseMs = process.stderr.isTTY ? 200 : 10_000
  let shownMs = Number.NEGATIVE_INFINITY
  let isOpening = true
  return ({ phase, done, text }) => {
    const isNew = done === 0 || (isOpening && phase !== 'open')
    if (!isNew && performance.now() - shownMs < pauseMs) return
    isOpening = phase === 'open'
    shownMs = performance.now()
    show(text)
  }
}
