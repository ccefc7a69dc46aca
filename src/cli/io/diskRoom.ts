// Keeps a batch from computing what the disk does not take.

import { dirname } from 'node:path'
import { checkRoom } from '../../files/atomicWrite.ts'
import { codeOf } from '../../files/outputErrors.ts'
import { nearestFolder } from './outputPlan.ts'

/** Reasons that concern the disk and not one file. */
const diskCodes = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']

/** Room on the disk: checked before the first result, and after one that did not fit. */
export class DiskRoom {
  /** Size to look for; 0 where the last result was written. */
  #neededBytes = 4096

  /**
   * Checks, before a result is computed, that one may fit.
   *
   * @throws RestoreError `output` where the disk is full or read-only
   */
  check(output: string): void {
    if (this.#neededBytes === 0 || output === '-') return
    checkRoom(nearestFolder(dirname(output)), this.#neededBytes)
    this.#neededBytes = 0
  }

  /** Writes a result of some size; if the disk does not take it, the next is checked for. */
  reserving(sizeBytes: number, write: () => void): void {
    try {
      write()
    } catch (error) {
      const code = error instanceof Error ? codeOf(error.cause) : undefined
      if (diskCodes.includes(code ?? '')) this.#neededBytes = sizeBytes
      throw error
    }
  }
}
