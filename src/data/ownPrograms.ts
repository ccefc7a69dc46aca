// Starts modules of this package beside the one that runs: in a process or in a thread. Sources need a loader for TypeScript; the
// build bundles processes, and threads whose modules the package does not hold otherwise.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { isSource, ownModule } from './packageFiles.ts'

/** Arguments for Node that run a module of src/ in a process. */
export function processArguments(module: string): readonly string[] {
  if (!isSource) return [ownModule(`bundle/${module}`)]
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href, ownModule(module)]
}

/** Starts a worker that runs a module of src/ which the build has bundled. */
export function startBundledThread(module: string, options: WorkerOptions = {}): Worker {
  return startThread(isSource ? module : `bundle/${module}`, options)
}

/** Starts a worker that runs a module of src/. */
export function startThread(module: string, options: WorkerOptions = {}): Worker {
  const file = pathToFileURL(ownModule(module))
  if (!isSource) return new Worker(file, options)
  // Workers do not inherit the loader.
  const program = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(file.href)})))`
  return new Worker(program, { ...options, eval: true })
}
