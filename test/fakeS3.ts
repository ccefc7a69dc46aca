// A small S3 in memory for tests: objects with entity tags, conditional puts, ranges and listings by pages.

import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface StoredObject {
  readonly body: Buffer
  readonly tag: string
  readonly modified: Date
}

export interface FakeS3 {
  readonly address: string
  /** Objects by bucket and key. */
  readonly objects: ReadonlyMap<string, StoredObject>
  /** Makes an object older. */
  age(name: string, ms: number): void
  stop(): void
}

/** Keys in a page of a listing. */
const pageSize = 2

/** Starts it, and points the SDK's environment variables of this process to it. */
export async function startFakeS3(): Promise<FakeS3> {
  const objects = new Map<string, StoredObject>()
  const server = createServer((request, response) => void answer(objects, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: address,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  })
  return {
    address,
    objects,
    age(name, ms) {
      const found = objects.get(name)
      if (found) objects.set(name, { ...found, modified: new Date(found.modified.getTime() - ms) })
    },
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function answer(
  objects: Map<string, StoredObject>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '', 'http://s3')
  const name = decodeURIComponent(url.pathname.slice(1)).replace(/\/$/, '')
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, range } = request.headers
  const found = objects.get(name)
  const end = (status: number, headers: Record<string, string> = {}, body: Buffer | string = '') =>
    response.writeHead(status, headers).end(body)
  if (request.method === 'GET' && url.searchParams.get('list-type') === '2')
    return void end(200, { 'content-type': 'application/xml' }, list(objects, name, url.searchParams))
  if (request.method === 'PUT') {
    if ((ifNoneMatch === '*' && found) || (ifMatch !== undefined && found && ifMatch !== found.tag))
      return void end(412)
    if (ifMatch !== undefined && !found) return void end(404)
    const body = Buffer.concat(parts)
    const tag = `"${createHash('md5').update(body).digest('hex')}"`
    objects.set(name, { body, tag, modified: new Date() })
    return void end(200, { etag: tag })
  }
  if (request.method === 'DELETE') {
    objects.delete(name)
    return void end(204)
  }
  // A bucket is there if it is named.
  if (request.method === 'HEAD' && name === 'photos') return void end(200)
  if (!found) return void end(404)
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
  const body = first === undefined ? found.body : found.body.subarray(Number(first), Number(last) + 1)
  return void end(range === undefined ? 200 : 206, { etag: found.tag }, body)
}

function list(objects: ReadonlyMap<string, StoredObject>, bucket: string, query: URLSearchParams): string {
  const prefix = `${bucket}/${query.get('prefix') ?? ''}`
  const names = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort()
  const start = Number(query.get('continuation-token') ?? 0)
  const contents = names.slice(start, start + pageSize).map((name) => {
    const { body, modified } = objects.get(name)!
    return `<Contents><Key>${name.slice(bucket.length + 1)}</Key><Size>${body.length}</Size><LastModified>${modified.toISOString()}</LastModified></Contents>`
  })
  const next = start + pageSize
  const more = next < names.length
  const token = more ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''
  return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${token}${contents.join('')}</ListBucketResult>`
}
