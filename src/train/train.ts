// Trains a recipe: its file or value in, a folder with weights out. `limpid train` is a shell around this.

import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import { packageVersion } from '../data/packageFiles.ts'
import { describeRejected, type Rejected } from '../data/sources/check.ts'
import { availableCores } from '../files/cores.ts'
import type { Device } from '../torch/backend.ts'
import { cudaDevices, setThreads } from '../torch/device.ts'
import { group, groupOf, joinGroup, leaveGroup } from '../torch/group.ts'
import { AdaptiveThreads } from './adaptiveThreads.ts'
import { takeFolder } from './folderLock.ts'
import { Loader } from './loader/loader.ts'
import { runLoop } from './loop.ts'
import { checkRecipe, openTrainingImages } from './preflight.ts'
import { type Recipe, rateAt } from './recipe/recipe.ts'
import { compileRecipe } from './recipe/recipeFile.ts'
import { importRecipe, type RecipeModule, withSettings } from './recipe/recipeModule.ts'
import { type Best, files } from './state.ts'
import { identify } from './trainingIdentity.ts'
import type { OnTrainingProgress } from './trainingProgress.ts'
import { createRun, type TrainingRun } from './trainingRun.ts'

/** Options of a training that do not depend on its folder. */
export interface PrepareOptions {
  /** Folder of images, instead of that of `data.images` in the recipe. */
  readonly data?: string | undefined
  /**
   * Fields of the recipe to change, as `--set` takes them: dotted name and value as text, such as
   * `[['data.phases.0.batch', '8']]`.
   */
  readonly settings?: RecipeModule['settings'] | undefined
  /** `cuda` and `auto` take one CUDA device for each process on this machine. @default 'auto' */
  readonly device?: 'auto' | 'cuda' | Device | undefined
  /**
   * Threads of libtorch. Results of different numbers differ by rounding.
   *
   * @default all cores, shared among the processes on this machine; one process on the CPU leaves those that other programs use
   */
  readonly threads?: number | undefined
  /**
   * Threads that make batches. The weights do not depend on their number.
   *
   * @default one for two cores, at most 8; 0 for a recipe given as a value, which threads cannot import
   */
  readonly workers?: number | undefined
  /** Aborting it saves the state after the step under way and rejects with code `aborted`. */
  readonly signal?: AbortSignal | undefined
  /**
   * Leaves out images that are damaged, too small or unlike their partners, instead of rejecting them. Batches
   * depend on the files alone, so a resumed training stays exact.
   *
   * @default false
   */
  readonly skipUnusable?: boolean | undefined
  readonly onProgress?: OnTrainingProgress | undefined
  /** Called with what people should know, such as an image that was left out. The log holds it too. */
  readonly onNote?: ((note: string) => void) | undefined
}

/** Options of {@link train}. */
export interface TrainOptions extends PrepareOptions {
  /** Folder for weights, state, log and report; created if missing. */
  readonly out: string
  /** Goes on from the state in `out`, or starts if there is none. @default false */
  readonly resume?: boolean | undefined
  /**
   * Goes on although recipe or data are not those of the state in `out`, such as with a lower learning rate. The
   * log records the changes.
   *
   * @default false
   */
  readonly acceptChanges?: boolean | undefined
}

/** Result of {@link train}. */
export interface TrainResult {
  /** Absolute path of the folder. */
  readonly folder: string
  /** File of the newest weights. */
  readonly weights: string
  /** Steps done, those before a resume included. */
  readonly steps: number
  /** Best validation, whose weights are in `best.safetensors`; undefined if the recipe has no validation. */
  readonly best: Best | undefined
  /** Images that were left out, with the reasons. */
  readonly leftOut: readonly Rejected[]
}

/**
 * Trains a recipe to its last step and leaves weights, state, log and report in a folder, as `limpid train` does.
 * Processes launched with torchrun's variables train one network together.
 *
 * @param source - the path of a recipe file, which is type-checked and compiled, or a recipe as a value
 * @throws RestoreError `usage` for a recipe that does not fit together, `input` for images that cannot be used,
 * `output` for a folder that cannot be written to or holds a training already, `environment` without libtorch,
 * `numeric` for a loss that is not finite, `aborted` if the signal stopped it
 *
 * @example
 * ```ts
 * import { train } from 'limpid/train'
 *
 * const { weights, best } = await train('recipes/your-own.ts', {
 *   data: 'photos',
 *   out: 'runs/mine',
 *   onProgress: ({ text }) => console.error(text),
 * })
 * console.log(weights, best?.value)
 * ```
 */
export async function train(source: string | Recipe, options: TrainOptions): Promise<TrainResult> {
  const { resume = false, acceptChanges = false, signal, onProgress, onNote } = options
  if (acceptChanges && !resume)
    throw new RestoreError('usage', 'acceptChanges: expected resume beside it, got a new training')
  const folder = resolve(options.out)
  checkFolder(folder, resume)
  const training = await prepareTraining(source, options)
  const { run, identity, openLoader } = training
  try {
    const release = group().rank === 0 ? takeFolder(folder) : () => {}
    try {
      const isResumed = resume && existsSync(join(folder, files.state))
      const { step, best, leftOut } = await runLoop(run, {
        ...{ folder, identity, isResumed, openLoader, notes: training.notes },
        adaptThreads: training.adaptThreads,
        ...{ acceptsChanges: acceptChanges, onProgress, onNote, signal },
      })
      leaveGroup({ waitsForOthers: true })
      const weights = join(folder, files.weights)
      return { folder, weights, steps: step, best, leftOut: [...training.leftOut, ...leftOut] }
    } finally {
      release()
    }
  } finally {
    training.close()
  }
}

/** A recipe whose images are open and whose network is on its device. */
export interface PreparedTraining {
  readonly run: TrainingRun
  readonly identity: ReturnType<typeof identify>
  /** Number of images to train on. */
  readonly images: number
  /** Images that were left out, of the validation too. */
  readonly leftOut: readonly Rejected[]
  /** What people should know about the training before it starts. */
  readonly notes: readonly string[]
  readonly openLoader: (fromStep: number) => Loader
  /** Adapts libtorch's threads to what other programs leave, before a step; returns what people should know about it. */
  readonly adaptThreads: () => string | undefined
  /** Removes what the recipe was compiled to, and leaves the other processes. */
  close(): void
}

/** Does everything that comes before the first step; joins the other processes. */
export async function prepareTraining(
  source: string | Recipe,
  options: PrepareOptions,
): Promise<PreparedTraining> {
  const { signal } = options
  const onProgress: OnTrainingProgress = (progress) => {
    if (signal?.aborted) throw new RestoreError('aborted', 'training: interrupted before its first step')
    options.onProgress?.(progress)
  }
  const announce = (text: string) => onProgress({ phase: 'open', done: 0, total: 1, text })
  const joining = groupOf(process.env)
  if (joining.size > 1) announce(`waiting for ${joining.size} processes`)
  joinGroup(joining, process.env)
  let opened: OpenRecipe | undefined
  const close = () => {
    opened?.close()
    leaveGroup({ waitsForOthers: false })
  }
  try {
    const device = chooseDevice(options.device)
    const cores = Math.max(1, Math.floor(availableCores() / group().localSize))
    const adaptThreads = startThreads(options.threads, cores, device)
    announce(`checking ${typeof source === 'string' ? source : source.name}`)
    opened = await openRecipe(source, settingsOf(options))
    const { recipe, code, module, notes } = opened
    checkRecipe(recipe)
    const unusable = options.skipUnusable ? 'skip' : 'refuse'
    const { images, validation } = await openTrainingImages(recipe, onProgress, unusable)
    const leftOut = [...images.leftOut, ...(validation?.leftOut ?? [])]
    const workers = workersOf(options, cores, module !== undefined)
    const cacheBytes = process.availableMemory() / (3 * group().localSize)
    return {
      run: createRun(recipe, device, validation),
      identity: identify(recipe, images, { code, version: packageVersion() }),
      images: images.names.length,
      leftOut,
      notes: [...notes, ...leftOut.map((image) => `left out ${describeRejected(image)}`)],
      openLoader: (fromStep) => new Loader({ recipe, images, fromStep, module, workers, cacheBytes }),
      adaptThreads,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

interface OpenRecipe {
  readonly recipe: Recipe
  /** Hash of its code. */
  readonly code: string
  /** Where data workers import it from; only of a file. */
  readonly module: RecipeModule | undefined
  /** What people should know about its settings. */
  readonly notes: readonly string[]
  close(): void
}

async function openRecipe(source: string | Recipe, settings: RecipeModule['settings']): Promise<OpenRecipe> {
  if (typeof source !== 'string') {
    const recipe = withSettings(source, settings)
    const notes = noteUnfinished(recipe, source.steps)
    return { recipe, code: hashCode(source), module: undefined, notes, close() {} }
  }
  const { url, code, dispose } = compileRecipe(source)
  try {
    const module = { url, settings }
    const recipe = await importRecipe(module)
    const { steps } = await importRecipe({ url, settings: [] })
    return { recipe, code, module, notes: noteUnfinished(recipe, steps), close: dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

/** Notes a learning rate that would still have fallen in the steps that a setting takes away. */
function noteUnfinished(recipe: Recipe, ownSteps: number): readonly string[] {
  const last = rateAt(recipe, recipe.steps - 1)
  const planned = rateAt(recipe, ownSteps - 1)
  if (recipe.steps >= ownSteps || !(planned < 0.99 * last)) return []
  const [ends, falls] = [last, planned].map((rate) => rate.toPrecision(2))
  return [
    `steps: the learning rate ends at ${ends} after ${recipe.steps} steps, its schedule falls to ${falls} in ${ownSteps}; set the number of steps in the recipe to finish it`,
  ]
}

/** Hash of the functions in a recipe given as a value; its plain fields are part of the identity as they are. */
function hashCode(recipe: Recipe): string {
  const hash = createHash('sha256')
  const visit = (value: unknown) => {
    if (typeof value === 'function') hash.update(value.toString())
    if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit)
  }
  visit(recipe)
  return hash.digest('hex').slice(0, 16)
}

function settingsOf({ settings = [], data }: PrepareOptions): RecipeModule['settings'] {
  return data === undefined ? settings : [...settings, ['data.images.root', resolve(data)]]
}

function chooseDevice(device: PrepareOptions['device'] = 'auto'): Device {
  const { localRank } = group()
  if (device === 'cuda') return `cuda:${localRank}`
  if (device === 'auto') return cudaDevices().length > 0 ? `cuda:${localRank}` : 'cpu'
  if (device === 'cpu' || /^cuda:\d+$/.test(device)) return device
  throw new RestoreError('usage', `device: expected auto, cpu or cuda[:N], got ${device}`)
}

/**
 * Sets libtorch's threads; returns what adapts them, unless their number is told, a GPU computes, or several processes
 * share the machine, which would take one another for other programs.
 */
function startThreads(
  threads: number | undefined,
  cores: number,
  device: Device,
): PreparedTraining['adaptThreads'] {
  setThreads(threads ?? cores)
  const isFixed = threads !== undefined || cores === 1 || device !== 'cpu' || group().localSize > 1
  if (isFixed) return () => undefined
  const adaptive = new AdaptiveThreads(cores, setThreads)
  return () => adaptive.adapt()
}

/** Number of data workers beside libtorch's threads. */
function workersOf({ workers }: PrepareOptions, cores: number, isFile: boolean): number {
  if (isFile) return workers ?? Math.max(1, Math.min(8, cores >> 1))
  if (!workers) return 0
  throw new RestoreError(
    'usage',
    `workers: expected 0 for a recipe given as a value, got ${workers}; pass the path of its file instead`,
  )
}

/** Accepts a folder for a new training, or one to resume. */
function checkFolder(folder: string, resume: boolean): void {
  if (!existsSync(folder)) return
  if (!statSync(folder).isDirectory())
    throw new RestoreError('output', `${folder}: expected a folder, got a file; choose another`)
  try {
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw new RestoreError('output', `${folder}: expected a folder that can be written to; choose another`, {
      cause,
    })
  }
  if (resume || !existsSync(join(folder, files.state))) return
  throw new RestoreError('output', `${folder}: holds a training already; resume it, or choose another folder`)
}
