// Writing a result. Apart from shell.ts, which help and version load too.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { writeAtomicSync } from '../files/atomicWrite.ts'
import { unwritable } from '../files/outputErrors.ts'

export interface OverwriteOptions {
  readonly overwrite?: boolean | undefined
}

/** Writes a result whole or not at all, making its folder; to stdout for '-'. */
export function writeResult(path: string, content: Uint8Array | string, options: OverwriteOptions): void {
  if (path === '-') {
    process.stdout.write(content)
    return
  }
  makeFolderOf(path)
  writeAtomicSync(path, [typeof content === 'string' ? Buffer.from(content) : content], {
    overwrite: options.overwrite === true,
  })
}

/** Makes the folder that a file goes to. */
export function makeFolderOf(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch (error) {
    throw unwritable(dirname(path), error)
  }
}
