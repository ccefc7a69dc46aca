// Where the server keeps inputs until they are restored, and results until they are fetched.

import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { RestoreInfo } from '../../runtime/pictures/pictureTypes.ts'
import { ProblemError } from '../protocol/problems.ts'
import type { Format } from '../protocol/settings.ts'

/** What is told about a result beside the picture. */
export interface StoredReport {
  readonly format: Format
  /** Size of the picture. */
  readonly bytes: number
  /** SHA-256 of the picture, its ETag. */
  readonly sha256: string
  /** Model, device, tiles and times. */
  readonly info: RestoreInfo
}

/** Part of a file, both ends included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface StoredResult {
  readonly report: StoredReport
  open(range?: ByteRange): Readable
}

/** Which attempt at which job makes a result. */
export interface Maker {
  /** Address of the result; several jobs may have the same. */
  readonly address: string
  /** Owner and id of the job. */
  readonly job: string
  /** Grows with every attempt at the job. */
  readonly fence: number
}

/** What the store may forget. */
export interface SweepOptions {
  /** Inputs and results that jobs refer to. */
  readonly inputs: ReadonlySet<string>
  readonly results: ReadonlySet<string>
  /** Size above which results are deleted, the oldest first. */
  readonly quotaBytes: number
}

export interface Store {
  /**
   * Stores an upload under its hash.
   * @throws ProblemError 'too-large' above `maxBytes`
   */
  putInput(upload: Readable, maxBytes: number): Promise<{ readonly sha256: string; readonly bytes: number }>
  /** An input, as a path or its bytes. */
  input(sha256: string): Promise<string | Uint8Array>
  /** Announces an attempt: earlier ones at its job cannot publish from now on. */
  begin(maker: Maker): Promise<void>
  /**
   * Stores a result unless there is one at the address; it appears whole.
   * @returns whether there is a result; false for an attempt that another has followed
   */
  publish(maker: Maker, picture: Uint8Array, report: StoredReport): Promise<boolean>
  find(address: string): Promise<StoredResult | undefined>
  delete(address: string): Promise<void>
  sweep(options: SweepOptions): Promise<void>
  /** @throws an error if the store cannot be written, or has no room */
  check(): Promise<void>
}

/** A file of a store. Names of results begin with the address and a dot. */
export interface StoredFile {
  readonly name: string
  readonly bytes: number
  readonly ageMs: number
}

/** Age from which a file that no job refers to was abandoned. */
const abandonedMs = 3600_000

/** Uploads that no job refers to any more. */
export function abandonedInputs(
  files: readonly StoredFile[],
  { inputs }: SweepOptions,
): readonly StoredFile[] {
  return files.filter(({ name, ageMs }) => !inputs.has(name) && ageMs > abandonedMs)
}

/** Addresses of results that no job refers to any more, and of the oldest ones above the quota. */
export function expiredResults(
  files: readonly StoredFile[],
  { results, quotaBytes }: SweepOptions,
): readonly string[] {
  const addressOf = ({ name }: StoredFile) => name.split('.')[0] ?? name
  const expired = new Set(
    files.filter((file) => !results.has(addressOf(file)) && file.ageMs > abandonedMs).map(addressOf),
  )
  const kept = new Map<string, { bytes: number; ageMs: number }>()
  for (const file of files) {
    const address = addressOf(file)
    if (!results.has(address)) continue
    const { bytes, ageMs } = kept.get(address) ?? { bytes: 0, ageMs: 0 }
    kept.set(address, { bytes: bytes + file.bytes, ageMs: Math.max(ageMs, file.ageMs) })
  }
  let total = [...kept.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  for (const [address, { bytes }] of [...kept].sort(([, a], [, b]) => b.ageMs - a.ageMs)) {
    if (total <= quotaBytes) break
    expired.add(address)
    total -= bytes
  }
  return [...expired]
}

/** Passes an upload on in parts. @returns its hash and size. @throws ProblemError 'too-large' */
export async function hashUpload(
  upload: Readable,
  maxBytes: number,
  write: (part: Uint8Array) => Promise<unknown> | unknown,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const part of upload as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > maxBytes)
      throw new ProblemError(
        'too-large',
        `body: expected at most ${maxBytes / 1e6} MB, got more; send a smaller file`,
      )
    hash.update(part)
    await write(part)
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** Name of a picture, which attempts with equal results share. */
export function pictureName(address: string, { sha256 }: Pick<StoredReport, 'sha256'>): string {
  return `${address}.${sha256.slice(0, 16)}.picture`
}
