// A network that is ready to run, on any backend.

import type { TensorData } from './data.ts'

export type NamedData = Readonly<Record<string, TensorData>>

export interface RunOptions {
  /** Cancels the run; a session that cannot be interrupted finishes it first. */
  readonly signal?: AbortSignal | undefined
}

export interface Session {
  /** Runs the network on named inputs; their sizes may differ between calls only if the backend allows it. */
  run(inputs: NamedData, options?: RunOptions): Promise<NamedData>
  close(): Promise<void>
}
