// Packages that are not installed with Limpid, each loaded where it is asked for.

import { RestoreError } from '../../core/errors.ts'

/** Imports a module that needs packages. @throws RestoreError 'environment' with the command that installs them */
export async function load<T>(option: string, packages: string, importing: () => Promise<T>): Promise<T> {
  try {
    return await importing()
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new RestoreError(
      'environment',
      `${option}: expected the packages ${packages}, got none; run npm i ${packages}`,
      { cause: error },
    )
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}
