// Pipes by name, such as those of `<(command)`: they can be read only once, from start to end.

import { constants, openSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { RestoreError } from '../core/errors.ts'

/** Returns the path of a file, which can be read in parts and again, or all bytes of a pipe. */
export async function readIfPipe(path: string, signal?: AbortSignal): Promise<string | Uint8Array> {
  const found = await stat(path)
  if (found.isFIFO()) return readPipe(path, signal)
  // Some devices never end.
  if (!found.isFile() && !found.isDirectory()) throw new Error('a device; give a file or a pipe')
  return path
}

/** Reads a pipe to its end, waiting for its writer; not by `readFile`, which blocks a thread until there is one. */
async function readPipe(path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const socket = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    writable: false,
  })
  const end = () => socket.destroy()
  signal?.addEventListener('abort', end)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  } finally {
    signal?.removeEventListener('abort', end)
    socket.destroy()
  }
}

/**
 * Refuses what is found in a folder but is no file: a pipe there may have no writer, and then never ends.
 *
 * @throws RestoreError `input`
 */
export function refusePipe(path: string): void {
  // What is missing is reported by its reader.
  const found = statSync(path, { throwIfNoEntry: false })
  if (found && !found.isFile() && !found.isDirectory())
    throw new RestoreError('input', `${path}: expected a file, got a pipe or device; remove it`)
}
