// Lock on a training's folder: one process at a time trains there.

import { join } from 'node:path'
import { clearLeftovers } from '../files/atomicWrite.ts'
import { takeLock } from '../files/lock.ts'

export const lockName = '.limpid-train.lock'

/**
 * Creates the folder, locks it for this process and removes temporary files of a killed process; returns the
 * release function.
 */
export function takeFolder(folder: string): () => void {
  const { release } = takeLock(join(folder, lockName), { what: folder, work: 'training there' })
  clearLeftovers(folder)
  return release
}
