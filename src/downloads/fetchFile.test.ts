// Fetching from servers that fail in every way, on this machine.

import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { randomFor } from '../degrade/namedRandom.ts'
import type { RemoteFile } from '../registry/downloads.ts'
import { type FetchFileOptions, fetchFile } from './fetchFile.ts'
import { isStored } from './store.ts'
import { statedSize } from './transfer.ts'

const scratch = mkdtempSync(join(tmpdir(), 'limpid-fetch-'))
let folder = ''
let servers: Server[] = []

beforeEach(() => {
  folder = mkdtempSync(join(scratch, 'models-'))
  vi.stubEnv('LIMPID_MODELS', folder)
  vi.stubEnv('LIMPID_OFFLINE', '')
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'])
    vi.stubEnv(name, undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  servers = []
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const random = randomFor(1, 'fetch')
const content = Buffer.from(Uint8Array.from({ length: 400_000 }, () => 256 * random.uniform()))
const sha256 = createHash('sha256').update(content).digest('hex')
const limits = { pauseMs: 5, retryAfterMs: 2000 }

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

/** Starts a server and returns its address; `count` is the number of the request, from 1. */
async function serve(
  handler: Handler,
): Promise<{ readonly address: string; readonly requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    handler(request, response, requests.length)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('expected a port')
  return { address: `http://127.0.0.1:${address.port}/weights.pth`, requests }
}

/** First byte asked for; 0 for the whole file. */
function startOf({ headers }: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
}

/** Answers as a good server does, up to `end` bytes of the file, then cuts the connection. */
function answer(request: IncomingMessage, response: ServerResponse, end = content.length): void {
  const start = startOf(request)
  const headers = { etag: '"one"', 'content-length': content.length - start }
  const range = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }
  response.writeHead(start > 0 ? 206 : 200, start > 0 ? { ...headers, ...range } : headers)
  if (end === content.length) response.end(content.subarray(start))
  else response.write(content.subarray(start, end), () => response.socket?.end())
}

const whole: Handler = (request, response) => answer(request, response)

function file(facts: Partial<RemoteFile> = {}): RemoteFile {
  return { name: 'weights.pth', sizeBytes: content.length, sha256, ...facts }
}

function get(facts: Partial<RemoteFile>, options: Partial<FetchFileOptions> = {}) {
  return fetchFile(file(facts), { check: () => {}, ...options, limits: { ...limits, ...options.limits } })
}

/** The file is there whole, and nothing else but `others`. */
function expectWhole(...others: readonly string[]): void {
  expect(readFileSync(join(folder, 'weights.pth')).equals(content)).toBe(true)
  expect(readdirSync(folder).sort()).toEqual(['weights.pth', ...others].sort())
}

const kept = () => readdirSync(folder).sort()

describe('a server that', () => {
  test('answers at once gives the file, and is not asked again', async () => {
    const { address, requests } = await serve(whole)
    const progress: (readonly [number, number | undefined])[] = []
    const fetched = await get({ address }, { onProgress: (...event) => progress.push(event) })
    expect(fetched).toMatchObject({
      path: join(folder, 'weights.pth'),
      sizeBytes: content.length,
      sha256,
      isNew: true,
    })
    expectWhole()
    expect(progress.at(-1)).toEqual([content.length, content.length])
    expect(await get({ address })).toMatchObject({ isNew: false })
    expect(requests).toHaveLength(1)
  })

  test('cuts connections at random places is asked for the rest alone', async () => {
    const cuts = [1013, 70_001, 90_002, 250_000, 399_999]
    const { address, requests } = await serve((request, response, count) =>
      answer(request, response, cuts[count - 1] ?? content.length),
    )
    const notes: string[] = []
    await get({ address }, { onNote: (note) => notes.push(note) })
    expectWhole()
    expect(requests.map(startOf)).toEqual([0, ...cuts])
    expect(notes[0]).toMatch(/weights\.pth: the connection .*; trying again/)
  })

  test('cuts every connection without a byte is left after five attempts, what came is kept', async () => {
    const { address, requests } = await serve((request, response, count) =>
      answer(request, response, count === 1 ? 1000 : startOf(request)),
    )
    await expect(get({ address })).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(/after 6 attempts; what came is kept: try again later, or .*--from/),
    })
    expect(kept()).toEqual(['weights.pth.part', 'weights.pth.part.json'])
    expect(requests).toHaveLength(6)
  })

  test('ignores Range starts again, and the bytes are right', async () => {
    const { address } = await serve((request, response, count) => {
      delete request.headers.range
      answer(request, response, count === 1 ? 100_000 : content.length)
    })
    await get({ address })
    expectWhole()
  })

  test('answers another range than the one asked for is asked for the whole file', async () => {
    const { address, requests } = await serve((request, response, count) => {
      if (count !== 2) return answer(request, response, count === 1 ? 100_000 : content.length)
      response.writeHead(206, { 'content-range': `bytes 5-${content.length - 1}/${content.length}` })
      return response.end(content.subarray(5))
    })
    await get({ address })
    expectWhole()
    expect(requests.map(startOf)).toEqual([0, 100_000, 0])
  })

  test('has another file meanwhile sends all of it, by its ETag', async () => {
    const { address, requests } = await serve((request, response) => {
      expect(request.headers['if-range']).toBe('"old"')
      delete request.headers.range
      answer(request, response)
    })
    writeFileSync(join(folder, 'weights.pth.part'), Buffer.alloc(5000))
    writeFileSync(join(folder, 'weights.pth.part.json'), JSON.stringify({ address, validator: '"old"' }))
    await get({ address, sha256: sha256.slice(0, 8), sizeBytes: undefined })
    expectWhole('weights.pth.json')
    expect(requests).toHaveLength(1)
  })

  test.each([
    ['bytes without a known source', undefined],
    ['bytes of another address', { address: 'http://127.0.0.1:9/other', validator: '"one"' }],
  ])('gets nothing appended to %s where no hash would tell', async (_, state) => {
    const { address, requests } = await serve(whole)
    writeFileSync(join(folder, 'weights.pth.part'), Buffer.alloc(5000))
    if (state) writeFileSync(join(folder, 'weights.pth.part.json'), JSON.stringify(state))
    await get({ address, sha256: undefined, sizeBytes: undefined })
    expectWhole('weights.pth.json')
    expect(requests.map(startOf)).toEqual([0])
  })

  test('continues bytes that were wrong: the hash tells, and all of it is fetched once more', async () => {
    const { address, requests } = await serve(whole)
    writeFileSync(join(folder, 'weights.pth.part'), Buffer.alloc(5000))
    const notes: string[] = []
    await get({ address }, { onNote: (note) => notes.push(note) })
    expectWhole()
    expect(requests.map(startOf)).toEqual([5000, 0])
    expect(notes).toEqual([expect.stringContaining('fetching all of it')])
  })

  test('has no more than what is kept (416) is done', async () => {
    const { address } = await serve((_, response) => {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
    })
    writeFileSync(join(folder, 'weights.pth.part'), content)
    writeFileSync(join(folder, 'weights.pth.part.json'), JSON.stringify({ address, validator: '"one"' }))
    await get({ address, sha256: undefined, sizeBytes: undefined })
    expectWhole('weights.pth.json')
  })

  test('sends wrong bytes is refused by the hash, and nothing is kept', async () => {
    const { address } = await serve((_, response) => response.end(Buffer.alloc(content.length)))
    await expect(get({ address })).rejects.toMatchObject({
      code: 'checkpoint',
      message: expect.stringMatching(
        /weights\.pth: expected a file of sha256 [0-9a-f]{64}, got [0-9a-f]{64}; nothing was kept/,
      ),
    })
    expect(kept()).toEqual([])
  })

  test('sends wrong bytes is refused by the first digits of the hash', async () => {
    const { address } = await serve((_, response) => response.end(Buffer.alloc(content.length)))
    await expect(get({ address, sha256: sha256.slice(0, 8) })).rejects.toThrow(
      `expected a file of sha256 ${sha256.slice(0, 8)}, got`,
    )
    expect(kept()).toEqual([])
  })

  test('stalls is left after a time without bytes, and continued', async () => {
    const { address, requests } = await serve((request, response, count) => {
      if (count > 1) return answer(request, response)
      response.writeHead(200, { 'content-length': content.length, etag: '"one"' })
      return response.write(content.subarray(0, 1000))
    })
    const notes: string[] = []
    await get({ address }, { onNote: (note) => notes.push(note), limits: { stallMs: 300 } })
    expectWhole()
    expect(requests.map(startOf)).toEqual([0, 1000])
    expect(notes).toEqual(['weights.pth: no bytes came for 0.3 s; trying again'])
  })

  test('never answers is left after a time', async () => {
    const { address } = await serve(() => {})
    await expect(get({ address }, { limits: { stallMs: 300, fruitlessAttempts: 2 } })).rejects.toThrow(
      /no bytes came for 0\.3 s, after 2 attempts/,
    )
  })

  test.each([
    ['shorter', content.length - 1000],
    ['longer', content.length + 1000],
  ])('states a %s length than the file is known to have is refused', async (_, length) => {
    const { address } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': length })
      response.write(content.subarray(0, Math.min(length, content.length)), () => response.destroy())
    })
    await expect(get({ address })).rejects.toThrow(
      `expected a file of ${content.length} bytes, got one of ${length}`,
    )
    expect(kept()).toEqual([])
  })

  test('states a longer length than it sends, for a file of unknown size, is asked for the rest and left', async () => {
    const { address } = await serve((request, response) => {
      const start = startOf(request)
      response.writeHead(start > 0 ? 206 : 200, {
        etag: '"one"',
        'content-length': content.length + 10 - start,
        'content-range': `bytes ${start}-${content.length + 9}/${content.length + 10}`,
      })
      response.write(content.subarray(start), () => response.socket?.end())
    })
    await expect(get({ address, sizeBytes: undefined })).rejects.toThrow(
      /after 6 attempts; what came is kept/,
    )
  })

  test('states a shorter length than it sends is refused by the content', async () => {
    const { address } = await serve((request, response) => {
      request.socket.end(
        `HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n${content.toString('latin1')}`,
        'latin1',
      )
      response.destroy()
    })
    const check = (path: string) => {
      if (!readFileSync(path).equals(content)) throw new Error('not whole')
    }
    await expect(get({ address, sizeBytes: undefined, sha256: undefined }, { check })).rejects.toThrow(
      'not whole',
    )
    expect(kept()).toEqual([])
  })

  test('sends more than it should is cut off, and nothing is kept', async () => {
    let sent = 0
    const { address } = await serve((_, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' })
      const more = () => {
        while (!response.destroyed && response.write(content)) sent += content.length
        sent += content.length
      }
      response.on('drain', more)
      more()
    })
    await expect(get({ address })).rejects.toThrow(`expected at most ${content.length} bytes, got more`)
    expect(sent).toBeLessThan(100 * content.length)
    expect(kept()).toEqual([])
    await expect(
      get({ address, sizeBytes: undefined, sha256: undefined }, { limits: { sizeBytes: 500_000 } }),
    ).rejects.toThrow('expected at most 500000 bytes, got more')
  })

  test.each([
    ['gzip', gzipSync(content)],
    ['identity', content],
  ])('encodes by %s unasked is decoded', async (encoding, body) => {
    const { address } = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity')
      response.writeHead(200, { 'content-encoding': encoding, 'content-length': body.length }).end(body)
    })
    await get({ address })
    expectWhole()
  })

  test('cuts what it has compressed is asked from the start', async () => {
    const body = gzipSync(content)
    const { address } = await serve((_, response, count) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length })
      if (count > 1) response.end(body)
      else response.write(body.subarray(0, 100_000), () => response.destroy())
    })
    await get({ address, sha256: undefined })
    expectWhole('weights.pth.json')
  })

  test('compresses without end is cut off', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000))
    const { address } = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    )
    await expect(get({ address })).rejects.toThrow(`expected at most ${content.length} bytes, got more`)
    expect(kept()).toEqual([])
  })

  test('encodes in a way that is not known is refused', async () => {
    const { address } = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'zstd' }).end('x'),
    )
    await expect(get({ address })).rejects.toThrow('expected plain bytes, got the encoding zstd')
  })

  test.each([401, 403, 404, 410])('answers %i is refused at once', async (status) => {
    const { address, requests } = await serve((_, response) => response.writeHead(status).end('no'))
    await expect(get({ address })).rejects.toThrow(
      `expected a file, got HTTP status ${status}; check the address, or pass`,
    )
    expect(requests).toHaveLength(1)
    expect(kept()).toEqual([])
  })

  test.each([429, 503])('answers %i is asked again after the time it states', async (status) => {
    const times: number[] = []
    const { address } = await serve((request, response, count) => {
      times.push(performance.now())
      if (count > 1) answer(request, response)
      else response.writeHead(status, { 'retry-after': '1' }).end()
    })
    await get({ address })
    expectWhole()
    expect(times[1]! - times[0]!).toBeGreaterThan(990)
  })

  test('wants an hour of patience is left, with the time', async () => {
    const { address, requests } = await serve((_, response) =>
      response.writeHead(503, { 'retry-after': '3600' }).end(),
    )
    await expect(get({ address })).rejects.toThrow('asks to come back in 3600 s')
    expect(requests).toHaveLength(1)
  })

  test.each([301, 302, 303, 307, 308])('redirects by %i is followed, relatively too', async (status) => {
    const { address } = await serve((request, response) => {
      if (request.url === '/weights.pth') response.writeHead(status, { location: '../b/file?token=1' }).end()
      else if (request.url === '/b/file?token=1') answer(request, response)
      else response.writeHead(404).end()
    })
    await get({ address })
    expectWhole()
  })

  test('redirects in a circle, or without end, is refused', async () => {
    const circle = await serve((request, response) =>
      response.writeHead(302, { location: request.url === '/a' ? '/weights.pth' : '/a' }).end(),
    )
    await expect(get({ address: circle.address })).rejects.toThrow('redirects in a circle, back to')
    const endless = await serve((_, response, count) =>
      response.writeHead(302, { location: `/${count}` }).end(),
    )
    await expect(get({ address: endless.address })).rejects.toThrow('redirects more than 10 times')
    expect(endless.requests.length).toBeLessThan(15)
  })

  test.each([
    ['file:///etc/passwd', 'which is neither http nor https'],
    ['ftp://127.0.0.1/x', 'which is neither http nor https'],
    ['http://name:secret@127.0.0.1/x', 'which holds a name or password'],
    [undefined, 'which is no address'],
    ['http://[', 'which is no address'],
  ])('redirects to %s is refused', async (location, reason) => {
    const { address } = await serve((_, response) =>
      response.writeHead(302, location === undefined ? {} : { location }).end(),
    )
    await expect(get({ address })).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(reason),
    })
    await expect(get({ address })).rejects.not.toThrow('secret')
  })
})

test('the size that a server states is asked for once, and no error stops it', async () => {
  const { address, requests } = await serve(whole)
  expect(await statedSize(new URL(address))).toBe(content.length)
  const broken = await serve((_, response) => response.destroy())
  expect(await statedSize(new URL(broken.address))).toBeUndefined()
  expect([requests.length, broken.requests.length]).toEqual([1, 1])
})

test('a cancellation keeps what came, and the next call continues', async () => {
  const { address, requests } = await serve((request, response, count) => {
    if (count > 1) return answer(request, response)
    response.writeHead(200, { 'content-length': content.length, etag: '"one"' })
    return response.write(content.subarray(0, 1000))
  })
  const controller = new AbortController()
  const onProgress = (done: number) => {
    if (done === 1000) controller.abort()
  }
  await expect(
    get({ address, sha256: undefined }, { signal: controller.signal, onProgress }),
  ).rejects.toMatchObject({
    code: 'aborted',
    message: expect.stringContaining('1000 bytes are kept, and the same command continues'),
  })
  expect(kept()).toEqual(['weights.pth.part', 'weights.pth.part.json'])
  await get({ address, sha256: undefined })
  expectWhole('weights.pth.json')
  expect(requests.map(startOf)).toEqual([0, 1000])
})

test('a cancellation ends pauses and silences at once', async () => {
  const { address } = await serve((_, response) => response.writeHead(503, { 'retry-after': '60' }).end())
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 50)
  await expect(
    get({ address }, { signal: controller.signal, limits: { retryAfterMs: 100_000 } }),
  ).rejects.toMatchObject({ code: 'aborted' })
  await expect(get({ address }, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' })
})

test('of two that fetch one file at once, one does and the other waits', async () => {
  const { address, requests } = await serve(whole)
  const notes: string[] = []
  const both = await Promise.all([get({ address }), get({ address }, { onNote: (note) => notes.push(note) })])
  expect(both.map(({ isNew }) => isNew).sort()).toEqual([false, true])
  expectWhole()
  expect(requests).toHaveLength(1)
  expect(notes).toEqual([expect.stringMatching(/process \d+ is fetching it; waiting for it/)])
})

test('a file whose hash is not known is checked by its content once, and by its hash from then on', async () => {
  const { address, requests } = await serve(whole)
  const checked: string[] = []
  const facts = { address, sha256: undefined, sizeBytes: undefined }
  const check = (path: string) => {
    expect(readFileSync(path).equals(content)).toBe(true)
    checked.push(path)
  }
  await get(facts, { check })
  expectWhole('weights.pth.json')
  expect(JSON.parse(readFileSync(join(folder, 'weights.pth.json'), 'utf8'))).toEqual({ sha256, address })
  await get(facts, { check })
  expect(checked).toEqual([join(folder, 'weights.pth.part')])
  const damaged = Buffer.from(content)
  damaged[7] = 255 - damaged[7]!
  writeFileSync(join(folder, 'weights.pth'), damaged)
  const notes: string[] = []
  await get(facts, { check, onNote: (note) => notes.push(note) })
  expectWhole('weights.pth.json')
  expect(notes).toEqual([expect.stringContaining('has changed since it was fetched')])
  expect(requests).toHaveLength(2)
})

test('a file that its check refuses is not kept', async () => {
  const { address } = await serve(whole)
  const check = () => {
    throw new Error('no network of this kind')
  }
  await expect(get({ address, sha256: undefined }, { check })).rejects.toThrow('no network of this kind')
  expect(kept()).toEqual([])
  expect(isStored(file({ address, sha256: undefined }))).toBe(false)
})

test.skipIf(!existsSync('/dev/full'))('a full disk is named', async () => {
  const { address } = await serve(whole)
  symlinkSync('/dev/full', join(folder, 'weights.pth.part'))
  await expect(get({ address })).rejects.toMatchObject({
    code: 'output',
    message: expect.stringMatching(/weights\.pth\.part: cannot be written: the disk is full \(ENOSPC\)/),
  })
})

test('a file that the disk has no room for is refused before it comes', async () => {
  const { address } = await serve((_, response) => response.writeHead(200, { 'content-length': 1e15 }).end())
  await expect(get({ address, sizeBytes: undefined })).rejects.toThrow('the disk is full')
})

describe('other sources', () => {
  test('a mirror that is a folder has the file by its name, one that is a file has any', async () => {
    const { address, requests } = await serve(whole)
    const mirror = address.replace('weights.pth', 'mirror/')
    await get({ address: 'https://127.0.0.1:9/none' }, { from: mirror })
    expectWhole()
    expect(requests[0]?.url).toBe('/mirror/weights.pth')
  })

  test.each([
    ['a file', 'mine.bin', ''],
    ['a folder', 'weights.pth', '.'],
  ])('%s on this machine is copied, offline too', async (_, name, at) => {
    vi.stubEnv('LIMPID_OFFLINE', '1')
    const source = mkdtempSync(join(scratch, 'source-'))
    writeFileSync(join(source, name), content)
    await get({}, { from: at === '' ? join(source, name) : source })
    expectWhole()
    expect(statSync(join(source, name)).size).toBe(content.length)
    await expect(get({ name: 'other.pth' }, { from: join(source, 'none') })).rejects.toThrow(
      'none: no such file',
    )
  })

  test('LIMPID_OFFLINE forbids the network', async () => {
    vi.stubEnv('LIMPID_OFFLINE', '1')
    const { address, requests } = await serve(whole)
    await expect(get({ address })).rejects.toMatchObject({
      code: 'environment',
      message:
        'weights.pth: cannot be fetched while LIMPID_OFFLINE is set; unset it, or pass a file with --from FILE',
    })
    expect(requests).toEqual([])
  })

  test.each(['ftp://127.0.0.1/x', 'file:///etc/passwd', 'https://name:secret@127.0.0.1/x'])(
    '%s is refused',
    async (from) => {
      await expect(get({}, { from })).rejects.toMatchObject({ code: 'usage' })
      await expect(get({}, { from })).rejects.not.toThrow('secret')
    },
  )
})

describe('proxies', () => {
  /** A proxy that forwards, and counts the tunnels through it. */
  async function proxy() {
    const tunnels: string[] = []
    const server = createServer((_, response) => response.writeHead(405).end())
    server.on('connect', ({ url = '' }, socket) => {
      tunnels.push(url)
      const [host = '', port] = url.split(':')
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        upstream.pipe(socket).pipe(upstream)
      })
      for (const end of [upstream, socket]) end.on('error', () => {})
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { readonly port: number }
    return { address: `http://127.0.0.1:${port}`, tunnels }
  }

  test('of HTTP_PROXY are used, except for hosts in NO_PROXY', async () => {
    const { address } = await serve(whole)
    const { address: through, tunnels } = await proxy()
    vi.stubEnv('HTTP_PROXY', through)
    await get({ address })
    expectWhole()
    expect(tunnels).toEqual([new URL(address).host])
    vi.stubEnv('NO_PROXY', '127.0.0.1')
    await get({ address, name: 'other.pth' })
    expect(tunnels).toHaveLength(1)
  })
})
