// The package's own files, wherever the module that asks for them lies: in the sources, in the build, or in a bundle of it.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { RestoreError } from '../core/errors.ts'

const here = fileURLToPath(import.meta.url)

/** Whether the sources run as they are. */
export const isSource = extname(here) === '.ts'

/** The folder of the package: the nearest one with a package.json. */
export function packageFolder(): string {
  let folder = dirname(here)
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder))
      throw new RestoreError(
        'environment',
        `limpid: expected a package.json in a folder around ${here}, got none; keep the package as it was installed, and leave it out of bundles`,
      )
    folder = dirname(folder)
  }
  return folder
}

/** The version of the package. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

/** A module of src/ by its path without an extension: its source, or what the build made of it. */
export function ownModule(name: string): string {
  const parts = isSource ? ['src', `${name}.ts`] : ['dist', 'src', `${name}.js`]
  return join(packageFolder(), ...parts)
}

/** A thread that runs a module of src/; it does not inherit what makes Node run the sources. */
export function startThread(name: string, options: WorkerOptions = {}): Worker {
  const file = pathToFileURL(ownModule(name))
  if (!isSource) return new Worker(file, options)
  const program = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(file.href)})))`
  return new Worker(program, { ...options, eval: true })
}
