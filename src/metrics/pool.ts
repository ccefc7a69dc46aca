// Computes the metrics of many pairs in worker threads. Node only.

import type { Worker } from 'node:worker_threads'
import { RestoreError } from '../core/errors.ts'
import type { Image } from '../data/image.ts'
import { startThread } from '../data/ownPrograms.ts'
import { availableCores } from '../files/cores.ts'
import type { ComputeMetrics } from './evaluate.ts'
import type { MetricName, MetricOptions } from './metrics.ts'

/** A pair for a thread to measure. */
export interface MetricTask {
  readonly reference: Image | undefined
  readonly output: Image
  readonly names: readonly MetricName[]
  readonly options: MetricOptions
}
export type MetricAnswer =
  | { readonly values: readonly number[] }
  | { readonly error: Pick<RestoreError, 'code' | 'message'> }

/** Threads that compute metrics. */
export interface MetricPool {
  /** Computes metrics in a thread; for {@link evaluate}. */
  readonly compute: ComputeMetrics
  /** Number of threads; also the useful `concurrency` of {@link evaluate}. */
  readonly threads: number
  /** Ends the threads. */
  close(): Promise<void>
}

interface Pending {
  readonly task: MetricTask
  readonly resolve: (values: readonly number[]) => void
  readonly reject: (error: unknown) => void
}

// Not tinypool: errors would still need their codes carried over, and threads of sources their loader.
/**
 * Creates a pool that starts threads on demand; it keeps the process alive until closed.
 *
 * @example
 * ```ts
 * const pool = metricPool()
 * const options = { compute: pool.compute, concurrency: pool.threads }
 * const { mean } = await evaluate(samples, restore, ['psnr', 'ssim'], options)
 * await pool.close()
 * ```
 */
export function metricPool(mostThreads = availableCores()): MetricPool {
  const threads = Math.min(mostThreads, availableCores())
  const waiting: Pending[] = []
  const idle: Worker[] = []
  const busy = new Map<Worker, Pending>()

  const start = (): Worker => {
    const worker = startThread('metrics/poolWorker')
    worker.on('message', (answer: MetricAnswer) => {
      const pending = busy.get(worker)
      busy.delete(worker)
      idle.push(worker)
      if ('values' in answer) pending?.resolve(answer.values)
      else pending?.reject(new RestoreError(answer.error.code, answer.error.message))
      next()
    })
    const lose = (error: Error) => {
      busy.get(worker)?.reject(error)
      busy.delete(worker)
      if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1)
      next()
    }
    worker.on('error', lose)
    worker.on('exit', (code) => {
      lose(
        new RestoreError(
          'crash',
          `metrics: a thread ended with exit code ${code} before its figures were there`,
        ),
      )
    })
    return worker
  }
  const next = () => {
    while (waiting.length > 0 && (idle.length > 0 || busy.size < threads)) {
      const pending = waiting.shift()!
      const worker = idle.pop() ?? start()
      busy.set(worker, pending)
      const { reference, output, names, options } = pending.task
      const task = { reference: reference && copyOf(reference), output: copyOf(output), names, options }
      const buffers = [task.reference, task.output].flatMap((image) => (image ? [image.data.buffer] : []))
      worker.postMessage(task, buffers)
    }
  }
  return {
    threads,
    compute: (reference, output, names, options) =>
      new Promise((resolve, reject) => {
        waiting.push({ task: { reference, output, names, options }, resolve, reject })
        next()
      }),
    close: async () => {
      const stopped = new RestoreError('aborted', 'metrics: the pool was closed')
      for (const { reject } of [...waiting.splice(0), ...busy.values()]) reject(stopped)
      await Promise.all([...idle.splice(0), ...busy.keys()].map((worker) => worker.terminate()))
    },
  }
}

/** Copies an image to its own buffer, which can be transferred to a thread. */
function copyOf(image: Image) {
  return { ...image, data: new Float32Array(image.data) }
}
