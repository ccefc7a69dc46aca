// Metrics for Prometheus, on a port of their own.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { JobQueue, JobState } from './job.ts'

/** Seconds of waiting and running. */
const seconds = [0.1, 0.3, 1, 3, 10, 30, 100, 300]

export class Metrics {
  readonly #registry = new Registry()
  readonly #jobs = this.#counter('jobs_total', 'Jobs that ended', ['state', 'model'])
  readonly #retries = this.#counter('retries_total', 'Attempts that are tried again', ['model'])
  readonly #rejected = this.#counter('rejected_total', 'Requests that were refused', ['reason'])
  readonly #webhooks = this.#counter('webhooks_total', 'Messages sent to webhooks', ['result'])
  readonly #pixels = this.#counter('pixels_total', 'Pixels of results', ['model'])
  readonly #wait = this.#histogram('wait_seconds', 'Time from request to start')
  readonly #run = this.#histogram('run_seconds', 'Time from start to result')

  constructor(queue: () => Pick<JobQueue, 'counts'>) {
    collectDefaultMetrics({ register: this.#registry, prefix: 'limpid_' })
    const depth = this.#gauge('queue_jobs', 'Unfinished jobs', ['state'])
    const age = this.#gauge('oldest_queued_seconds', 'Age of the oldest queued job', [])
    new Gauge({
      name: 'limpid_up',
      help: 'Whether the queue can be reached',
      registers: [this.#registry],
      async collect() {
        const counts = await queue()
          .counts()
          .catch(() => undefined)
        this.set(counts ? 1 : 0)
        if (!counts) return
        for (const state of ['queued', 'running'] as const) depth.set({ state }, counts.byState[state])
        age.set(counts.oldestQueuedMs === undefined ? 0 : (Date.now() - counts.oldestQueuedMs) / 1000)
      },
    })
  }

  wait(model: string, ms: number): void {
    this.#wait.observe({ model }, ms / 1000)
  }

  finish(state: JobState, model: string, restored?: { readonly ms: number; readonly pixels: number }): void {
    this.#jobs.inc({ state, model })
    if (!restored) return
    this.#run.observe({ model }, restored.ms / 1000)
    this.#pixels.inc({ model }, restored.pixels)
  }

  retry(model: string): void {
    this.#retries.inc({ model })
  }

  /** Counts a refused request by the code of its problem. */
  reject(reason: string): void {
    this.#rejected.inc({ reason })
  }

  /** Counts an attempt at telling a webhook. */
  webhook(result: 'delivered' | 'failed'): void {
    this.#webhooks.inc({ result })
  }

  /** The metrics in the text format of Prometheus. */
  async text(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() }
  }

  #counter<const L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name: `limpid_${name}`, help, labelNames, registers: [this.#registry] })
  }

  #gauge<const L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return new Gauge({ name: `limpid_${name}`, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, help: string): Histogram<'model'> {
    const labelNames = ['model'] as const
    return new Histogram({
      name: `limpid_${name}`,
      help,
      labelNames,
      buckets: seconds,
      registers: [this.#registry],
    })
  }
}
