// Batches made ahead of time. Worker threads rather than processes: decoded pictures are shared between them and finished
// batches handed over, neither copied. The main thread decodes nothing, as it is busy in libtorch for whole steps.

import type { Worker } from 'node:worker_threads'
import { RestoreError } from '../../core/errors.ts'
import type { Pixels } from '../../data/image.ts'
import { startThread } from '../../data/packageFiles.ts'
import { group } from '../../torch/group.ts'
import type { Recipe } from '../recipe/recipe.ts'
import type { RecipeModule } from '../recipe/recipeModule.ts'
import type { OpenImages } from '../samples/images.ts'
import type { HostBatch } from '../samples/samples.ts'
import { type PlannedBatch, planBatches } from './batchPlan.ts'
import { type Decoded, decodedKey, makeBatch } from './makeBatch.ts'
import type { Answer, Job, WorkerSetup } from './worker.ts'

export interface LoaderOptions {
  readonly recipe: Recipe
  readonly images: OpenImages
  readonly fromStep: number
  /** Where workers import the recipe from. */
  readonly module: RecipeModule
  /** 0 makes batches on this thread, when they are asked for. */
  readonly workers: number
  /** Memory for decoded pictures. */
  readonly cacheBytes: number
}

export interface LoadedBatch {
  readonly plan: PlannedBatch
  /** Names of the images in it. */
  readonly names: readonly string[]
  readonly batch: HostBatch
}

interface Pending {
  readonly plan: PlannedBatch
  readonly answer: Promise<Answer>
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

/** Batches asked for ahead of time, for each worker. */
const ahead = 3

export class Loader {
  readonly #options: LoaderOptions
  readonly #plans: Generator<PlannedBatch, never>
  readonly #workers: readonly Worker[]
  readonly #pending: Pending[] = []
  readonly #waiting = new Map<number, Waiting>()
  // Kept until the memory is full, then left alone: in a random order of all images the newest are no likelier to come again.
  readonly #decoded = new Map<string, Pixels>()
  #decodedBytes = 0
  #turn = 0
  /** Seconds that `next` has waited. */
  waitedSeconds = 0

  constructor(options: LoaderOptions) {
    const { recipe, images, fromStep, workers } = options
    this.#options = options
    this.#plans = planBatches(recipe, images.names, fromStep, group())
    this.#workers = Array.from({ length: workers }, () => this.#start())
    for (let i = 0; i < workers * ahead; i++) this.#ask()
  }

  #start(): Worker {
    const { module, images } = this.#options
    const workerData: WorkerSetup = { module, specs: images.specs }
    const worker = startThread('train/loader/worker', { workerData })
    worker.on('message', (answer: Answer) => {
      if ('decoded' in answer) this.#remember(answer.decoded)
      this.#waiting.get(answer.number)?.resolve(answer)
      this.#waiting.delete(answer.number)
    })
    const fail = (reason: string) => {
      const error = new RestoreError(
        'environment',
        `data worker: ended before its batches were made (${reason})`,
      )
      for (const { reject } of this.#waiting.values()) reject(error)
    }
    worker.on('error', (error) => fail(error.message))
    worker.on('exit', (code) => fail(`exit code ${code}`))
    return worker
  }

  /** The next batch; waits where it is not made yet. */
  async next(): Promise<LoadedBatch> {
    const started = performance.now()
    if (this.#workers.length === 0) this.#ask()
    const { plan, answer } = this.#pending.shift() as Pending
    // Messages come between turns of the event loop, and so do signals.
    await new Promise((resolve) => setImmediate(resolve))
    const made = await answer
    this.waitedSeconds += (performance.now() - started) / 1000
    if (!('batch' in made)) throw new RestoreError(made.code, made.message)
    if (this.#workers.length > 0) this.#ask()
    const names = plan.items.map((item) => this.#options.images.names[item] ?? '')
    return { plan, names, batch: made.batch }
  }

  /** Lets the workers end. */
  close(): void {
    for (const worker of this.#workers) worker.postMessage(undefined)
  }

  #ask(): void {
    const plan = this.#plans.next().value
    const job: Job = { plan, known: this.#knownOf(plan) }
    const worker = this.#workers[this.#turn++ % Math.max(this.#workers.length, 1)]
    const answer = worker
      ? new Promise<Answer>((resolve, reject) => {
          this.#waiting.set(plan.number, { resolve, reject })
          worker.postMessage(job)
        })
      : this.#make(job)
    // An error is told where the batch is asked for.
    answer.catch(() => {})
    this.#pending.push({ plan, answer })
  }

  #knownOf({ items }: PlannedBatch): Decoded {
    const keys = Object.keys(this.#options.images.sources).flatMap((view) =>
      items.map((item) => decodedKey(view, item)),
    )
    return new Map(
      keys.flatMap((key) => {
        const pixels = this.#decoded.get(key)
        return pixels ? [[key, pixels]] : []
      }),
    )
  }

  async #make({ plan, known }: Job): Promise<Answer> {
    const { recipe, images } = this.#options
    const made = await makeBatch(recipe, plan, { sources: images.sources, known })
    this.#remember(made.decoded)
    return { number: plan.number, ...made }
  }

  #remember(decoded: Decoded): void {
    for (const [key, pixels] of decoded) {
      const { byteLength } = pixels.data
      if (this.#decoded.has(key) || this.#decodedBytes + byteLength > this.#options.cacheBytes) continue
      this.#decoded.set(key, pixels)
      this.#decodedBytes += byteLength
    }
  }
}
