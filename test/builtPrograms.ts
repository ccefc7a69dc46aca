// In place of src/data/ownPrograms.ts in tests: what they start beside themselves is built, and starts in a quarter of the time.

import { Worker, type WorkerOptions } from 'node:worker_threads'
import { builtModule } from './limpid.ts'

export function processArguments(module: string): readonly string[] {
  return [builtModule(`src/bundle/${module}`)]
}

export function startBundledThread(module: string, options: WorkerOptions = {}): Worker {
  return startThread(`bundle/${module}`, options)
}

export function startThread(module: string, options: WorkerOptions = {}): Worker {
  return new Worker(builtModule(`src/${module}`), options)
}
