import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { limpid } from '../../../test/limpid.ts'
import { type PageServer, servePages } from './pageServer.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-pages-'))
const token = 'a-token-that-nobody-guesses'
let server: PageServer

beforeAll(async () => {
  for (const folder of ['app/assets', 'weights', 'app-secret'])
    mkdirSync(join(dir, folder), { recursive: true })
  writeFileSync(join(dir, 'app/index.html'), '<p>app</p>')
  writeFileSync(join(dir, 'app/assets/a-1.js'), 'export const a = 1')
  writeFileSync(join(dir, 'weights/w.safetensors'), 'weights')
  writeFileSync(join(dir, 'app-secret/key'), 'secret')
  server = await servePages({
    ...{ folder: join(dir, 'app'), besides: { weights: join(dir, 'weights') }, token, port: 0 },
  })
})
afterAll(async () => {
  await server.stop()
  rmSync(dir, { recursive: true, force: true })
})

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Requests a path as it is, which `fetch` would tidy up. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { hostname, port } = new URL(server.address)
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, headers, method }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts),
        }),
      )
    })
      .on('error', reject)
      .end()
  })
}

test('serves the app and the weights, isolated and to their own origin alone', async () => {
  const page = await get(`/${token}/`)
  expect(page).toMatchObject({
    status: 200,
    body: Buffer.from('<p>app</p>'),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'content-security-policy': expect.stringMatching(/^default-src 'self';.*connect-src 'self'/),
    },
  })
  expect((await get(`/${token}/weights/w.safetensors?x=1`)).body.toString()).toBe('weights')
  const script = await get(`/${token}/assets/a-1.js`, { 'accept-encoding': 'gzip, br' })
  expect(script.headers).toMatchObject({
    'content-encoding': 'br',
    'cache-control': 'max-age=31536000, immutable',
  })
  expect(brotliDecompressSync(script.body).toString()).toBe('export const a = 1')
  const { etag } = (await get(`/${token}/weights/w.safetensors`)).headers
  expect((await get(`/${token}/weights/w.safetensors`, { 'if-none-match': String(etag) })).status).toBe(304)
})

test('serves nothing without the token, under another host, outside its folders, or for writing', async () => {
  const refused = [
    ...['/', `/${token}`, `/${token.slice(1)}/`, `/${token}/nothing.js`, '/weights/w.safetensors'],
    ...[
      `/${token}/../app-secret/key`,
      `/${token}/..%2fapp-secret%2fkey`,
      `/${token}/weights/..%2f..%2fapp-secret/key`,
    ],
    ...[`/${token}/assets`, `/${token}/%`, `/${token}/%00`],
  ]
  for (const path of refused) expect([path, (await get(path)).status]).toEqual([path, 404])
  expect((await get(`/${token}/`, { host: 'evil.example' })).status).toBe(404)
  expect((await get(`/${token}/`, {}, 'POST')).status).toBe(405)
})

test('a port that is taken, and one that is none, are told', async () => {
  const port = Number(new URL(server.address).port)
  const pages = { folder: join(dir, 'app'), besides: {}, token, port }
  await expect(servePages(pages)).rejects.toMatchObject({
    code: 'environment',
    message: `--port: expected a free port, got ${port}, one that another program listens on; leave --port out for a free one`,
  })
  expect(await limpid('app', '--port', '99999')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--port: expected a whole number from 1 to 65535, got 99999'),
  })
})
