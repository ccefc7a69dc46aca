// What a command gives a decoder for an input.

import { buffer } from 'node:stream/consumers'
import { readIfPipe } from '../../data/pipes.ts'
import { explainUnreadable } from '../../data/unreadable.ts'

/**
 * Returns the path of a file, or the bytes of stdin ('-') and of pipes, which can be read only once.
 *
 * @throws RestoreError `input` where it cannot be read, or after an abort
 */
export async function sourceOf(path: string, signal?: AbortSignal): Promise<string | Uint8Array> {
  const stop = () => process.stdin.destroy()
  if (path === '-') signal?.addEventListener('abort', stop)
  try {
    return path === '-' ? await buffer(process.stdin) : await readIfPipe(path, signal)
  } catch (error) {
    throw explainUnreadable(path, error)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
