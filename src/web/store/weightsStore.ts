// Weights that are fetched from the page's own origin when they are first needed, verified, and kept in a cache of their
// own, by what they hold rather than by the app's version.

import { messageOf, RestoreError } from '../../core/errors.ts'
import type { OnProgress } from '../../runtime/jobs/progress.ts'
import { fetchBytes, hashOf } from '../fetchBytes.ts'
import { openCache, type StoredResponses } from './cacheStorage.ts'
import type { WeightsFile } from './weightsFiles.ts'

/** Stored weights. */
export interface StoredWeights {
  readonly name: string
  readonly sha256: string
  readonly sizeBytes: number
}

/** Bytes of a file, and what there is to say about them. */
export interface ReadWeights {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly notes: readonly string[]
}

const cacheName = 'limpid-weights'

export interface ReadWeightsOptions {
  readonly signal?: AbortSignal | undefined
  /** Receives progress in bytes. */
  readonly onProgress?: OnProgress | undefined
}

/** The part of the browser's StorageManager that is used. */
interface StorageManager {
  persist?(): Promise<boolean>
}

/** Reads weights from the cache or the page's origin, and lists and deletes those that are kept. */
export class WeightsStore {
  /** Weights that are kept. */
  async list(): Promise<readonly StoredWeights[]> {
    const cache = await openCache(cacheName)
    const keys = (await cache?.keys()) ?? []
    const stored = await Promise.all(
      keys.map(async ({ url }) => {
        const { pathname } = new URL(url)
        const headers = (await cache?.match(pathname))?.headers
        const sha256 = pathname.slice(pathname.lastIndexOf('/') + 1)
        const name = decodeURIComponent(headers?.get('x-name') ?? sha256)
        return { name, sha256, sizeBytes: Number(headers?.get('content-length') ?? 0) }
      }),
    )
    return stored.toSorted((a, b) => a.name.localeCompare(b.name))
  }

  /** Deletes weights; they are fetched again when they are needed. Returns whether they were kept. */
  async delete(sha256: string): Promise<boolean> {
    return (await (await openCache(cacheName))?.delete(addressOf(sha256))) ?? false
  }

  /** Asks the browser to keep what is stored when space runs out; returns whether it will. */
  async persist(): Promise<boolean> {
    const navigator: { readonly storage?: StorageManager } | undefined = Reflect.get(globalThis, 'navigator')
    return (await navigator?.storage?.persist?.()) ?? false
  }

  /**
   * Reads a file: what is kept is verified again, and fetched if it is damaged.
   * @throws RestoreError 'input', 'checkpoint' for wrong bytes, 'aborted'
   */
  async read(file: WeightsFile, options: ReadWeightsOptions = {}): Promise<ReadWeights> {
    const { sha256 } = file
    if (sha256 === undefined) return { bytes: await fetchFile(file, options), notes: [] }
    const cache = await openCache(cacheName)
    const kept = await cache?.match(addressOf(sha256))
    const bytes = kept && new Uint8Array(await kept.arrayBuffer())
    if (bytes && (await isIntact(bytes, sha256))) return { bytes, notes: [] }
    await cache?.delete(addressOf(sha256))
    const fetched = await fetchIntact(file, sha256, options)
    const reason = cache ? await keep(cache, { ...file, sha256 }, fetched) : 'this page may keep no files'
    const notes = reason ? [`${file.name} was not kept, so the next visit fetches it again (${reason})`] : []
    return { bytes: fetched, notes }
  }
}

function addressOf(sha256: string): string {
  return `/${cacheName}/${sha256}`
}

/** Whether bytes are those of a hash, or of its first digits; where browsers offer no hashing, all are. */
async function isIntact(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> {
  const found = await hashOf(bytes)
  return found === undefined || found.startsWith(sha256)
}

/** Fetches a file, and once more past the browser's own cache if bytes are wrong. */
async function fetchIntact(
  file: WeightsFile,
  sha256: string,
  options: ReadWeightsOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const first = await fetchFile(file, options)
  if (await isIntact(first, sha256)) return first
  const second = await fetchFile(file, { ...options, isReload: true })
  if (await isIntact(second, sha256)) return second
  throw new RestoreError(
    'checkpoint',
    `${file.name}: expected a file of sha256 ${sha256}, got ${await hashOf(second)} twice; put the right file at ${file.url}`,
  )
}

function fetchFile(
  { url, name, sizeBytes }: WeightsFile,
  options: ReadWeightsOptions & { readonly isReload?: boolean },
): Promise<Uint8Array<ArrayBuffer>> {
  return fetchBytes(url, name, { ...options, isSameOrigin: true, sizeBytes })
}

/** Keeps verified bytes, all or none; returns why that failed. */
async function keep(
  cache: StoredResponses,
  { sha256, name }: WeightsFile & { readonly sha256: string },
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string | undefined> {
  const headers = { 'x-name': encodeURIComponent(name), 'content-length': String(bytes.length) }
  try {
    await cache.put(addressOf(sha256), new Response(bytes, { headers }))
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
