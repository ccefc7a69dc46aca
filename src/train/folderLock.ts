// Lock on a training's folder: one process at a time trains there.

import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, RestoreError } from '../core/errors.ts'

const lockName = '.training'

/**
 * Creates the folder, locks it for this process and removes temporary files of a killed process; returns the
 * release function.
 */
export function takeFolder(folder: string): () => void {
  const lock = join(folder, lockName)
  try {
    mkdirSync(folder, { recursive: true })
    refuseOther(folder, lock)
    for (const name of readdirSync(folder)) {
      if (name.startsWith('.') && name.endsWith('.tmp')) rmSync(join(folder, name))
    }
    const file = openSync(lock, 'wx')
    writeSync(file, String(process.pid))
    closeSync(file)
  } catch (error) {
    if (error instanceof RestoreError) throw error
    const reason = messageOf(error)
    throw new RestoreError('output', `--out ${folder}: cannot be written to (${reason})`, { cause: error })
  }
  return () => rmSync(lock, { force: true })
}

/** Rejects a folder where another process is training; removes the lock of a process that no longer runs. */
function refuseOther(folder: string, lock: string): void {
  const owner = ownerOf(lock)
  if (owner !== undefined && owner !== process.pid && isAlive(owner)) {
    throw new RestoreError(
      'output',
      `--out ${folder}: process ${owner} is training there; wait for it, or choose another folder`,
    )
  }
  rmSync(lock, { force: true })
}

function ownerOf(lock: string): number | undefined {
  try {
    return Number(readFileSync(lock, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
