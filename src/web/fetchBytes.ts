// Fetches files with progress.

import { messageOf, RestoreError } from '../core/errors.ts'
import { type OnProgress, progressOf } from '../runtime/jobs/progress.ts'
import { aborted } from '../runtime/jobs/serialQueue.ts'

interface FetchOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  /** Refuses redirects to other origins. */
  readonly isSameOrigin?: boolean | undefined
  /** Asks the server again, past the browser's cache. */
  readonly isReload?: boolean | undefined
  /** Known size; that which the server sends is of the compressed file. */
  readonly sizeBytes?: number | undefined
}

/**
 * Fetches a file; `name` is its name in errors. Reports progress if the server sends the size.
 * @throws RestoreError 'input' or 'aborted'
 */
export async function fetchBytes(
  url: string | URL,
  name: string,
  { signal, onProgress, isSameOrigin, isReload, sizeBytes }: FetchOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const request: Record<string, unknown> = {
      signal: signal ?? null,
      mode: isSameOrigin ? 'same-origin' : 'cors',
      cache: isReload ? 'reload' : 'default',
    }
    const response = await fetch(url, request)
    if (!response.ok)
      throw new RestoreError(
        'input',
        `${name}: expected a file at ${url}, got HTTP status ${response.status}`,
      )
    const total = sizeBytes ?? Number(response.headers.get('content-length'))
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

/** SHA-256 in hexadecimal; undefined in insecure contexts, where browsers offer no hashing. */
export async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const subtle: typeof crypto.subtle | undefined = crypto.subtle
  if (!subtle) return undefined
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
