// Prefetching loader. Uses threads rather than processes, so decoded images are shared and finished batches
// transferred without a copy. The main thread does not decode: libtorch blocks it for whole steps.

import type { Worker } from 'node:worker_threads'
import { RestoreError } from '../../core/errors.ts'
import type { Pixels } from '../../data/image.ts'
import { startThread } from '../../data/ownPrograms.ts'
import type { Rejected } from '../../data/sources/check.ts'
import { group } from '../../torch/group.ts'
import type { Recipe } from '../recipe/recipe.ts'
import type { RecipeModule } from '../recipe/recipeModule.ts'
import type { OpenImages } from '../samples/images.ts'
import type { HostBatch } from '../samples/samples.ts'
import { type PlannedBatch, type PlannedUse, planUses } from './batchPlan.ts'
import { type DecodedImages, decodedKey, makeBatch } from './makeBatch.ts'
import type { BatchReply, BatchRequest, WorkerSetup } from './worker.ts'

export interface LoaderOptions {
  readonly recipe: Recipe
  readonly images: OpenImages
  readonly fromStep: number
  /** Recipe that the workers import; not needed without workers. */
  readonly module: RecipeModule | undefined
  /** Number of worker threads; 0 makes batches on this thread, on demand. */
  readonly workers: number
  /** Memory limit for decoded images. */
  readonly cacheBytes: number
}

export interface LoadedBatch {
  readonly plan: PlannedUse
  /** Names of the images in it. */
  readonly names: readonly string[]
  readonly batch: HostBatch
  /** Images that turned out to be damaged and were replaced by others. */
  readonly leftOut: readonly Rejected[]
}

interface PendingUse {
  readonly plan: PlannedUse
  readonly reply: Promise<BatchReply>
  /** Whether it is the first use. */
  readonly isNew: boolean
}

interface ReplyHandlers {
  resolve(reply: BatchReply): void
  reject(error: Error): void
}

/** Batches made ahead per worker. */
const prefetch = 3

/** Makes the batches of a training in order, ahead of time on worker threads. */
export class Loader {
  readonly #options: LoaderOptions
  readonly #plans: Generator<PlannedUse, never>
  readonly #workers: readonly Worker[]
  /** Requested uses in order. */
  readonly #pending: PendingUse[] = []
  /** Batches that will be used again, by number. */
  readonly #kept = new Map<number, Promise<BatchReply>>()
  /** Handlers of replies yet to come, by batch number. */
  readonly #handlers = new Map<number, ReplyHandlers>()
  // Never evicts: in a random order, recently used images are no more likely to be needed again.
  readonly #cache = new Map<string, Pixels>()
  #cachedBytes = 0
  /** Indices of damaged images; each worker has its own. */
  readonly #damaged = new Set<number>()
  /** Requests sent so far; selects the next worker. */
  #requests = 0
  /** Total seconds that `next` has waited. */
  waitedSeconds = 0

  constructor(options: LoaderOptions) {
    const { recipe, images, fromStep, workers } = options
    this.#options = options
    this.#plans = planUses(recipe, images.names, fromStep, group())
    this.#workers = Array.from({ length: workers }, () => this.#start())
    for (let i = 0; i < workers * prefetch; i++) this.#requestNew()
  }

  #start(): Worker {
    const { module, images } = this.#options
    if (!module)
      throw new RestoreError('usage', 'workers: expected the module of a recipe to import, got none')
    const workerData: WorkerSetup = { module, specs: images.specs, unusable: images.unusable }
    const worker = startThread('train/loader/worker', { workerData })
    worker.on('message', (reply: BatchReply) => {
      if ('decoded' in reply) this.#addToCache(reply.decoded)
      this.#handlers.get(reply.number)?.resolve(reply)
      this.#handlers.delete(reply.number)
    })
    const fail = (reason: string) => {
      const error = new RestoreError(
        'environment',
        `data worker: exited before it made its batches (${reason})`,
      )
      for (const { reject } of this.#handlers.values()) reject(error)
    }
    worker.on('error', (error) => fail(error.message))
    worker.on('exit', (code) => fail(`exit code ${code}`))
    return worker
  }

  /** Returns the next batch; waits until it is ready. */
  async next(): Promise<LoadedBatch> {
    const started = performance.now()
    if (this.#workers.length === 0) this.#request()
    const { plan, reply, isNew } = this.#pending.shift()!
    // Yields to the event loop, so that worker messages and signals are handled.
    await new Promise((resolve) => setImmediate(resolve))
    const result = await reply
    this.waitedSeconds += (performance.now() - started) / 1000
    if (!('batch' in result)) throw new RestoreError(result.code, result.message)
    if (isNew && this.#workers.length > 0) this.#requestNew()
    const names = plan.batch.items.map((item) => this.#options.images.names[item] ?? '')
    return { plan, names, batch: result.batch, leftOut: isNew ? result.leftOut : [] }
  }

  /** Tells the workers to exit. */
  close(): void {
    for (const worker of this.#workers) worker.postMessage(undefined)
  }

  /** Requests uses up to one of a batch that has to be made. */
  #requestNew(): void {
    while (!this.#request()) {}
  }

  /** Requests the next use; returns whether its batch has to be made. */
  #request(): boolean {
    const plan = this.#plans.next().value
    const { number } = plan.batch
    const kept = this.#kept.get(number)
    const reply = kept ?? this.#startMaking(plan.batch)
    if (plan.isLast) this.#kept.delete(number)
    else this.#kept.set(number, reply)
    this.#pending.push({ plan, reply, isNew: !kept })
    return !kept
  }

  #startMaking(plan: PlannedBatch): Promise<BatchReply> {
    const request: BatchRequest = { plan, cached: this.#cachedFor(plan) }
    const worker = this.#workers[this.#requests++ % Math.max(this.#workers.length, 1)]
    const reply = worker
      ? new Promise<BatchReply>((resolve, reject) => {
          this.#handlers.set(plan.number, { resolve, reject })
          worker.postMessage(request)
        })
      : this.#make(request)
    // next() reports the error.
    reply.catch(() => {})
    return reply
  }

  #cachedFor({ items }: PlannedBatch): DecodedImages {
    const keys = Object.keys(this.#options.images.sources).flatMap((view) =>
      items.map((item) => decodedKey(view, item)),
    )
    return new Map(
      keys.flatMap((key) => {
        const pixels = this.#cache.get(key)
        return pixels ? [[key, pixels]] : []
      }),
    )
  }

  async #make({ plan, cached }: BatchRequest): Promise<BatchReply> {
    const { recipe, images } = this.#options
    const made = await makeBatch(recipe, plan, { ...images, cached, damaged: this.#damaged })
    this.#addToCache(made.decoded)
    return { number: plan.number, ...made }
  }

  #addToCache(decoded: DecodedImages): void {
    for (const [key, pixels] of decoded) {
      const { byteLength } = pixels.data
      if (this.#cache.has(key) || this.#cachedBytes + byteLength > this.#options.cacheBytes) continue
      this.#cache.set(key, pixels)
      this.#cachedBytes += byteLength
    }
  }
}
