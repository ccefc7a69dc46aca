// Entry point of a thread that runs the jobs of a server, started by src/server/runnerThread.ts.

import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../core/errors.ts'
import { openBackends } from '../server/backends.ts'
import { type JobMetrics, Runner } from '../server/jobs/runner.ts'
import type { RunnerMessage, RunnerStop, RunnerThreadOptions } from '../server/runnerThread.ts'

const { backends, ...options } = workerData as RunnerThreadOptions
const tell = (message: RunnerMessage) => parentPort?.postMessage(message)
const metrics: JobMetrics = {
  wait: (...wait) => tell({ wait }),
  finish: (...finish) => tell({ finish }),
  retry: (...retry) => tell({ retry }),
}

const { queue, store } = await openBackends(backends)
tell({ isReady: true })
const onError = (error: unknown) => tell({ error: messageOf(error) })
const runner = new Runner({ ...options, queue, store, metrics, onError })
parentPort?.once('message', async ({ drainMs }: RunnerStop) => {
  await runner.stop(drainMs)
  await queue.close()
  // Ends the thread, though connections of the store may stay open for a while.
  process.exit()
})
