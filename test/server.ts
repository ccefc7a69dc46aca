// Starts the server for tests: on a free port, with a queue and a store in a folder.

import { EmbeddedQueue } from '../src/server/jobs/embeddedQueue.ts'
import { type RunningServer, type ServerOptions, startServer } from '../src/server/server.ts'

export interface TestServer extends RunningServer {
  /** The server's queue, opened once more. */
  readonly queue: EmbeddedQueue
}

export async function startTestServer(
  folder: string,
  rest: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    metricsPort: undefined,
    backends: { data: folder },
    keys: undefined,
    origins: [],
    sources: undefined,
    webhooks: undefined,
    app: undefined,
    limits: { bytes: 1e6, pixelsIn: 4e6, pixelsOut: 8e6, queue: 20, ownerQueue: 20 },
    jobs: { slots: 1, capacity: 1 },
    timeoutMs: 120_000,
    waitMs: 120_000,
    keepMs: 3_600_000,
    quotaBytes: 1e9,
    log: undefined,
    ...rest,
  })
  const queue = await EmbeddedQueue.open(folder)
  return {
    ...{ ...server, queue },
    async stop(drainMs) {
      await server.stop(drainMs)
      await queue.close()
    },
  }
}
