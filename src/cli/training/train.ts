// limpid train: a recipe file to a trained network.

import { basename, extname, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { groupOf, leaveGroup } from '../../torch/group.ts'
import { overfit } from '../../train/overfit.ts'
import { tryPhases } from '../../train/preflight.ts'
import { type PrepareOptions, prepareTraining, train } from '../../train/train.ts'
import type { OnTrainingProgress } from '../../train/trainingProgress.ts'
import { cudaIndex } from '../commands/parsers.ts'
import type { TrainCommandOptions } from '../commands/training.ts'
import { printResult, reporter } from '../io/shell.ts'

interface Result {
  readonly document: object
  readonly text: string
}

export async function trainCommand(recipeFile: string, options: TrainCommandOptions): Promise<void> {
  const isFirst = groupOf(process.env).rank === 0
  const progress = reporter(isFirst ? options : { ...options, quiet: true })
  try {
    const { document, text } = await followRecipe(recipeFile, options, (line) => progress.show(line))
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
  show: (text: string) => void,
): Promise<Result> {
  const { data, set = [], steps, threads, workers, resume } = options
  const prepared: PrepareOptions = {
    data,
    settings: steps === undefined ? set : [...set, ['steps', String(steps)]],
    device: deviceFor(options.device),
    threads,
    workers,
    onProgress: paced(show),
  }
  if (options.dryRun || options.overfit) {
    const result = await tryRecipe(recipeFile, { options, prepared, show })
    leaveGroup()
    return result
  }
  const out = options.out ?? join('runs', basename(recipeFile, extname(recipeFile)))
  const result = await train(recipeFile, { ...prepared, out, resume, signal: stopSignal(show) })
  return { document: { ...result }, text: result.weights }
}

interface Trial {
  readonly options: TrainCommandOptions
  readonly prepared: PrepareOptions
  readonly show: (text: string) => void
}

/** Tries a recipe without writing anything: one step of every phase, or one batch again and again. */
async function tryRecipe(recipeFile: string, { options, prepared, show }: Trial): Promise<Result> {
  const { run, images, openLoader, close } = await prepareTraining(recipeFile, prepared)
  try {
    if (options.dryRun) {
      const phases = await tryPhases(run, openLoader, show)
      const text = [`${images} images`, ...phases.map((phase) => phase.text)].join('\n')
      return { document: { images, phases }, text }
    }
    const { steps = 200 } = options
    const pace = paced(show)
    const onProgress = (text: string) => pace({ phase: 'train', done: 1, total: steps, text })
    const document = await overfit(run, openLoader, { steps, onProgress })
    const first = document.first.toPrecision(4)
    const last = document.last.toPrecision(4)
    return { document, text: `loss ${first} at first, ${last} after ${steps} steps` }
  } finally {
    close()
  }
}

function deviceFor(chosen: TrainCommandOptions['device']): PrepareOptions['device'] {
  if (chosen === 'webgpu')
    throw new RestoreError(
      'usage',
      '--device: expected auto, cpu or cuda[:N], got webgpu, which cannot train',
    )
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

/** Aborted by the first Ctrl-C or request to end; the second ends at once. */
function stopSignal(show: (text: string) => void): AbortSignal {
  const controller = new AbortController()
  let firstMs = Number.NaN
  const stop = () => {
    // npm and timeout forward a signal that the whole group has received: within a second it is the same one.
    if (performance.now() - firstMs < 1000) return
    if (controller.signal.aborted) process.exit(130)
    firstMs = performance.now()
    controller.abort()
    show('stopping after this step; press Ctrl-C again to stop at once')
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
