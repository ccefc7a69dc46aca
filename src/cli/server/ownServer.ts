// The server behind the app: restores photos with the models and devices of this machine. It is reached by the app
// alone, and what it is sent is deleted with it.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A server for one person. */
export interface OwnServer {
  readonly address: string
  readonly key: string
  stop(): Promise<void>
}

/** Bounds far above photos: they protect nobody from himself. */
const limits = { bytes: 2e9, pixelsIn: 268e6, pixelsOut: 268e6, queue: 1000, ownerQueue: 1000 }

const hourMs = 3_600_000

/** Starts the server; undefined where its packages are not installed. */
export async function startOwnServer(): Promise<OwnServer | undefined> {
  const startServer = await serverModule()
  if (!startServer) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'limpid-app-'))
  const key = randomBytes(32).toString('base64url')
  const sha256 = createHash('sha256').update(key).digest('hex')
  const server = await startServer({
    ...{ host: '127.0.0.1', port: 0, metricsPort: undefined, log: undefined },
    backends: { data: folder },
    keys: [{ name: 'app', sha256 }],
    ...{ origins: [], sources: undefined, webhooks: undefined, app: undefined },
    jobs: { slots: 1, capacity: 2 },
    ...{ limits, quotaBytes: 20e9 },
    ...{ timeoutMs: 12 * hourMs, waitMs: hourMs, keepMs: hourMs },
  })
  return {
    address: server.address,
    key,
    async stop() {
      await server.stop(0)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function serverModule() {
  try {
    const [{ startServer }] = await Promise.all([
      import('../../server/server.ts'),
      // The server imports its queue when it starts.
      import('../../server/jobs/embeddedQueue.ts'),
    ])
    return startServer
  } catch {
    return undefined
  }
}
