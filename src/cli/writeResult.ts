// Writing a result. Apart from shell.ts, which help and version load too.

import { writeWhole } from '../checkpoints/files.ts'

/** Writes a result: a file that appears whole or not at all, or stdout for '-'. */
export function writeResult(path: string, bytes: Uint8Array): void {
  if (path === '-') process.stdout.write(bytes)
  else writeWhole(path, [bytes])
}
