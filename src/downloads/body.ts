// The bytes of an HTTP answer: received whole even when the connection is cut, and decoded.

import { Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { RestoreError } from '../core/errors.ts'
import { codeOf } from '../files/outputErrors.ts'

/** An answer with its body, which is received from the start. */
export interface Response extends Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'> {
  readonly chunks: AsyncIterable<Uint8Array>
}

/** First value of a header. */
export function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

/** Chunks that may wait to be written. */
const waitingChunks = 64

/**
 * Chunks of a body. A stream that is iterated over drops what it holds when the connection is cut; here all that came is given before the
 * error is.
 */
export function received(body: Readable): AsyncIterable<Uint8Array> {
  const chunks: Uint8Array[] = []
  let end: { readonly error?: unknown } | undefined
  let wake = () => {}
  const finish = (how: { readonly error?: unknown }) => {
    end ??= how
    wake()
  }
  body.on('data', (chunk: Uint8Array) => {
    if (chunks.push(chunk) >= waitingChunks) body.pause()
    wake()
  })
  body.on('end', () => finish({}))
  body.on('error', (error) => finish({ error }))
  async function* read() {
    for (;;) {
      const chunk = chunks.shift()
      if (chunk) yield chunk
      else if (end && 'error' in end) throw end.error
      else if (end) return
      else {
        body.resume()
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
  return read()
}

/** Encoding of a body; undefined for plain bytes. */
export function encodingOf({ headers }: Response): string | undefined {
  const encoding = textOf(headers['content-encoding'])?.toLowerCase()
  return encoding === '' || encoding === 'identity' ? undefined : encoding
}

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
}

/** The bytes of a file that an answer holds. @throws RestoreError 'input' for unknown encodings */
export function decoded(response: Response, address: URL): AsyncIterable<Uint8Array> {
  const encoding = encodingOf(response)
  if (encoding === undefined) return response.chunks
  const decoder = decoders[encoding]?.()
  if (!decoder)
    throw new RestoreError(
      'input',
      `${address.href}: expected plain bytes, got the encoding ${encoding}; pass another source with --from`,
    )
  const source = Readable.from(response.chunks)
  source.on('error', (error) => decoder.destroy(error))
  decoder.on('error', () => {})
  return source.pipe(decoder)
}

/** Whether an error is of a body that cannot be decoded to its end. */
export function isDecodingError(error: unknown): boolean {
  return codeOf(error)?.startsWith('Z_') === true
}
