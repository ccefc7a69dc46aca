// limpid train: a recipe file to a trained network.

import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, extname, join, resolve } from 'node:path'
import { loadAddon } from '../../native/load.ts'
import { RestoreError } from '../core/errors.ts'
import { packageVersion } from '../data/packageFiles.ts'
import type { Device } from '../torch/backend.ts'
import { group, groupOf, joinGroup, leaveGroup } from '../torch/group.ts'
import { takeFolder } from '../train/folderLock.ts'
import { Loader } from '../train/loader/loader.ts'
import { train } from '../train/loop.ts'
import { overfit } from '../train/overfit.ts'
import { checkRecipe, openTrainingImages, tryPhases } from '../train/preflight.ts'
import { type CompiledRecipe, compileRecipe } from '../train/recipe/recipeFile.ts'
import { importRecipe } from '../train/recipe/recipeModule.ts'
import { files } from '../train/state.ts'
import { identify } from '../train/trainingIdentity.ts'
import { createRun } from '../train/trainingRun.ts'
import { cudaIndex } from './commands/parsers.ts'
import type { TrainCommandOptions } from './commands/training.ts'
import { checkOutput } from './outputPlan.ts'
import { isFolder, printResult, reporter } from './shell.ts'

interface Result {
  readonly document: object
  readonly text: string
}

export async function trainCommand(recipeFile: string, options: TrainCommandOptions): Promise<void> {
  const folder = resolve(options.out ?? join('runs', basename(recipeFile, extname(recipeFile))))
  const joining = groupOf(process.env)
  const isFirst = joining.rank === 0
  if (!options.dryRun && !options.overfit) checkFolder(folder, options.resume === true)
  const progress = reporter(isFirst ? options : { ...options, quiet: true })
  if (joining.size > 1) progress.show(`waiting for ${joining.size} processes`)
  joinGroup(joining, process.env)
  const device = deviceFor(options.device)
  progress.show(`checking ${recipeFile}`)
  const compiled = compileRecipe(recipeFile)
  try {
    const context = { options, device, folder, show: (text: string) => progress.show(text) }
    const { document, text } = await followRecipe(compiled, context)
    progress.done()
    if (isFirst) printResult(options, document, text)
    leaveGroup()
  } catch (error) {
    progress.done()
    throw error
  } finally {
    compiled.dispose()
  }
}

interface Context {
  readonly options: TrainCommandOptions
  readonly device: Device
  readonly folder: string
  readonly show: (text: string) => void
}

async function followRecipe(
  { url, code }: CompiledRecipe,
  { options, device, folder, show }: Context,
): Promise<Result> {
  const module = { url, settings: settingsOf(options) }
  const recipe = await importRecipe(module)
  checkRecipe(recipe)
  const { images, validation } = await openTrainingImages(recipe, paced(show))
  const onProgress = paced(show)
  const workers = startThreads(options)
  const cacheBytes = process.availableMemory() / (3 * group().localSize)
  const openLoader = (fromStep: number) =>
    new Loader({ recipe, images, fromStep, module, workers, cacheBytes })
  const run = createRun(recipe, device, validation)
  if (options.dryRun) {
    const phases = await tryPhases(run, openLoader, show)
    const count = images.names.length
    const text = [`${count} images`, ...phases.map((phase) => phase.text)].join('\n')
    return { document: { images: count, phases }, text }
  }
  if (options.overfit) {
    const { steps = 200 } = options
    const document = await overfit(run, openLoader, { steps, onProgress })
    const [first, last] = [document.first, document.last].map((loss) => loss.toPrecision(4))
    return { document, text: `loss ${first} at first, ${last} after ${steps} steps` }
  }
  const identity = identify(recipe, images, { code, version: packageVersion() })
  const isResumed = options.resume === true && existsSync(join(folder, files.state))
  const release = group().rank === 0 ? takeFolder(folder) : () => {}
  try {
    const signal = stopSignal(show)
    const { step, best } = await train(run, { folder, identity, isResumed, openLoader, onProgress, signal })
    const weights = join(folder, files.weights)
    return { document: { folder, weights, steps: step, best }, text: weights }
  } finally {
    release()
  }
}

/** The device of this process: with several processes on a machine each takes one of its own. */
function deviceFor(chosen: TrainCommandOptions['device']): Device {
  const { localRank } = group()
  if (chosen === 'webgpu')
    throw new RestoreError(
      'usage',
      '--device: expected auto, cpu or cuda[:N], got webgpu, which cannot train',
    )
  if (chosen === 'cpu') return 'cpu'
  if (chosen !== 'auto') return `cuda:${cudaIndex(chosen) ?? localRank}`
  return loadAddon().cudaDevices().length > 0 ? `cuda:${localRank}` : 'cpu'
}

/** Refuses a folder that holds a training already, unless it is resumed. */
function checkFolder(folder: string, isResumed: boolean): void {
  if (!isFolder(folder)) {
    if (existsSync(folder))
      throw new RestoreError('output', `--out ${folder}: expected a folder, got a file; give another`)
    return
  }
  checkOutput(join(folder, files.weights), true)
  if (isResumed || !existsSync(join(folder, files.state))) return
  throw new RestoreError(
    'output',
    `--out ${folder}: holds a training already; go on with it by --resume, or give another folder`,
  )
}

function settingsOf({ set = [], steps, data }: TrainCommandOptions): readonly (readonly [string, string])[] {
  return [
    ...set,
    ...(steps === undefined ? [] : [['steps', String(steps)] as const]),
    ...(data === undefined ? [] : [['data.images.root', resolve(data)] as const]),
  ]
}

/** Sets libtorch's threads; returns the number of data workers. */
function startThreads({ threads, workers }: TrainCommandOptions): number {
  const cores = Math.max(1, Math.floor(availableParallelism() / group().localSize))
  loadAddon().setThreads(threads ?? cores)
  return workers ?? Math.max(1, Math.min(8, cores >> 1))
}

/** Limits progress lines: five a second on a terminal, one in ten seconds into a file. */
function paced(show: (text: string) => void): (text: string) => void {
  const pauseMs = process.stderr.isTTY ? 200 : 10_000
  let shown = Number.NEGATIVE_INFINITY
  return (text) => {
    if (performance.now() - shown < pauseMs) return
    shown = performance.now()
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
    show('stopping after this step; once more to stop at once')
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
