// Locates the package's own files, from the sources, the build or a bundle.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RestoreError } from '../core/errors.ts'

const here = fileURLToPath(import.meta.url)

/** Whether this is the TypeScript source rather than the build. */
export const isSource = extname(here) === '.ts'

let knownFolder: string | undefined
let knownVersion: string | undefined

/** Returns the package folder: the nearest one above with a package.json. */
export function packageFolder(): string {
  knownFolder ??= findPackageFolder()
  return knownFolder
}

function findPackageFolder(): string {
  let folder = dirname(here)
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder))
      throw new RestoreError(
        'environment',
        `limpid: expected a package.json in a folder above ${here}, got none; keep the package as installed, and exclude it from bundles`,
      )
    folder = dirname(folder)
  }
  return folder
}

/** Returns the version of the package that runs, whatever is installed over it later. */
export function packageVersion(): string {
  knownVersion ??= readVersion()
  return knownVersion
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

/** Resolves a module of src/, named without its extension, to its source or built file. */
export function ownModule(name: string): string {
  const parts = isSource ? ['src', `${name}.ts`] : ['dist', 'src', `${name}.js`]
  return join(packageFolder(), ...parts)
}
