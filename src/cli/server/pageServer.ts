// Serves the app on this machine alone.

import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  request as requestHttp,
  type Server,
  type ServerResponse,
} from 'node:http'
import { pipeline } from 'node:stream'
import { RestoreError } from '../../core/errors.ts'
import { findPage, type PageFolders, pathParts, sendPage } from '../../server/pages/pageFiles.ts'
import { pageHeaders } from '../../server/pages/pageHeaders.ts'

/** What {@link servePages} serves. */
export interface PageServerOptions extends PageFolders {
  /** First part of all addresses, which other pages cannot guess. */
  readonly token: string
  /** 0 for a free one. */
  readonly port: number
  /** The server that restores photos, reached under v1/ behind the token. */
  readonly api?: { readonly address: string; readonly key: string } | undefined
}

export interface PageServer {
  readonly address: string
  stop(): Promise<void>
}

const host = '127.0.0.1'

/**
 * Starts a server.
 * @throws RestoreError 'environment' where the port cannot be listened on
 */
export async function servePages(options: PageServerOptions): Promise<PageServer> {
  const { port, token } = options
  const bodies = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    answer(request, response, { ...options, listening: server, bodies }).catch(() => response.destroy())
  })
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'one that another program listens on; leave --port out for a free one',
      EACCES: 'one that needs more rights; take one from 1024 on',
    }
    const reason = (code && reasons[code]) ?? `one that cannot be listened on (${code})`
    throw new RestoreError('environment', `--port: expected a free port, got ${port}, ${reason}`, {
      cause: error,
    })
  }
  return {
    address: `http://${host}:${portOf(server)}/${token}/`,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

interface Context extends PageServerOptions {
  readonly listening: Server
  /** Compressed files by encoding and path. */
  readonly bodies: Map<string, Buffer>
}

async function answer(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  for (const [name, value] of Object.entries(pageHeaders)) response.setHeader(name, value)
  // A name that leads to this machine could belong to anybody's page.
  const isOwnHost = request.headers.host === `${host}:${portOf(context.listening)}`
  const { url = '' } = request
  if (isOwnHost && context.api && isForApi(url, context)) return forward(request, response, context)
  const file = isOwnHost ? fileOf(url, context) : undefined
  if (!file) return void response.writeHead(404).end()
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return void response.writeHead(405, { Allow: 'GET, HEAD' }).end()
  await sendPage(request, response, { file, bodies: context.bodies, server: context.api && 'open' })
}

/** The file at an address; undefined for one without the token, or outside the folders. */
function fileOf(url: string, { token, ...folders }: Context): string | undefined {
  const [first = '', ...rest] = pathParts(url) ?? []
  return isEqual(first, token) && rest.length > 0 ? findPage(rest, folders) : undefined
}

function isForApi(url: string, { token }: Context): boolean {
  const [first = '', second] = pathParts(url) ?? []
  return isEqual(first, token) && second === 'v1'
}

/** Passes a request on to the server that restores, whose key no page knows. */
function forward(request: IncomingMessage, response: ServerResponse, { token, api }: Context): void {
  const { address = '', key } = api ?? {}
  const { host: _, connection: __, ...headers } = request.headers
  const path = (request.url ?? '').slice(token.length + 1)
  const outgoing = requestHttp(`${address}${path}`, {
    method: request.method,
    headers: { ...headers, authorization: `Bearer ${key}` },
  })
  outgoing.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    pipeline(answer, response, () => {})
  })
  outgoing.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()))
  response.on('close', () => outgoing.destroy())
  pipeline(request, outgoing, () => {})
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
