// Hands the pictures of a folder to the workers of a queue, and fetches the results. A run is the owner of its jobs: each
// is forgotten once its result is fetched or nobody waits for it any more, and a run that starts again after a kill finds
// those that workers have gone on with.

import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, RestoreError } from '../core/errors.ts'
import { explainUnreadable } from '../data/unreadable.ts'
import { aborted, checkAborted } from '../runtime/jobs/serialQueue.ts'
import { isFinal, type Job, type JobQueue, type NewJob } from './jobs/job.ts'
import { hashOf, resultAddress } from './jobs/resultAddress.ts'
import { type Selection, selectModels } from './jobs/selection.ts'
import type { Format, JobSettings, Settings } from './protocol/settings.ts'
import type { Store, StoredReport } from './store/store.ts'

export interface FolderRunOptions {
  readonly queue: JobQueue
  readonly store: Store
  /** Folder of the results, which one run at a time writes. */
  readonly folder: string
  /** What is done to every picture. */
  readonly settings: Settings
  /** Time without a job that moves, after which that is told. @default 30 s */
  readonly patienceMs?: number
  /** Receives what keeps pictures waiting. */
  readonly onNotice: (notice: string) => void
}

/** A picture of the folder. */
export interface FolderPicture {
  /** Its path, or the bytes of its file. */
  readonly source: string | Uint8Array
  /** Name of the picture in errors. */
  readonly name: string
  /** File of the result; two pictures never have the same. */
  readonly output: string
  readonly format: Format
  readonly page: number | undefined
  readonly signal: AbortSignal
  /** Receives parts that are done, of `total`. */
  readonly onProgress: (done: number, total: number) => void
}

export interface FolderResult {
  readonly bytes: Uint8Array
  readonly report: StoredReport
  /** Whether the result is the input, byte for byte. */
  readonly isOriginal: boolean
}

/** Longest time between looks at a job. */
const lookMs = 500

/** Time after which a queue that was away is tried again. */
const awayMs = 1000

/** Time between sweeps of the store. */
const sweepMs = 60_000

const noLimits = { total: Number.POSITIVE_INFINITY, owner: Number.POSITIVE_INFINITY }

/** Restores pictures by the workers of a queue until it is closed. */
export class FolderRun {
  readonly #options: FolderRunOptions
  readonly #selection: Selection
  readonly #owner: string
  readonly #sweeping: NodeJS.Timeout
  /** When a job of this run was last seen to move. */
  #movedMs = Date.now()
  #isNoticed = false
  #isAway = false

  /** @throws RestoreError 'usage', ProblemError 'contradiction' for settings */
  constructor(options: FolderRunOptions) {
    this.#options = options
    this.#selection = selectModels(options.settings)
    // No name of a key has a space.
    this.#owner = `limpid restore ${hashOf(options.folder)}`
    // There may be no front that does it.
    this.#sweeping = setInterval(() => this.#sweep().catch(() => {}), sweepMs)
  }

  /** @throws RestoreError as a restorer does, 'environment' where the store cannot be reached */
  async restore(picture: FolderPicture): Promise<FolderResult> {
    const { store, settings: asked } = this.#options
    const { output, format, page, signal } = picture
    const { sha256: input } = await this.#upload(picture)
    checkAborted(signal)
    const { model, weights } = this.#selection
    const settings: JobSettings = { ...asked, format, ...(page === undefined ? {} : { page }) }
    const address = resultAddress({ scope: hashOf(this.#owner, output), input, settings, weights })
    const job: NewJob = {
      ...{ owner: this.#owner, settings, model, input, address, priority: 0 },
      ...{ id: address, requestHash: address, requestKey: undefined, webhook: undefined },
    }
    try {
      const ended = await this.#ended(await this.#submit(job, signal), picture)
      const found = ended.state === 'succeeded' ? await store.find(address) : undefined
      if (!found) throw failureOf(ended, picture.name)
      return {
        bytes: await buffer(found.open()),
        report: found.report,
        isOriginal: found.report.sha256 === input,
      }
    } finally {
      // Where the queue is away, whoever sweeps it forgets the job.
      await this.#forget(job).catch(() => {})
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping)
    await this.#options.queue.close()
  }

  async #upload({ source, name }: FolderPicture): Promise<{ readonly sha256: string }> {
    const stream: Readable = typeof source === 'string' ? createReadStream(source) : Readable.from([source])
    let unreadable: unknown
    stream.on('error', (error) => {
      unreadable = error
    })
    try {
      return await this.#options.store.putInput(stream, Number.POSITIVE_INFINITY)
    } catch (error) {
      if (unreadable !== undefined) throw explainUnreadable(name, unreadable)
      throw error instanceof RestoreError ? error : unreachableStore(error)
    }
  }

  /** Adds the job, or finds what an earlier run has left of it. */
  async #submit(job: NewJob, signal: AbortSignal): Promise<Job> {
    const { queue, store } = this.#options
    return this.#persist(signal, async () => {
      const earlier = await queue.find(job.owner, job.id)
      const isUseful = earlier?.state === 'succeeded' ? await store.find(job.address) : !isEnded(earlier)
      if (earlier && !isUseful) await queue.remove(job.owner, job.id)
      const added = await queue.add(job, noLimits)
      if (added.kind === 'added') return added.job
      throw new RestoreError(
        'environment',
        `queue: a worker has not let go yet of ${job.id}, which an earlier run canceled`,
      )
    })
  }

  /** Waits until a job ends. @throws RestoreError 'aborted' */
  async #ended(first: Job, { signal, onProgress }: FolderPicture): Promise<Job> {
    const { queue } = this.#options
    let job: Job | undefined = first
    let version = 0
    while (job && !isFinal(job.state)) {
      if (job.version !== version) {
        version = job.version
        if (job.state === 'running') this.#moved()
        if (job.total > 0) onProgress(job.done, job.total)
      }
      await this.#noticeSilence()
      const last: Job = job
      await queue.changed(last, lookMs, signal)
      checkAborted(signal)
      job = await this.#persist(signal, () => queue.find(last.owner, last.id))
    }
    this.#moved()
    if (job) return job
    throw new RestoreError('environment', `queue: expected a picture that was handed in, got none; try again`)
  }

  #moved(): void {
    this.#movedMs = Date.now()
    this.#isNoticed = false
  }

  /** Tells once that no picture moves. */
  async #noticeSilence(): Promise<void> {
    const { queue, patienceMs = 30_000, onNotice } = this.#options
    if (this.#isNoticed || Date.now() - this.#movedMs < patienceMs) return
    this.#isNoticed = true
    const counts = await queue.counts().catch(() => undefined)
    if (!counts) return
    const { queued, running } = counts.byState
    onNotice(
      `waiting: no worker has taken a picture for ${Math.round((Date.now() - this.#movedMs) / 1000)} s, ${queued} are queued and ${running} computed; start one with limpid worker and the same --queue and --store`,
    )
  }

  /** Does something again until the queue can be reached. */
  async #persist<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const result = await action()
        this.#isAway = false
        return result
      } catch (error) {
        if (!(error instanceof RestoreError) || error.code !== 'environment') throw error
        if (!this.#isAway) this.#options.onNotice(`waiting: ${error.message}`)
        this.#isAway = true
      }
      await sleep(awayMs, undefined, { signal }).catch(() => {
        throw aborted()
      })
    }
  }

  async #forget({ owner, id, address }: NewJob): Promise<void> {
    const { queue, store } = this.#options
    await queue.cancel(owner, id)
    await queue.remove(owner, id)
    await store.delete(address)
  }

  /** Deletes from the store what no job refers to. */
  async #sweep(): Promise<void> {
    const { queue, store } = this.#options
    await store.sweep({ ...(await queue.references()), quotaBytes: Number.POSITIVE_INFINITY })
  }
}

function isEnded(job: Job | undefined): boolean {
  return job !== undefined && isFinal(job.state)
}

/** Why a picture has no result. */
function failureOf({ state, error }: Job, name: string): RestoreError {
  if (error) return new RestoreError(error.code, error.message.replace(/^picture\b/, name))
  const got = state === 'canceled' ? 'one that somebody canceled' : 'none in the store'
  return new RestoreError('environment', `${name}: expected a result of a worker, got ${got}; try again`)
}

function unreachableStore(reason: unknown): RestoreError {
  return new RestoreError(
    'environment',
    `store: expected to take a picture, got ${messageOf(reason)}; check --store`,
    { cause: reason },
  )
}
