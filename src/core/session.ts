// A network that is ready to run, whichever backend carries it.

import type { TensorData } from './data.ts'

export type NamedData = Readonly<Record<string, TensorData>>

export interface Session {
  /** Runs the network on named inputs; their sizes may differ from call to call only where the backend allows it. */
  run(inputs: NamedData): Promise<NamedData>
  close(): Promise<void>
}
