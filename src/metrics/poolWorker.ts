// Worker thread of the metric pool: replies to each task with the metric values of its pair.

import { parentPort } from 'node:worker_threads'
import { messageOf, RestoreError } from '../core/errors.ts'
import { measurePair } from './metrics.ts'
import type { MetricAnswer, MetricTask } from './pool.ts'

parentPort?.on('message', ({ reference, output, names, options }: MetricTask) => {
  parentPort?.postMessage(answer(() => measurePair(reference, output, names, options)))
})

function answer(compute: () => readonly number[]): MetricAnswer {
  try {
    return { values: compute() }
  } catch (error) {
    // Errors lose their class when posted between threads.
    const message = messageOf(error)
    return { error: { code: error instanceof RestoreError ? error.code : 'numeric', message } }
  }
}
