// A file that is read in parts.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { type ByteSource, bytesSource } from './formats/byteSource.ts'

/** Opens a file or bytes for the duration of an action. */
export async function withSource<T>(
  input: string | Uint8Array,
  action: (source: ByteSource) => T | Promise<T>,
): Promise<T> {
  if (typeof input !== 'string') return action(bytesSource(input))
  const file = openSync(input, 'r')
  try {
    const { size } = fstatSync(file)
    const read = (start: number, length: number) => {
      const part = new Uint8Array(Math.max(0, Math.min(length, size - start)))
      return part.subarray(0, part.length === 0 ? 0 : readSync(file, part, 0, part.length, start))
    }
    return await action({ size, read })
  } finally {
    closeSync(file)
  }
}
