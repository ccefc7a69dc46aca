// Batches made ahead of time. Worker threads rather than processes: decoded pictures are shared between them and finished
// batches handed over, neither copied, and sharp decodes outside of JavaScript anyway.

import { Worker } from 'node:worker_threads'
import { RestoreError } from '../../core/errors.ts'
import type { Recipe } from '../recipe.ts'
import type { RecipeModule } from '../recipeModule.ts'
import type { Bitmap, ImageItem } from './images.ts'
import { makeBatch } from './makeBatch.ts'
import { type PlannedBatch, planBatches } from './plan.ts'
import type { HostBatch } from './samples.ts'
import type { Answer, Job } from './worker.ts'

export interface LoaderOptions {
  readonly recipe: Recipe
  readonly items: readonly ImageItem[]
  readonly fromStep: number
  /** Where workers import the recipe from; without it batches are made on this thread, when they are asked for. */
  readonly module?: RecipeModule | undefined
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

/** A thread does not inherit what makes Node run the sources. */
function startFromSource(file: URL): string {
  return `import('tsx/esm/api').then(({ register }) => (register(), import('${file.href}')))`
}

/** Batches asked for ahead of time, for each worker. */
const ahead = 3

export class Loader {
  readonly #options: LoaderOptions
  readonly #plans: Generator<PlannedBatch, never>
  readonly #workers: readonly Worker[]
  readonly #pending: Pending[] = []
  readonly #resolvers = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>()
  // Kept until the memory is full, then left alone: in a random order of all images the newest are no likelier to come again.
  readonly #decoded = new Map<string, Bitmap>()
  #decodedBytes = 0
  #turn = 0
  /** Seconds that `next` has waited. */
  waitedSeconds = 0

  constructor(options: LoaderOptions) {
    this.#options = options
    this.#plans = planBatches(options.recipe, options.items, options.fromStep)
    const { module } = options
    const count = module ? options.workers : 0
    this.#workers = Array.from({ length: count }, () => this.#start(module as RecipeModule))
    for (let i = 0; i < count * ahead; i++) this.#ask()
  }

  #start(module: RecipeModule): Worker {
    const isSource = import.meta.url.endsWith('.ts')
    const file = new URL(isSource ? './worker.ts' : './worker.js', import.meta.url)
    const worker = isSource
      ? new Worker(startFromSource(file), { eval: true, workerData: module })
      : new Worker(file, { workerData: module })
    worker.on('message', (answer: Answer) => {
      if ('decoded' in answer) this.#remember(answer.decoded)
      this.#resolvers.get(answer.number)?.resolve(answer)
      this.#resolvers.delete(answer.number)
    })
    worker.on('error', (error) => {
      for (const { reject } of this.#resolvers.values()) reject(error)
    })
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
    return { plan, names: this.#images(plan).map(({ name }) => name), batch: made.batch }
  }

  /** Lets the workers end. */
  close(): void {
    for (const worker of this.#workers) worker.postMessage(undefined)
  }

  #images({ items }: PlannedBatch): readonly ImageItem[] {
    return items.map((item) => this.#options.items[item] as ImageItem)
  }

  #ask(): void {
    const plan = this.#plans.next().value
    const images = this.#images(plan)
    const files = images.flatMap((image) => Object.values(image.files))
    const known = new Map(
      files.flatMap((file) => {
        const bitmap = this.#decoded.get(file)
        return bitmap ? [[file, bitmap]] : []
      }),
    )
    const job: Job = { ...plan, images, known }
    const worker = this.#workers[this.#turn++ % Math.max(this.#workers.length, 1)]
    const answer = worker
      ? new Promise<Answer>((resolve, reject) => {
          this.#resolvers.set(plan.number, { resolve, reject })
          worker.postMessage(job)
        })
      : this.#make(job)
    // An error is told where the batch is asked for.
    answer.catch(() => {})
    this.#pending.push({ plan, answer })
  }

  async #make(job: Job): Promise<Answer> {
    const started = performance.now()
    const made = await makeBatch(this.#options.recipe, job, job.known)
    this.#remember(made.decoded)
    return { number: job.number, ...made, seconds: (performance.now() - started) / 1000 }
  }

  #remember(decoded: ReadonlyMap<string, Bitmap>): void {
    for (const [file, bitmap] of decoded) {
      const { byteLength } = bitmap.samples
      if (this.#decoded.has(file) || this.#decodedBytes + byteLength > this.#options.cacheBytes) continue
      this.#decoded.set(file, bitmap)
      this.#decodedBytes += byteLength
    }
  }
}
