// Where the server keeps inputs until they are restored, and results until they are fetched.

import type { Readable } from 'node:stream'
import type { RestoreInfo } from '../../runtime/pictures/pictureTypes.ts'
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
  /** Stores a result unless there is one at the address; it appears whole. */
  publish(address: string, picture: Uint8Array, report: StoredReport): Promise<void>
  find(address: string): Promise<StoredResult | undefined>
  delete(address: string): Promise<void>
  sweep(options: SweepOptions): Promise<void>
  /** @throws an error if the store cannot be written, or has no room */
  check(): Promise<void>
}
