// What strangers send to a server: damaged files, endless and oversized requests, names that lead elsewhere.

import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mutatedFiles } from '../../test/mutations.ts'
import { startTestServer, type TestServer } from '../../test/server.ts'
import { counterRandom } from '../core/random.ts'
import { addKey, readKeys } from './access/keys.ts'

const folder = mkdtempSync(join(tmpdir(), 'limpid-hostile-'))
const data = join(folder, 'data')
let server: TestServer
let key = ''

beforeAll(async () => {
  key = addKey(join(folder, 'keys.json'), 'ann')
  const limits = { bytes: 1e6, pixelsIn: 1e6, pixelsOut: 1e6, queue: 20, ownerQueue: 20 }
  server = await startTestServer(data, { limits, keys: readKeys(join(folder, 'keys.json')) })
})

afterAll(async () => {
  await server.stop(0)
  rmSync(folder, { recursive: true, force: true })
})

function post(path: string, body: Uint8Array | FormData, headers: Record<string, string> = {}) {
  const type = body instanceof FormData ? {} : { 'content-type': 'application/octet-stream' }
  return fetch(`${server.address}${path}`, {
    ...{ method: 'POST', body: body instanceof FormData ? body : new Uint8Array(body) },
    headers: { authorization: `Bearer ${key}`, ...type, ...headers },
  })
}

async function expectService(): Promise<void> {
  const clean = await sharp({ create: { width: 24, height: 24, channels: 3, background: 'teal' } })
    .png()
    .toBuffer()
  expect((await post('/v1/restore', clean)).status).toBe(200)
}

/** Sends text as it is, and waits for what comes until the server ends the connection. */
async function raw(text: string): Promise<string> {
  const socket = open(text)
  let got = ''
  socket.on('data', (part) => {
    got += part
  })
  await once(socket, 'close')
  return got
}

function open(text: string): Socket {
  const { hostname, port } = new URL(server.address)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.write(text)
  return socket
}

describe('a server among strangers', { timeout: 180_000 }, () => {
  test('restores damaged files or refuses them, and lives', async () => {
    for await (const { kind, bytes } of mutatedFiles(50, counterRandom(29))) {
      const answer = await post('/v1/restore', bytes)
      const type = answer.headers.get('content-type')
      const isResult = answer.status === 200 && type?.startsWith('image/')
      const problem = isResult ? undefined : await answer.json()
      if (isResult) await answer.arrayBuffer()
      else expect(problem, kind).toMatchObject({ status: 422, code: 'input' })
    }
    await expectService()
  })

  test('answers others while many send their headers without end, and ends those', async () => {
    const start = 'POST /v1/restore HTTP/1.1\r\nHost: limpid\r\n'
    const slow = Array.from({ length: 200 }, () => open(start))
    await Promise.all(slow.map((socket) => once(socket, 'connect')))
    const dripping = setInterval(() => {
      for (const socket of slow) socket.write('X-Slow: 1\r\n')
    }, 500)
    const ends = Promise.all(
      slow.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))),
    )
    await expectService()
    await ends
    clearInterval(dripping)
    await expectService()
  })

  test('refuses headers and addresses that are too large', async () => {
    const head = (extra: string) => `GET /v1/models${extra}Host: limpid\r\nConnection: close\r\n\r\n`
    expect(await raw(head(` HTTP/1.1\r\nX-Large: ${'x'.repeat(100_000)}\r\n`))).toMatch(/^HTTP\/1.1 431/)
    expect(await raw(head(`?${'x'.repeat(100_000)} HTTP/1.1\r\n`))).toMatch(/^HTTP\/1.1 431/)
    const keys = { authorization: `Bearer ${'x'.repeat(10_000)}` }
    expect((await post('/v1/restore', new Uint8Array(9), keys)).status).toBe(401)
    expect((await post('/v1/jobs', new Uint8Array(9), { 'idempotency-key': 'x'.repeat(300) })).status).toBe(
      400,
    )
    await expectService()
  })

  test('takes no path from names, ids and fields', async () => {
    const form = new FormData()
    form.append('../../../etc/cron.d/x', new Blob(['no picture']), '../../../../tmp/limpid-hostile-was-here')
    form.append('__proto__', '{"isOpen":true}')
    form.append('settings', '{"__proto__":{"model":"../../weights"},"model":"../../../etc/passwd"}')
    const answer = await post('/v1/restore', form)
    expect(await answer.json()).toMatchObject({ status: 400, code: 'malformed' })
    form.delete('__proto__')
    const named = await post('/v1/restore', form)
    expect(await named.json()).toMatchObject({ status: 400, code: 'usage' })
    for (const path of ['/v1/jobs/..%2f..%2fjobs.sqlite', '/v1/batches/..%2f1', '/v1/jobs/%00/result']) {
      const found = await fetch(`${server.address}${path}`, { headers: { authorization: `Bearer ${key}` } })
      expect(found.status, path).toBe(400)
    }
    const names = readdirSync(data, { recursive: true }).map(String)
    const own =
      /^(jobs\.sqlite(-wal|-shm)?|inputs|results|(inputs\/[0-9a-f]{64})|(results\/[0-9a-f]{2}(\/[0-9a-f]{64}(\.[0-9a-f]{16})?\.(json|picture|\d+))?))$/
    expect(names.filter((name) => !own.test(name))).toEqual([])
    const many = new FormData()
    for (let i = 0; i < 100; i++) many.append(`field ${i}`, 'x')
    expect((await post('/v1/restore', many)).status).toBe(413)
    await expectService()
  })
})
