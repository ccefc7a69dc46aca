import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Validator } from '@seriousme/openapi-schema-validator'
import { unzipSync } from 'fflate'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestServer, type TestServer } from '../../test/server.ts'
import { createAutoRestorer } from '../runtime/autoRestorer.ts'
import { restore } from '../runtime/restore.ts'
import { createRestorer } from '../runtime/restorer.ts'
import { addKey, readKeys } from './access/keys.ts'
import { ListedHosts } from './access/listedHosts.ts'
import { Sources } from './access/sources.ts'
import { EmbeddedQueue } from './jobs/embeddedQueue.ts'
import { pageHeaders } from './pages/pageHeaders.ts'
import type { ServerOptions } from './server.ts'

/** A noisy picture; different seeds give different ones. */
function picture(seed: number, side = 48): Promise<Buffer> {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => 96 + ((i * i * (seed + 7)) % 61))
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer()
}

const folders: string[] = []

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'limpid-server-'))
  folders.push(folder)
  return folder
}

function start(rest: Partial<ServerOptions> = {}, folder = newFolder()): Promise<TestServer> {
  return startTestServer(folder, rest)
}

const png = { 'content-type': 'image/png' }

/** A file with one key. */
function keyFile(): string {
  const file = join(newFolder(), 'keys.json')
  addKey(file, 'ann')
  return file
}

/** Sends a picture as a body. */
function send(url: string, body: Buffer, init: { method?: string; headers?: Record<string, string> } = {}) {
  const { method = 'POST', headers } = init
  return fetch(url, { method, body, headers: { ...png, ...headers } })
}

async function ended(address: string, path: string, headers: Record<string, string> = {}): Promise<unknown> {
  const text = await (await fetch(`${address}${path}/events`, { headers })).text()
  const events = text.split('\n\n').filter((part) => part.includes('data: '))
  return JSON.parse(events.at(-1)?.split('data: ')[1] ?? '{}')
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

describe('the server', { timeout: 120_000 }, () => {
  let server: TestServer

  beforeAll(async () => {
    server = await start()
  })

  afterAll(() => server.stop(0))

  test('restores a picture as the library does, in the format asked for', async () => {
    const input = await picture(1)
    const answer = await send(`${server.address}/v1/restore?task=photo&strength=0.5`, input, {
      headers: { accept: 'image/webp' },
    })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('image/webp')
    await using restorer = await createRestorer()
    const result = await restorer.run(input, { strength: 0.5 })
    const expected = await result.toBuffer({ format: 'webp' })
    expect(Buffer.from(await answer.arrayBuffer()).equals(expected)).toBe(true)
  })

  test('makes a job that is watched to its end, whose result is fetched whole, in parts and once', async () => {
    const answer = await send(`${server.address}/v1/restore?task=photo`, await picture(2), {
      headers: { prefer: 'respond-async' },
    })
    expect(answer.status).toBe(202)
    const path = answer.headers.get('location') ?? ''
    expect(await ended(server.address, path)).toMatchObject({ state: 'succeeded', model: 'light-photo' })
    const whole = await fetch(`${server.address}${path}/result`)
    const bytes = Buffer.from(await whole.arrayBuffer())
    expect((await sharp(bytes).metadata()).width).toBe(48)
    const etag = whole.headers.get('etag') ?? ''
    const fetchWith = (headers: Record<string, string>) =>
      fetch(`${server.address}${path}/result`, { headers })
    expect((await fetchWith({ 'if-none-match': etag })).status).toBe(304)
    const part = await fetchWith({ range: 'bytes=10-19' })
    expect(part.status).toBe(206)
    expect(part.headers.get('content-range')).toBe(`bytes 10-19/${bytes.length}`)
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true)
    expect((await fetchWith({ range: `bytes=${bytes.length}-` })).status).toBe(416)
    const suffix = await fetchWith({ range: 'bytes=-4' })
    expect(Buffer.from(await suffix.arrayBuffer()).equals(bytes.subarray(-4))).toBe(true)
    const report = await (await fetch(`${server.address}${path}/report`)).json()
    expect(report).toMatchObject({ bytes: bytes.length, info: { model: 'light-photo', device: 'cpu' } })
  })

  test('gives one job to a repeated request, and the stored result to an equal one', async () => {
    // Node.js's emitters throw at events of this name.
    const input = await picture(3)
    const put = (id: string, query = '') =>
      send(`${server.address}/v1/jobs/${id}${query}`, input, { method: 'PUT' })
    expect(await (await put('error')).json()).toMatchObject({ id: 'error', settings: { format: 'png' } })
    await ended(server.address, '/v1/jobs/error')
    expect(await (await put('error')).json()).toMatchObject({ id: 'error', state: 'succeeded', attempts: 1 })
    expect(await (await put('two')).json()).toMatchObject({ id: 'two', state: 'succeeded', attempts: 0 })
    expect((await put('three', '?format=jpg')).status).toBe(202)
    expect((await put('three', '?format=jpeg')).status).toBe(202)
    const other = await put('error', '?strength=0.1')
    expect(other.status).toBe(422)
    expect(await other.json()).toMatchObject({ code: 'other-request' })
    // The result stays while another job refers to it.
    const remove = (id: string) => fetch(`${server.address}/v1/jobs/${id}`, { method: 'DELETE' })
    expect((await remove('error')).status).toBe(204)
    expect((await fetch(`${server.address}/v1/jobs/two/result`)).status).toBe(200)
    expect((await remove('two')).status).toBe(204)
    expect((await fetch(`${server.address}/v1/jobs/two/result`)).status).toBe(404)
  })

  test('takes a form with the settings on either side of the picture', async () => {
    const form = new FormData()
    form.append('photo', new Blob([await picture(4)], { type: 'image/png' }), '../../a.png')
    form.append('settings', JSON.stringify({ format: 'jpeg', quality: 70 }))
    const answer = await fetch(`${server.address}/v1/restore`, { method: 'POST', body: form })
    expect(answer.headers.get('content-type')).toBe('image/jpeg')
    const empty = new FormData()
    empty.append('settings', '{}')
    const refused = await fetch(`${server.address}/v1/restore`, { method: 'POST', body: empty })
    expect(await refused.json()).toMatchObject({ code: 'usage', status: 400 })
  })

  test.for<
    [
      what: string,
      query: string,
      headers: Record<string, string>,
      body: string,
      status: number,
      detail: RegExp,
    ]
  >([
    ['text', '', { 'content-type': 'text/plain' }, 'hello', 415, /content-type: expected a picture/],
    ['no picture', '', png, 'hello', 422, /picture: expected a readable still image, got: no image format/],
    ['an unknown setting', '?sharpness=3', png, 'x', 400, /sharpness/],
    ['an unknown task', '?task=denoise,nosuch', png, 'x', 400, /task.*got nosuch/],
    ['auto in a list', '?task=denoise,auto', png, 'x', 400, /auto by itself, got auto/],
    ['a setting out of range', '?strength=3', png, 'x', 400, /strength/],
    ['an unknown model', '?model=nosuch', png, 'x', 400, /nosuch/],
    [
      'a model without weights',
      '?task=deblur',
      png,
      'x',
      400,
      /^deblur: expected a model whose weights this/,
    ],
    ['unknown damage', '?task=auto&never=fog', png, 'x', 400, /never.*got fog/],
    ['too many bytes', '', png, 'x'.repeat(1_000_001), 413, /at most 1 MB/],
  ])('refuses %s', async ([, query, headers, body, status, detail]) => {
    const answer = await fetch(`${server.address}/v1/restore${query}`, { method: 'POST', headers, body })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(await answer.json()).toMatchObject({ status, detail: expect.stringMatching(detail) })
  })

  test.for([
    ['task=denoise,upscale&model=light-photo', /^model: expected one task/],
    ['task=denoise,derain&scale=2', /^scale: expected upscale among the tasks/],
    ['task=denoise,upscale&samples=2', /^samples: /],
    ['task=auto&model=light-photo', /^model: expected none beside task auto/],
    ['task=auto&opacity=restore', /^opacity: /],
    ['task=auto&never=noise&only=noise,jpeg', /^never: expected other damage than in only/],
    ['task=denoise&only=noise', /^only: expected task auto/],
    ['task=denoise&damage=noise', /^damage: expected task auto or universal/],
    ['task=upscale&model=light-photo', /^task: expected photo/],
    ['task=denoise&scale=2', /^scale: expected 1/],
  ] as const)('refuses settings that exclude each other: %s', async ([query, detail]) => {
    const answer = await send(`${server.address}/v1/restore?${query}`, await picture(2))
    const problem = await answer.json()
    expect(problem).toMatchObject({
      status: 422,
      code: 'contradiction',
      detail: expect.stringMatching(detail),
    })
  })

  test('does several tasks in order as the library does, and reports each', async () => {
    const input = await picture(8)
    const query = new URLSearchParams({ task: 'denoise, upscale', scale: '3' })
    const answer = await send(`${server.address}/v1/restore?${query}`, input)
    const result = await restore(input, { task: 'denoise,upscale', scale: 3 })
    const expected = await result.toBuffer({ format: 'png' })
    expect(Buffer.from(await answer.arrayBuffer()).equals(expected)).toBe(true)
    const path = answer.headers.get('content-location')?.replace('result', 'report')
    const report = await (await fetch(`${server.address}${path}`)).json()
    expect(report).toMatchObject({ info: { steps: [{ task: 'denoise' }, { task: 'upscale' }], width: 144 } })
  })

  test('answers task auto as the library does', async () => {
    const input = await picture(9)
    const answer = await send(`${server.address}/v1/restore?task=auto&never=jpeg,noise`, input)
    const expected = await restore(input, { task: 'auto', never: ['jpeg', 'noise'] })
    const path = answer.headers.get('content-location')?.replace('result', 'report')
    const { info } = (await (await fetch(`${server.address}${path}`)).json()) as { info: object }
    expect(info).toMatchObject({ repair: JSON.parse(JSON.stringify(expected.info.repair)) })
  })

  test('restores several pictures with the same settings, and lists those it refuses', async () => {
    const form = new FormData()
    for (const content of [await picture(21), Buffer.from('no picture'), await picture(22)])
      form.append('photo', new Blob([new Uint8Array(content)]), '../../etc/passwd')
    form.append('settings', JSON.stringify({ format: 'jpeg' }))
    const post = () =>
      fetch(`${server.address}/v1/batches`, {
        ...{ method: 'POST', body: form, headers: { 'idempotency-key': 'holiday' } },
      })
    const made = await post()
    expect(made.status).toBe(202)
    expect(await made.json()).toMatchObject({
      jobs: [{ number: 1, settings: { format: 'jpeg' } }, { number: 3 }],
      refused: [{ number: 2, problem: { status: 422, code: 'input' } }],
    })
    const path = made.headers.get('location') ?? ''
    expect((await post()).headers.get('location')).toBe(path)
    const found = async () => (await fetch(`${server.address}${path}`)).json()
    const end = { state: 'finished', counts: { succeeded: 2, queued: 0 } }
    await expect.poll(found, { timeout: 60_000 }).toMatchObject(end)
    const zip = await fetch(`${server.address}${path}/results`)
    const files = unzipSync(new Uint8Array(await zip.arrayBuffer()))
    expect(Object.keys(files)).toEqual(['1.jpg', '3.jpg'])
    expect((await sharp(files['3.jpg']).metadata()).width).toBe(48)
    const canceled = await fetch(`${server.address}${path}/cancel`, { method: 'POST' })
    expect(await canceled.json()).toMatchObject(end)
    const other = path.replace(/^(.*batches.).{8}/, '$100000000')
    expect((await fetch(`${server.address}${other}`)).status).toBe(404)
  })

  test('tells what is wrong with a picture as the library does, and heeds what is to be left', async () => {
    const input = await picture(9)
    const detect = async (query: string) => {
      const answer = await send(`${server.address}/v1/detect?${query}`, input)
      return { status: answer.status, body: await answer.json() }
    }
    await using restorer = await createAutoRestorer({ never: ['noise'], damage: ['haze'] })
    const plan = await restorer.plan(input)
    const never = await detect('never=noise&damage=haze')
    expect(never).toEqual({ status: 200, body: JSON.parse(JSON.stringify(plan)) })
    expect(plan.findings[0]).toMatchObject({ damage: 'haze', by: ['caller'] })
    for (const [query, status, code, detail] of [
      ['never=noise&only=noise', 422, 'contradiction', /^never: expected other damage than in only/],
      ['never=nosuch', 400, 'usage', /never.*got nosuch/],
      ['format=png', 400, 'usage', /format/],
    ] as const)
      expect(await detect(query), query).toMatchObject({
        status,
        body: { code, detail: expect.stringMatching(detail) },
      })
    const broken = await send(`${server.address}/v1/detect`, Buffer.from('no picture'))
    expect(await broken.json()).toMatchObject({ status: 422, code: 'input' })
  })

  test('refuses pictures and results of too many pixels before decoding them', async () => {
    const large = await sharp({ create: { width: 2100, height: 2000, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    const input = await send(`${server.address}/v1/restore`, large)
    expect(await input.json()).toMatchObject({
      status: 422,
      detail: expect.stringMatching('a size of at most 4.0 megapixels, got 4.2'),
    })
    const middle = await sharp(large).resize(1500).png().toBuffer()
    const result = await send(`${server.address}/v1/restore?task=upscale&scale=4`, middle)
    expect(await result.json()).toMatchObject({
      status: 422,
      detail: expect.stringMatching('a result of at most 8.0 megapixels'),
    })
  })

  test('describes itself, its models and its problems', async () => {
    const get = async (path: string) =>
      (await (await fetch(`${server.address}${path}`)).json()) as Record<string, object>
    const api = await get('/openapi.json')
    expect(api.openapi).toBe('3.1.0')
    expect(await new Validator().validate(api)).toEqual({ valid: true })
    expect(Object.keys(api.paths ?? {})).toEqual(
      expect.arrayContaining(['/v1/restore', '/v1/jobs/{id}/events']),
    )
    const names = Object.values(api.paths as Record<string, Record<string, { operationId: string }>>)
      .flatMap((methods) => Object.values(methods))
      .map(({ operationId }) => operationId)
    expect(names).toContain('getJobsIdResult')
    expect(new Set(names).size).toBe(names.length)
    const page = await (await fetch(`${server.address}/docs`)).text()
    expect(page).toContain('id="other-request"')
    const { models } = await get('/v1/models')
    expect(models).toContainEqual(expect.objectContaining({ id: 'light-photo', commercial: true }))
    expect((await fetch(`${server.address}/healthz`)).status).toBe(200)
    expect(await (await fetch(`${server.address}/readyz`)).json()).toEqual({ ready: true, faults: [] })
  })

  test('names what it does not know', async () => {
    const job = await fetch(`${server.address}/v1/jobs/nosuch`)
    expect(await job.json()).toMatchObject({
      status: 404,
      code: 'not-found',
      detail: expect.stringMatching('nosuch'),
    })
    expect((await fetch(`${server.address}/etc/passwd`)).status).toBe(404)
  })
})

describe('a busy server', { timeout: 120_000 }, () => {
  const big = () => picture(9, 700)

  test('refuses what exceeds its queue at once, and says when to come back', async () => {
    const server = await start({
      limits: { bytes: 4e6, pixelsIn: 4e6, pixelsOut: 8e6, queue: 1, ownerQueue: 1 },
    })
    const made = await send(`${server.address}/v1/jobs`, await big())
    expect(made.status).toBe(202)
    const refused = await send(`${server.address}/v1/jobs`, await picture(2))
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const { id } = (await made.json()) as { id: string }
    const canceled = await fetch(`${server.address}/v1/jobs/${id}/cancel`, { method: 'POST' })
    expect(await canceled.json()).toMatchObject({ state: 'canceled' })
    expect((await fetch(`${server.address}/v1/jobs/${id}/result`)).status).toBe(409)
    expect((await send(`${server.address}/v1/restore`, await picture(2))).status).toBe(200)
    await server.stop(0)
  })

  test('counts uploads under way before their bodies have come, until they end', async () => {
    const server = await start({
      limits: { bytes: 4e6, pixelsIn: 4e6, pixelsOut: 8e6, queue: 1, ownerQueue: 1 },
    })
    const url = `${server.address}/v1/jobs`
    const headers = { ...png, 'content-length': 1e6, expect: '100-continue' }
    const upload = request(url, { method: 'POST', headers })
    upload.on('error', () => {})
    await once(upload, 'continue')
    expect((await send(url, await picture(2))).status).toBe(429)
    upload.destroy()
    await expect.poll(async () => (await send(url, await picture(2))).status).toBe(202)
    await server.stop(0)
  })

  test('cancels the job of a client that has left, and answers a slow one with its job', async () => {
    const server = await start({ waitMs: 300 })
    const input = await big()
    const slow = await send(`${server.address}/v1/restore`, input)
    expect(slow.status).toBe(202)
    const { id } = (await slow.json()) as { id: string }
    const leaving = new AbortController()
    const left = fetch(`${server.address}/v1/restore?seed=1`, {
      method: 'POST',
      body: input,
      headers: png,
      signal: leaving.signal,
    }).catch(() => {})
    await expect.poll(async () => (await server.queue.counts()).byState.queued).toBe(1)
    leaving.abort()
    await left
    await expect.poll(async () => (await server.queue.counts()).byState.canceled).toBe(1)
    expect(await ended(server.address, `/v1/jobs/${id}`)).toMatchObject({ state: 'succeeded' })
    await server.stop(0)
  })

  test('cancels the job of a client that leaves while it is added', async () => {
    const server = await start()
    const leaving = new AbortController()
    const { add } = EmbeddedQueue.prototype
    const adding = vi.spyOn(EmbeddedQueue.prototype, 'add').mockImplementation(async function (
      this: EmbeddedQueue,
      ...args
    ) {
      leaving.abort()
      await sleep(100)
      return add.apply(this, args)
    })
    const { signal } = leaving
    const init = { method: 'POST', body: await big(), headers: png, signal }
    await expect(fetch(`${server.address}/v1/restore`, init)).rejects.toThrow()
    await expect.poll(async () => (await server.queue.counts()).byState.canceled).toBe(1)
    adding.mockRestore()
    await server.stop(0)
  })

  test('puts a job back when it is stopped, and does it when it is started again', async () => {
    const folder = newFolder()
    const first = await start({}, folder)
    await send(`${first.address}/v1/jobs/kept`, await big(), { method: 'PUT' })
    await expect.poll(async () => (await first.queue.counts()).byState.running).toBe(1)
    await first.stop(0)
    const second = await start({}, folder)
    expect(await ended(second.address, '/v1/jobs/kept')).toMatchObject({ state: 'succeeded', attempts: 1 })
    await second.stop(0)
  })
})

test('jobs belong to the key that made them', { timeout: 120_000 }, async () => {
  const file = join(newFolder(), 'keys.json')
  const [ann, ben] = ['ann', 'ben'].map((name) => ({ authorization: `Bearer ${addKey(file, name)}` }))
  expect(() => addKey(file, 'ann')).toThrow('expected a new name, got ann')
  const server = await start({ keys: readKeys(file) })
  const input = await picture(5)
  expect((await send(`${server.address}/v1/restore`, input)).status).toBe(401)
  const wrong = { authorization: 'Bearer limpid_wrong' }
  expect((await send(`${server.address}/v1/restore`, input, { headers: wrong })).status).toBe(401)
  const put = (headers = {}) => send(`${server.address}/v1/jobs/mine`, input, { method: 'PUT', headers })
  await put(ann)
  expect(await ended(server.address, '/v1/jobs/mine', ann)).toMatchObject({ state: 'succeeded' })
  const result = (headers = {}) => fetch(`${server.address}/v1/jobs/mine/result`, { headers })
  expect((await result(ann)).status).toBe(200)
  expect((await result(ben)).status).toBe(404)
  // The same picture of another key is restored anew: nobody learns what others have sent.
  expect(await (await put(ben)).json()).toMatchObject({ state: expect.stringMatching(/queued|running/) })
  expect(await ended(server.address, '/v1/jobs/mine', ben)).toMatchObject({ attempts: 1 })
  await server.stop(0)
})

test('takes pictures by address from listed hosts alone, over redirections', {
  timeout: 120_000,
}, async () => {
  const input = await picture(6)
  const host = createServer(({ url = '' }, answer) => {
    if (url === '/a.png') answer.writeHead(200, png).end(input)
    else if (url === '/moved') answer.writeHead(302, { location: '/a.png' }).end()
    else if (url === '/away') answer.writeHead(302, { location: 'http://169.254.169.254/secret' }).end()
    else if (url === '/circle') answer.writeHead(302, { location: '/circle' }).end()
    else answer.writeHead(404).end()
  })
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  const { port } = host.address() as AddressInfo
  const sources = new Sources({ hosts: ['127.0.0.1'], areInternal: true })
  const server = await start({ sources })
  const restore = (url: string, from: TestServer = server) =>
    fetch(`${from.address}/v1/restore?${new URLSearchParams({ url })}`, { method: 'POST' })
  const direct = await send(`${server.address}/v1/restore`, input)
  const expected = Buffer.from(await direct.arrayBuffer())
  for (const path of ['a.png', 'moved']) {
    const answer = await restore(`http://127.0.0.1:${port}/${path}`)
    expect(Buffer.from(await answer.arrayBuffer()).equals(expected)).toBe(true)
  }
  for (const [url, code] of [
    [`http://127.0.0.1:${port}/away`, 'forbidden'],
    [`http://127.0.0.1:${port}/circle`, 'unreachable'],
    [`http://127.0.0.1:${port}/none`, 'unreachable'],
    [`http://localhost:${port}/a.png`, 'forbidden'],
    [`http://user:secret@127.0.0.1:${port}/a.png`, 'forbidden'],
    ['file:///etc/passwd', 'forbidden'],
  ] as const)
    expect(await (await restore(url)).json(), url).toMatchObject({ code })
  const guarded = await start({
    sources: new Sources({ hosts: ['localhost', '127.0.0.1'], areInternal: false }),
  })
  for (const name of ['localhost', '127.0.0.1'])
    expect(await (await restore(`http://${name}:${port}/a.png`, guarded)).json()).toMatchObject({
      code: 'forbidden',
    })
  const closed = await start()
  expect((await restore(`http://127.0.0.1:${port}/a.png`, closed)).status).toBe(403)
  for (const one of [server, guarded, closed]) await one.stop(0)
  host.close()
})

test('tells the address of a job how it ended, signed, and listed hosts alone', async () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const got: { headers: IncomingHttpHeaders; body: string }[] = []
  const host = createServer(async (request, answer) => {
    let body = ''
    for await (const part of request) body += part
    got.push({ headers: request.headers, body })
    answer.writeHead(request.url?.startsWith('/refuse') ? 500 : 204).end()
  })
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  const { port } = host.address() as AddressInfo
  const hosts = new ListedHosts({ hosts: ['127.0.0.1'], areInternal: true })
  let logged = ''
  const log = { write: (line: string) => (logged += line) }
  const server = await start({ webhooks: { hosts, secret }, log, metricsPort: 0 })
  const put = async (from: TestServer, webhook: string, id = 'told') =>
    send(`${from.address}/v1/jobs/${id}?${new URLSearchParams({ webhook })}`, await picture(3), {
      method: 'PUT',
    })
  expect((await put(server, `http://localhost:${port}/`)).status).toBe(403)
  expect((await put(server, `http://127.0.0.1:${port}/hook`)).status).toBe(202)
  await expect.poll(() => got.length).toBe(1)
  const [{ headers, body } = { headers: {}, body: '' }] = got
  expect(JSON.parse(body)).toMatchObject({ type: 'job.succeeded', data: { id: 'told', state: 'succeeded' } })
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const signature = createHmac('sha256', Buffer.alloc(32, 7)).update(signed).digest('base64')
  expect(headers['webhook-signature']).toBe(`v1,${signature}`)
  expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60)
  // What does not arrive is told, without the address.
  await put(server, `http://127.0.0.1:${port}/refuse?secret`, 'refused')
  await expect.poll(() => logged).toContain('a webhook was not told')
  expect(logged).toMatch(new RegExp(`"job":"refused","host":"127.0.0.1:${port}","reason":"status 500"`))
  expect(logged).not.toContain('secret')
  const metrics = await (await fetch(server.metricsAddress ?? '')).text()
  for (const result of ['delivered', 'failed'])
    expect(metrics).toContain(`limpid_webhooks_total{result="${result}"} 1`)
  await server.stop(0)
  const deaf = await start()
  expect((await put(deaf, `http://127.0.0.1:${port}/hook`)).status).toBe(403)
  await deaf.stop(0)
  host.close()
})

test('serves the app beside its own addresses, isolated, and nothing outside its folders', async () => {
  const folder = newFolder()
  for (const name of ['app/v1', 'weights', 'data']) mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, 'app/index.html'), '<p>app</p>')
  writeFileSync(join(folder, 'app/v1/models'), 'not the models')
  writeFileSync(join(folder, 'weights/w.safetensors'), 'weights')
  writeFileSync(join(folder, 'secret'), 'secret')
  const keys = readKeys(keyFile())
  const app = { folder: join(folder, 'app'), besides: { weights: join(folder, 'weights') } }
  const server = await start({ app, keys }, join(folder, 'data'))
  const page = await fetch(`${server.address}/`)
  expect(await page.text()).toBe('<p>app</p>')
  for (const [name, value] of Object.entries(pageHeaders)) expect(page.headers.get(name)).toBe(value)
  expect(await (await fetch(`${server.address}/weights/w.safetensors`)).text()).toBe('weights')
  expect((await fetch(`${server.address}/`, { method: 'HEAD' })).status).toBe(200)
  // The API keeps its addresses, its keys and its own policy.
  expect((await fetch(`${server.address}/v1/models`)).status).toBe(401)
  const docs = await fetch(`${server.address}/docs`)
  expect(docs.headers.get('content-security-policy')).not.toBe(pageHeaders['Content-Security-Policy'])
  for (const path of [
    '/nosuch',
    '/..%2fsecret',
    '/weights/..%2f..%2fsecret',
    '/weights%2f..%2f..%2fsecret',
    '/%00',
  ]) {
    const answer = await fetch(`${server.address}${path}`)
    expect(answer.status, path).toBeGreaterThanOrEqual(400)
    expect(answer.headers.get('content-type'), path).toMatch('application/problem+json')
  }
  await server.stop(0)
})

test('pages of listed origins alone may call', async () => {
  const server = await start({ origins: ['https://photos.example'] })
  const ask = (origin: string) =>
    fetch(`${server.address}/v1/restore`, { method: 'OPTIONS', headers: { origin } })
  expect((await ask('https://photos.example')).headers.get('access-control-allow-origin')).toBe(
    'https://photos.example',
  )
  expect((await ask('https://other.example')).headers.get('access-control-allow-origin')).toBeNull()
  await server.stop(0)
})
