// A worker: takes jobs from a queue that many machines share, and publishes the results in their store.

import { messageOf } from '../core/errors.ts'
import type { JobQueue } from './jobs/job.ts'
import { Metrics } from './jobs/metrics.ts'
import { startMetricsServer } from './jobs/metricsServer.ts'
import { Runner, type RunnerOptions } from './jobs/runner.ts'
import type { Store } from './store/store.ts'

export interface WorkerOptions extends Omit<RunnerOptions, 'metrics' | 'onError'> {
  readonly queue: JobQueue
  readonly store: Store
  readonly host: string
  /** Port of metrics and health; undefined for none. */
  readonly metricsPort: number | undefined
  /** Where the log is written; undefined for none. */
  readonly log: { write(line: string): void } | undefined
}

export interface RunningWorker {
  /** Address of metrics and health. */
  readonly address: string | undefined
  /** Takes no more jobs, waits for those under way, puts back those that take longer, and closes everything. */
  stop(drainMs: number): Promise<void>
}

/** Starts a worker. @throws an error if a port is taken */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { queue, store, host, metricsPort, log } = options
  const metrics = new Metrics(() => queue)
  const onError = (error: unknown) =>
    log?.write(`${JSON.stringify({ level: 'error', time: new Date(), reason: messageOf(error) })}\n`)
  let isDraining = false
  const faultOf = (name: string, check: () => Promise<void>) =>
    check().then(
      () => [],
      () => [name],
    )
  const faults = async () => [
    ...(isDraining ? ['draining'] : []),
    ...(await faultOf('queue', () => queue.check())),
    ...(await faultOf('store', () => store.check())),
  ]
  const exporter =
    metricsPort === undefined
      ? undefined
      : await startMetricsServer({ host, port: metricsPort, metrics, faults })
  const runner = new Runner({ ...options, metrics, onError })
  return {
    address: exporter?.address,
    async stop(drainMs) {
      isDraining = true
      await runner.stop(drainMs)
      exporter?.close()
      await queue.close()
    },
  }
}
