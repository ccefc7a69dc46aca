// A network that is ready to run, on any backend.

import type { TensorData } from './data.ts'

/** Tensors in host memory by name. */
export type NamedData = Readonly<Record<string, TensorData>>

/** Options of one run of a session. */
export interface RunOptions {
  /** Cancels the run; a session that cannot be interrupted finishes it first. */
  readonly signal?: AbortSignal | undefined
}

/** An open network: tensors in, tensors out. */
export interface Session {
  /** Runs the network on named inputs; their sizes may differ between calls only if the backend allows it. */
  run(inputs: NamedData, options?: RunOptions): Promise<NamedData>
  /** Frees the network; later runs are rejected. */
  close(): Promise<void>
}
