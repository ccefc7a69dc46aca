// Runs jobs in a thread: decoding, planes and encoding take seconds for large pictures, and the server has to answer.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { startBundledThread } from '../data/ownPrograms.ts'
import type { BackendOptions } from './backends.ts'
import type { JobMetrics, RunnerOptions } from './jobs/runner.ts'

/** What the thread is started with. */
export interface RunnerThreadOptions
  extends Pick<RunnerOptions, 'slots' | 'capacity' | 'device' | 'dtype' | 'timeoutMs' | 'pixelLimit'> {
  /** The queue and the store, which the thread opens for itself. */
  readonly backends: BackendOptions
}

/** What the thread tells: what is to be counted, or why a job failed unexpectedly. */
export type RunnerMessage =
  /** The queue and the store are open. */
  | { readonly isReady: true }
  | { readonly wait: Parameters<JobMetrics['wait']> }
  | { readonly finish: Parameters<JobMetrics['finish']> }
  | { readonly retry: Parameters<JobMetrics['retry']> }
  | { readonly error: string }

/** What the thread is told: to take no more jobs, and how long those under way may take. */
export interface RunnerStop {
  readonly drainMs: number
}

/** Time after which a thread that failed is started again. */
const restartMs = 1000

/** Time that a thread may take to close what it has open. */
const closingMs = 8000

/** Runs jobs until it is stopped; where the thread fails, another takes over when the leases have ended. */
export class RunnerThread {
  readonly #options: RunnerThreadOptions
  readonly #metrics: JobMetrics
  readonly #onError: (error: unknown) => void
  readonly #stopping = new AbortController()
  #thread: Worker
  readonly #ended: Promise<void>
  /** Resolves when jobs are taken. */
  readonly ready: Promise<void>

  constructor(
    options: RunnerThreadOptions,
    { metrics, onError }: { readonly metrics: JobMetrics; readonly onError: (error: unknown) => void },
  ) {
    this.#options = options
    this.#metrics = metrics
    this.#onError = onError
    this.#thread = this.#start()
    this.ready = ready(this.#thread)
    this.#ended = this.#run()
  }

  /** Takes no more jobs, waits for those under way, and puts back those that take longer. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping.abort()
    const request: RunnerStop = { drainMs }
    this.#thread.postMessage(request)
    const closed = new AbortController()
    const limit = sleep(drainMs + closingMs, undefined, { signal: closed.signal }).catch(() => {})
    await Promise.race([this.#ended, limit])
    closed.abort()
    await this.#thread.terminate()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      const failure = await endOf(this.#thread)
      if (signal.aborted) return
      this.#onError(failure)
      await sleep(restartMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      this.#thread = this.#start()
    }
  }

  #start(): Worker {
    const thread = startBundledThread('worker/runner', { workerData: this.#options })
    thread.on('message', (message: RunnerMessage) => {
      if ('wait' in message) this.#metrics.wait(...message.wait)
      else if ('finish' in message) this.#metrics.finish(...message.finish)
      else if ('retry' in message) this.#metrics.retry(...message.retry)
      else if ('error' in message) this.#onError(message.error)
    })
    return thread
  }
}

/** Why a thread has ended that nobody stopped. */
async function endOf(thread: Worker): Promise<unknown> {
  try {
    const [code] = await once(thread, 'exit')
    return new Error(`runner: expected a thread that runs until it is stopped, got its end with code ${code}`)
  } catch (error) {
    return error
  }
}

async function ready(thread: Worker): Promise<void> {
  const message = once(thread, 'message')
  const end = endOf(thread).then((error) => Promise.reject(error))
  await Promise.race([message, end])
}
