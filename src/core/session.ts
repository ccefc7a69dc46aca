// A network that is ready to run, whichever backend carries it.

import type { TensorData } from './data.ts'

export type NamedData = Readonly<Record<string, TensorData>>

export interface RunOptions {
  /** Ends the run early; a session that cannot be interrupted finishes it first. */
  readonly signal?: AbortSignal | undefined
}

export interface Session {
  /** Runs the network on named inputs; their sizes may differ from call to call only where the backend allows it. */
  run(inputs: NamedData, options?: RunOptions): Promise<NamedData>
  close(): Promise<void>
}
