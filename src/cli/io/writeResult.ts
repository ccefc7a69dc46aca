// Writing a result. Apart from shell.ts, which help and version load too.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { writeAtomicSync } from '../../files/atomicWrite.ts'
import { unwritable } from '../../files/outputErrors.ts'
import { type GlobalOptions, printResult } from './shell.ts'

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

export interface ReportOptions extends GlobalOptions, OverwriteOptions {
  readonly report?: string | undefined
}

/** Prints the result of a command, and writes its document to the file of --report. */
export function reportResult(options: ReportOptions, document: object, text: string): void {
  const { report } = options
  if (report !== undefined) writeResult(report, `${JSON.stringify(document, null, 2)}\n`, options)
  if (options.json || text !== '') printResult(options, document, text)
}

/** Makes the folder that a file goes to. */
export function makeFolderOf(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch (error) {
    throw unwritable(dirname(path), error)
  }
}
