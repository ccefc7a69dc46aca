// Makes the folders that results go to.

import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { unwritable } from './outputErrors.ts'

/**
 * Makes a folder with its parents.
 *
 * @throws RestoreError `output` where it cannot be made
 */
export function makeFolder(folder: string): void {
  try {
    make(folder)
  } catch (error) {
    throw unwritable(folder, error)
  }
}

/** Node's own recursion reports a read-only file system as a missing folder. */
function make(folder: string): void {
  if (isFolder(folder)) return
  const parent = dirname(folder)
  if (parent !== folder) make(parent)
  try {
    mkdirSync(folder)
  } catch (error) {
    // Another process may have been faster.
    if (!isFolder(folder)) throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
