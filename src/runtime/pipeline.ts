// Several tasks one after another: each step's planes are handed to the next in float, without a file.

import { RestoreError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { Image } from '../data/image.ts'
import { type PartedImage, wholeOf } from '../data/parts.ts'
import type { License } from '../models/modelCard.ts'
import { closed, SerialQueue } from './jobs/serialQueue.ts'
import { tasksOf } from './modelChoice.ts'
import { type PictureRestorer, runInSteps } from './pictureRestorer.ts'
import { checkPlanes } from './pictures/pictureTypes.ts'
import { type DecodedInput, type RestoreInput, readInput } from './readInput.ts'
import { resolveModel } from './resolveModel.ts'
import type { RestoreResult } from './restoreResult.ts'
import { Restorer, type RestorerOptions, type RunPictureOptions, runRules } from './restorer.ts'
import { refuseForSteps, runAll, type SteppedPlanes, strictestLicense } from './steps.ts'
import { type PictureOptions, pictureRules } from './tiledRestoration.ts'

/** Options that tell of one network, so that they cannot be meant for several. */
const ofOneNetwork = ['model', 'weights', 'tensors', 'guide', 'mix', 'damage'] as const

/** Checks options of several tasks. @throws RestoreError 'usage' for those of one network, and for a scale that no task reaches */
export function checkPipeline(options: RestorerOptions): void {
  const tasks = tasksOf(options.task)
  const given = ofOneNetwork.find((name) => options[name] !== undefined)
  if (given !== undefined || Object.keys(options.options ?? {}).length > 0)
    throw new RestoreError(
      'usage',
      `${given ?? 'options'}: expected one task, which one network does, got ${tasks.join(', ')}; run the steps one after another`,
    )
  const { scale } = options
  if (scale !== undefined && !tasks.includes('upscale'))
    throw new RestoreError(
      'usage',
      `scale: expected upscale among the tasks, got ${tasks.join(', ')}; add it`,
    )
}

/**
 * Splits a request for several tasks into one for each; `scale` goes to those that enlarge.
 * @throws RestoreError 'usage' as {@link checkPipeline} does, and for unknown tasks
 */
export function pipelineRequests(options: RestorerOptions): readonly RestorerOptions[] {
  checkPipeline(options)
  const { scale } = options
  const requests = tasksOf(options.task).map((task) => ({
    ...options,
    task,
    scale: task === 'upscale' ? scale : undefined,
  }))
  // Wrong tasks are reported before any network opens.
  for (const request of requests) resolveModel(request)
  return requests
}

/** Runs pictures through several tasks. */
export class Pipeline implements PictureRestorer {
  readonly #restorers: readonly Restorer[]
  readonly #tasks: readonly string[]
  readonly #queue = new SerialQueue()
  #isClosed = false

  private constructor(restorers: readonly Restorer[], tasks: readonly string[]) {
    this.#restorers = restorers
    this.#tasks = tasks
  }

  /** Opens the networks of all tasks. */
  static async open(options: RestorerOptions): Promise<Pipeline> {
    const restorers: Restorer[] = []
    try {
      for (const request of pipelineRequests(options)) restorers.push(await Restorer.open(request))
      return new Pipeline(restorers, tasksOf(options.task))
    } catch (error) {
      await Promise.all(restorers.map((restorer) => restorer.close()))
      throw error
    }
  }

  get device(): string {
    return this.#restorers[0]!.device
  }

  get license(): License {
    return strictestLicense(this.#restorers)
  }

  get scale(): number {
    return this.#restorers.reduce((product, { scale }) => product * scale, 1)
  }

  get notes(): readonly string[] {
    return this.#restorers.flatMap(({ notes }) => notes)
  }

  /** @internal */
  get identity(): object {
    return { steps: this.#restorers.map(({ identity }, i) => ({ task: this.#tasks[i], ...identity })) }
  }

  /** Restores a picture; `strength` is that of every step. */
  async run(input: RestoreInput, options: RunPictureOptions = {}): Promise<RestoreResult> {
    checkOptions('run', options, runRules)
    return this.#run(() => readInput(input, options), options)
  }

  /** @internal */
  runRead(reading: Promise<DecodedInput>, options: RunPictureOptions): Promise<RestoreResult> {
    return this.#run(() => reading, options)
  }

  async #run(read: () => Promise<DecodedInput>, options: RunPictureOptions): Promise<RestoreResult> {
    if (this.#isClosed) throw closed()
    refuseForSteps(options)
    return runInSteps({
      ...{ queue: this.#queue, scale: this.scale, options, read },
      restore: (planes) => this.#runSteps(planes, options),
    })
  }

  /** Restores planes [c h w], neither clamped nor rounded; `strength` is that of every step. */
  async runPlanes(image: Image, options: PictureOptions = {}): Promise<Image> {
    checkOptions('runPlanes', options, pictureRules)
    checkPlanes(image)
    if (this.#isClosed) throw closed()
    refuseForSteps(options)
    return this.#queue.run(async () => wholeOf((await this.#runSteps(image, options)).image), options.signal)
  }

  #runSteps(planes: Image | PartedImage, options: PictureOptions): Promise<SteppedPlanes> {
    return runAll(this.#restorers, planes, { tasks: this.#tasks, options })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#restorers.map((restorer) => restorer.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
