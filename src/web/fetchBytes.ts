// Fetches files with progress.

import { messageOf, RestoreError } from '../core/errors.ts'
import { type OnProgress, progressOf } from '../runtime/jobs/progress.ts'
import { aborted } from '../runtime/jobs/serialQueue.ts'

interface FetchOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/**
 * Fetches a file; `name` is its name in errors. Reports progress if the server sends the size.
 * @throws RestoreError 'input' or 'aborted'
 */
export async function fetchBytes(
  url: string | URL,
  name: string,
  { signal, onProgress }: FetchOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(url, { signal: signal ?? null })
    if (!response.ok)
      throw new RestoreError(
        'input',
        `${name}: expected a file at ${url}, got HTTP status ${response.status}`,
      )
    const total = Number(response.headers.get('content-length'))
    const report = progressOf('open', onProgress)
    const parts: Uint8Array<ArrayBuffer>[] = []
    let done = 0
    for await (const part of partsOf(response)) {
      parts.push(part)
      done += part.length
      if (total >= done) report(done, total)
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer())
  } catch (error) {
    if (error instanceof RestoreError) throw error
    if (signal?.aborted) throw aborted()
    const reason = messageOf(error)
    throw new RestoreError('input', `${name}: ${url} cannot be fetched (${reason})`, { cause: error })
  }
}

/** Chunks of the body, read by hand because not every browser can iterate over a stream. */
async function* partsOf({ body }: Response): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body?.getReader()
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
    yield new Uint8Array(part.value)
}
