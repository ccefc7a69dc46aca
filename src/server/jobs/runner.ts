// Takes jobs from the queue, restores their pictures and publishes the results. Networks compute in processes of their
// own, so that leases are renewed in time.

import { createHash } from 'node:crypto'
import { messageOf, RestoreError } from '../../core/errors.ts'
import type { ProgressEvent } from '../../runtime/jobs/progress.ts'
import type { PictureRestorer } from '../../runtime/pictureRestorer.ts'
import { pictureOptions, writeOptions } from '../protocol/settings.ts'
import type { Store, StoredReport } from '../store/store.ts'
import type { Attempt, JobError, JobQueue } from './job.ts'
import type { Metrics } from './metrics.ts'
import { OpenRestorers } from './openRestorers.ts'

/** What is counted of jobs. */
export type JobMetrics = Pick<Metrics, 'wait' | 'finish' | 'retry'>

export interface RunnerOptions {
  readonly queue: JobQueue
  readonly store: Store
  readonly metrics: JobMetrics
  /** Jobs at once. */
  readonly slots: number
  /** Networks that each slot keeps open. */
  readonly capacity: number
  /** Longest time for a job. */
  readonly timeoutMs: number
  /** Largest picture to decode, in pixels. */
  readonly pixelLimit: number
  /** Models that are run. @default all */
  readonly models?: readonly string[] | undefined
  /** Where networks compute. @default the best device */
  readonly device?: string | undefined
  /** What they compute in. @default 'float32' */
  readonly dtype?: 'auto' | 'float32' | undefined
  readonly onError: (error: unknown) => void
}

/** Time between renewals of a lease, which is also how often progress is stored. */
const renewMs = 500

/** Time after which the queue is looked at again for jobs that other processes have put there. */
const pollMs = 1000

/** Errors that another attempt may not meet. */
const transientCodes = new Set<JobError['code']>(['crash', 'memory', 'output', 'environment'])

/** Why an attempt is ended early. */
type Interruption = 'lost' | 'stopping' | 'late'

/** Runs jobs until it is stopped. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #stopping = new AbortController()
  /** Aborts the attempts that are under way. */
  readonly #interrupting = new AbortController()
  readonly #slots: readonly Promise<void>[]

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.slots }, () => this.#work())
  }

  /** Takes no more jobs, waits for those under way, and puts back those that take longer. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping.abort()
    const timer = setTimeout(() => this.#interrupting.abort(), drainMs)
    await Promise.all(this.#slots)
    clearTimeout(timer)
  }

  async #work(): Promise<void> {
    const { queue, slots, capacity, models, device, dtype, onError } = this.#options
    const { signal } = this.#stopping
    const restorers = new OpenRestorers({ capacity, slots, device, dtype })
    while (!signal.aborted) {
      try {
        const attempt = await queue.claim(models)
        if (attempt) await this.#run(attempt, restorers)
        else await queue.available(pollMs, signal)
      } catch (error) {
        // The queue or the store cannot be reached; the lease of an attempt runs out.
        onError(error)
        await queue.available(pollMs, signal).catch(() => {})
      }
    }
    await restorers.close()
  }

  async #run(attempt: Attempt, restorers: OpenRestorers): Promise<void> {
    const { queue, metrics, timeoutMs } = this.#options
    const { job } = attempt
    const ending = new AbortController()
    let why: Interruption | undefined
    const end = (reason: Interruption) => {
      why ??= reason
      ending.abort()
    }
    const stop = () => end('stopping')
    this.#interrupting.signal.addEventListener('abort', stop)
    const late = setTimeout(() => end('late'), timeoutMs)
    const progress = { done: 0, total: 0 }
    const renewal = setInterval(() => {
      queue.renew(attempt, progress).then(
        (isHeld) => isHeld || end('lost'),
        () => {
          // Tried again shortly; the lease decides.
        },
      )
    }, renewMs)
    const started = performance.now()
    metrics.wait(job.model, Date.now() - job.createdMs)
    try {
      const onProgress = ({ phase, done, total }: ProgressEvent) => {
        if (phase === 'restore') Object.assign(progress, { done, total })
      }
      const pixels = await this.#restore(attempt, restorers, { signal: ending.signal, onProgress })
      if (pixels !== undefined)
        metrics.finish('succeeded', job.model, { ms: performance.now() - started, pixels })
    } catch (error) {
      await this.#fail(attempt, error, why)
    } finally {
      clearInterval(renewal)
      clearTimeout(late)
      this.#interrupting.signal.removeEventListener('abort', stop)
    }
  }

  /** @returns the pixels restored; undefined if the job was taken over meanwhile */
  async #restore(
    attempt: Attempt,
    restorers: OpenRestorers,
    { signal, onProgress }: { signal: AbortSignal; onProgress: (event: ProgressEvent) => void },
  ): Promise<number | undefined> {
    const { queue, store, pixelLimit } = this.#options
    const { owner, id, settings, input, address } = attempt.job
    let report = (await store.find(address))?.report
    if (!report) {
      const maker = { address, job: `${owner}/${id}`, fence: attempt.fence }
      await store.begin(maker)
      const restorer = await restorers.open(settings, signal)
      const [picture, made] = await restorePicture(restorer, await store.input(input), {
        settings,
        ...{ pixelLimit, signal, onProgress },
      })
      // A late attempt leaves the result to the one that took over, which the store enforces.
      if (!(await queue.renew(attempt, { done: 1, total: 1 }))) return undefined
      if (!(await store.publish(maker, picture, made))) return undefined
      report = made
    }
    const { width, height } = report.info
    return (await queue.succeed(attempt)) ? width * height : undefined
  }

  async #fail(attempt: Attempt, error: unknown, why: Interruption | undefined): Promise<void> {
    const { queue, metrics, timeoutMs, onError } = this.#options
    if (why === 'lost') return
    if (why === 'stopping') return queue.release(attempt)
    const known = errorOf(error)
    const late: JobError = {
      code: 'aborted',
      message: `restore: expected a picture that is restored within ${timeoutMs / 1000} s, got one that takes longer; send a smaller one`,
    }
    const failure = why === 'late' ? late : known
    if (!(error instanceof RestoreError)) onError(error)
    if (why === undefined && transientCodes.has(failure.code)) {
      metrics.retry(attempt.job.model)
      await queue.retry(attempt, failure)
      return
    }
    if (await queue.fail(attempt, failure)) metrics.finish('failed', attempt.job.model)
  }
}

function errorOf(error: unknown): JobError {
  if (error instanceof RestoreError) return { code: error.code, message: error.message }
  return { code: 'crash', message: `restore: failed (${messageOf(error)})` }
}

interface PictureRequest {
  readonly settings: Attempt['job']['settings']
  readonly pixelLimit: number
  readonly signal: AbortSignal
  readonly onProgress: (event: ProgressEvent) => void
}

async function restorePicture(
  restorer: PictureRestorer,
  input: string | Uint8Array,
  { settings, pixelLimit, signal, onProgress }: PictureRequest,
): Promise<[picture: Uint8Array, report: StoredReport]> {
  const options = { ...pictureOptions(settings), name: 'picture', pixelLimit, signal, onProgress }
  const result = await restorer.run(input, options)
  const picture = await result.toBuffer(writeOptions(settings))
  const sha256 = createHash('sha256').update(picture).digest('hex')
  return [picture, { format: settings.format, bytes: picture.length, sha256, info: result.info }]
}
