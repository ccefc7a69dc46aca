// Writing a result. Apart from shell.ts, which help and version load too.

import { dirname } from 'node:path'
import { copyAtomicSync, writeAtomicSync } from '../../files/atomicWrite.ts'
import { makeFolder } from '../../files/folders.ts'

export interface OverwriteOptions {
  readonly overwrite?: boolean | undefined
}

/** Writes a result whole or not at all, making its folder; to stdout for '-'. */
export function writeResult(path: string, content: Uint8Array | string, options: OverwriteOptions): void {
  if (path === '-') {
    // A reader that has left lacks the result.
    process.stdout.write(content, (error) => {
      if (error) process.exitCode ||= 1
    })
    return
  }
  makeFolder(dirname(path))
  writeAtomicSync(path, [typeof content === 'string' ? Buffer.from(content) : content], {
    overwrite: options.overwrite === true,
  })
}

/** Writes a result that is a file already, like {@link writeResult}. */
export function copyResult(source: string, path: string, { overwrite = false }: OverwriteOptions): void {
  makeFolder(dirname(path))
  copyAtomicSync(source, path, { overwrite })
}
