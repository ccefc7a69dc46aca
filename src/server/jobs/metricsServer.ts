// Metrics for Prometheus, and of workers whether they live and take jobs, on a port of their own.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metrics } from './metrics.ts'

export interface MetricsServerOptions {
  readonly host: string
  /** 0 for a free port. */
  readonly port: number
  readonly metrics: Metrics
  /** Names what keeps a worker from taking jobs; undefined where other addresses answer this. */
  readonly faults?: () => Promise<readonly string[]>
}

export interface MetricsServer {
  /** Address without a path. */
  readonly address: string
  close(): void
}

/** Starts it. @throws an error if the port is taken */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, metrics, faults } = options
  const server = createServer(async ({ url }, response) => {
    const json = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (url === '/metrics') {
      const { type, text } = await metrics.text()
      return response.writeHead(200, { 'content-type': type }).end(text)
    }
    if (!faults) return response.writeHead(404).end()
    if (url === '/healthz') return json(200, { alive: true })
    if (url !== '/readyz') return response.writeHead(404).end()
    const found = await faults()
    return json(found.length === 0 ? 200 : 503, { ready: found.length === 0, faults: found })
  })
  await listen(server, host, port)
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
}
