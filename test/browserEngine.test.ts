// The engine of limpid/web in a real browser: what a file keeps, what happens when something fails, and that nothing
// leaves the page's origin.

import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeSafetensors } from '../src/checkpoints/safetensors.ts'
import { profileOfPoints } from '../src/data/colors/codingPoints.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { encodeBytes } from '../src/data/encode.ts'
import { createAutoRestorer, createRestorer } from '../src/index.ts'
import { LightInspect, lightInspectDefaults } from '../src/models/lightInspect/lightInspect.ts'
import { randomInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import type { EngineRequest } from '../src/web.ts'
import { browserBundle } from './browserBundle.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const softwareGraphics = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

/** The worker, with faults that a test asks for by its address or by a message to the one that computes. */
const worker = `
  import { serveRestorer } from './src/web.ts'
  const webgpu = () => import('onnxruntime-web/webgpu')
  if (location.search === '?full')
    Cache.prototype.put = async () => { throw new DOMException('no space left', 'QuotaExceededError') }
  if (self.name === 'limpid-compute')
    new BroadcastChannel('faults').onmessage = async ({ data }) => {
      if (data === 'lose') (await (await webgpu()).env.webgpu.device).destroy()
      else setTimeout(() => { throw new Error('killed') })
    }
  serveRestorer({ webgpu, wasm: () => import('onnxruntime-web/wasm') })
`

const page = `
  import { createEngine } from './src/web.ts'
  const base64 = async (blob) => new Promise((resolve) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result.split(',')[1])
    reader.readAsDataURL(blob)
  })
  const faults = new BroadcastChannel('faults')
  const blobOf = async (url) => (await fetch(url)).blob()
  const engines = new Map()
  const engineOf = ({ search = '', ...options }) => {
    const key = search + JSON.stringify(options)
    const worker = () => new Worker('/worker.js' + search, { type: 'module' })
    const made = engines.get(key) ?? createEngine({ worker, wasmPaths: 'ort/', device: 'cpu', threads: 1, ...options })
    engines.set(key, made)
    return made
  }
  globalThis.engineOf = engineOf
  globalThis.plan = async (url, guide) => engineOf({}).plan(await blobOf(url), { guide: await blobOf(guide) })
  globalThis.restore = async (url, { engine = {}, encodings = [], fault, ...request }) => {
    const tiles = []
    const onTile = ({ left, top, width, height }) => {
      tiles.push([left, top, width, height])
      if (tiles.length === 2 && fault) faults.postMessage(fault)
    }
    const result = await engineOf(engine).run(await blobOf(url), { ...request, onTile })
    const { data, ...raw } = result.raw()
    const files = []
    for (const encoding of encodings) files.push(await base64(await result.toBlob(encoding)))
    return { info: result.info, tiles, raw, data: await base64(new Blob([data])), files }
  }
  globalThis.cancel = async (url, request) => {
    const controller = new AbortController()
    const onTile = () => controller.abort()
    const running = engineOf({}).run(await blobOf(url), { ...request, onTile, signal: controller.signal })
    return running.catch((error) => error.code)
  }
`

type Restored = {
  readonly info: { readonly device: string; readonly notes: readonly string[]; readonly threads: number }
  readonly tiles: readonly (readonly number[])[]
  readonly raw: {
    readonly width: number
    readonly height: number
    readonly channels: number
    readonly depth: number
  }
  readonly data: string
  readonly files: readonly string[]
}

/** Answers of the server that are wrong in one byte, by address. */
const flips = new Map<string, number>()

/** Addresses that were asked for. */
const served = new Set<string>()

function serve(files: ReadonlyMap<string, Uint8Array>): Server {
  const runtime = join(root, 'node_modules', 'onnxruntime-web', 'dist')
  return createServer(({ url: address = '' }, response) => {
    const [url = ''] = address.split('?')
    const bytes = url.startsWith('/ort/') ? readFileSync(join(runtime, basename(url))) : files.get(url)
    const left = flips.get(url) ?? 0
    served.add(url)
    const body =
      bytes && left > 0 ? Uint8Array.from(bytes, (byte, i) => (i === 9999 ? byte ^ 1 : byte)) : bytes
    if (left > 0) flips.set(url, left - 1)
    const types = {
      js: 'text/javascript',
      mjs: 'text/javascript',
      wasm: 'application/wasm',
      html: 'text/html',
    }
    response.setHeader('Content-Type', types[url.split('.').at(-1) as 'js'] ?? 'application/octet-stream')
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    response.setHeader('Cache-Control', 'no-store')
    response.writeHead(body ? 200 : 404).end(body)
  })
}

/** Soft colors with an edge, 48 × 40. */
function samples(channels: number, is16Bit = false): Uint8Array | Uint16Array {
  const count = 48 * 40 * channels
  const value = (i: number) => {
    const [x, c] = [Math.floor(i / channels) % 48, i % channels]
    if (channels % 2 === 0 && c === channels - 1) return 255 - ((x * 5) % 255)
    return Math.min(255, 40 + x * 3 + c * 20 + (x > 24 ? 50 : 0))
  }
  return is16Bit
    ? Uint16Array.from({ length: count }, (_, i) => value(i) * 257 + (i % 199))
    : Uint8Array.from({ length: count }, (_, i) => value(i))
}

const p3 = profileOfPoints({ primaries: 12, transfer: 13 })!
const raw = (channels: 1 | 2 | 3 | 4) =>
  sharp(samples(channels), { raw: { width: 48, height: 40, channels } })

/** A camera's JPEG: turned, with a profile, a place and a description. */
async function camera(): Promise<Buffer> {
  const pixels = { width: 48, height: 40, channels: 3, hasAlpha: false, data: samples(3) }
  const jpeg = await encodeBytes({ pixels, depth: 8, format: 'jpeg', metadata: { icc: p3 } })
  const gps = { GPSLatitudeRef: 'N', GPSLatitude: '59/1 20/1 0/1' }
  return sharp(jpeg, { ignoreIcc: true })
    .keepIccProfile()
    .jpeg({ quality: 90, chromaSubsampling: '4:2:0', progressive: true })
    .withExif({ IFD0: { Artist: 'Jane' }, IFD3: gps })
    .withMetadata({ orientation: 6 })
    .toBuffer()
}

describe.skipIf(!existsSync(executablePath))('the engine in a browser', () => {
  let [server, browser, tab]: [Server?, Browser?, Page?] = []
  const photos: Record<string, Buffer> = {}
  const requests: string[] = []
  let url = ''
  const inspector = join(mkdtempSync(join(tmpdir(), 'engine-')), 'inspect.safetensors')

  beforeAll(async () => {
    photos['/camera.jpg'] = await camera()
    // As a number of 32 bits, by which browsers turn no picture.
    photos['/long.jpg'] = Buffer.from(
      photos['/camera.jpg']!.toString('latin1').replace(
        '\x12\x01\x03\0\x01\0\0\0\x06',
        '\x12\x01\x04\0\x01\0\0\0\x06',
      ),
      'latin1',
    )
    photos['/turned.webp'] = await raw(3).webp({ lossless: true }).withMetadata({ orientation: 5 }).toBuffer()
    photos['/clear.webp'] = await raw(3)
      .ensureAlpha(0.7)
      .webp({ lossless: true })
      .withMetadata({ orientation: 8 })
      .toBuffer()
    photos['/turned.avif'] = readFileSync(join(root, 'test', 'golden', 'heic', 'turned.avif'))
    photos['/clear.avif'] = await raw(4).avif({ lossless: true }).toBuffer()
    photos['/gray.jpg'] = await raw(1).jpeg().toBuffer()
    photos['/deep.png'] = Buffer.from(
      await encodeBytes({
        pixels: { width: 48, height: 40, channels: 3, hasAlpha: false, data: samples(3, true) },
        depth: 16,
        format: 'png',
      }),
    )
    photos['/interlaced.png'] = await raw(4).png({ progressive: true }).toBuffer()
    photos['/palette.png'] = await raw(3).png({ palette: true, colours: 16 }).toBuffer()
    photos['/noisy.png'] = await sharp(join(root, 'examples', 'noisy.jpg'))
      .extract({ left: 160, top: 200, width: 150, height: 130 })
      .png()
      .toBuffer()
    let count = 0
    const network = new LightInspect(
      randomInit(() => (++count * 0.618) % 1),
      lightInspectDefaults,
    )
    const tensors = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
    writeFileSync(inspector, encodeSafetensors(tensors))
    const text = (value: string) => new TextEncoder().encode(value)
    const weights = ['light-photo', 'light-tone', 'light-upscale-x2'].map((id): [string, Uint8Array] => {
      return [`/weights/${id}.safetensors`, readFileSync(join(root, 'weights', `${id}.safetensors`))]
    })
    server = serve(
      new Map<string, Uint8Array>([
        ['/page.html', text('<script type="module" src="/page.js"></script>')],
        ['/page.js', await browserBundle(page)],
        ['/worker.js', await browserBundle(worker)],
        ['/inspect.safetensors', readFileSync(inspector)],
        ...Object.entries(photos),
        ...weights,
      ]),
    )
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', ...softwareGraphics] })
    const context = await browser.newContext()
    context.on('request', (request) => requests.push(request.url()))
    tab = await context.newPage()
    await tab.goto(`${url}/page.html`)
    await tab.waitForFunction('globalThis.restore')
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  const restore = (name: string, request: EngineRequest & Readonly<Record<string, unknown>>) =>
    tab?.evaluate(`restore('${name}', ${JSON.stringify(request)})`) as Promise<Restored>

  const samplesIn = ({ data, raw: { depth } }: Restored) => {
    const bytes = new Uint8Array(Buffer.from(data, 'base64'))
    return depth === 16 ? new Uint16Array(bytes.buffer) : bytes
  }

  /** Largest difference, in levels of 8 bits. */
  const difference = (a: ArrayLike<number>, b: ArrayLike<number>, peak = 255) => {
    expect(a.length).toBe(b.length)
    return Array.from(a, (value, i) => Math.abs(value - b[i]!) / (peak / 255)).reduce(
      (x, y) => Math.max(x, y),
      0,
    )
  }

  test.each([
    ['/camera.jpg', 'jpeg'],
    ['/long.jpg', 'jpeg'],
    ['/turned.webp', 'png'],
    ['/clear.webp', 'png'],
    ['/turned.avif', 'png'],
    ['/clear.avif', 'png'],
    ['/gray.jpg', 'jpeg'],
    ['/deep.png', 'png'],
    ['/interlaced.png', 'png'],
    ['/palette.png', 'png'],
  ])(
    '%s has the samples that Node reads, and its file keeps what Node keeps',
    async (name, format) => {
      await using restorer = await createRestorer({ model: 'light-photo', device: 'cpu' })
      const expected = await restorer.run(photos[name]!, { strength: 0 })
      const encodings = [
        { type: 'image/png' },
        { type: `image/${format}` },
        { type: 'image/png', strip: 'location' },
      ]
      const restored = await restore(name, { model: 'light-photo', strength: 0, encodings })
      const { data, icc: _, ...shape } = expected.raw()
      expect(restored.raw).toMatchObject(shape)
      expect(difference(samplesIn(restored), data, shape.depth === 16 ? 65535 : 255)).toBeLessThanOrEqual(1)
      const [png, same, placeless] = restored.files.map((file) => Buffer.from(file, 'base64'))
      for (const [file, options] of [
        [png, { format: 'png' }],
        [same, { format }],
        [placeless, { format: 'png', strip: 'location' }],
      ] as const) {
        const [own, nodes] = [await decodeBytes(file!), await decodeBytes(await expected.toBuffer(options))]
        expect({ depth: own.depth, ...own.metadata }).toEqual({ depth: nodes.depth, ...nodes.metadata })
        expect(own.pixels).toMatchObject({ width: nodes.pixels.width, channels: nodes.pixels.channels })
        expect(
          difference(own.pixels.data, nodes.pixels.data, nodes.depth === 16 ? 65535 : 255),
        ).toBeLessThanOrEqual(format === 'png' ? 1 : 24)
      }
    },
    120_000,
  )

  test('the CPU takes the build of ONNX Runtime without WebGPU', async () => {
    await restore('/gray.jpg', { model: 'light-photo' })
    const builds = [...served].filter((one) => one.endsWith('.wasm'))
    expect(builds).toEqual(['/ort/ort-wasm-simd-threaded.wasm'])
  }, 120_000)

  test.each([
    ['a crash of the worker that computes', 'cpu', 'crash', 112],
    // Graphics in software take ten seconds a tile, and twenty to start.
    ['a lost graphics device', 'webgpu', 'lose', 56],
  ])(
    'a picture survives %s, and no tile is restored twice',
    async (_, device, fault, width) => {
      const region = { left: 30, top: 20, width, height: 32 }
      const options = { model: 'light-photo', region, tile: 32, overlap: 8 }
      const undisturbed = await restore('/noisy.png', { ...options, engine: { device: 'cpu' } })
      const { tiles, info, ...disturbed } = await restore('/noisy.png', {
        ...options,
        engine: { device },
        fault,
      })
      expect(info.device).toBe(device)
      expect(tiles).toEqual(undisturbed.tiles)
      expect(
        difference(samplesIn({ tiles, info, ...disturbed }), samplesIn(undisturbed)),
      ).toBeLessThanOrEqual(1)
    },
    240_000,
  )

  test('a cancel rejects at once, and the next picture is restored', async () => {
    const options = { model: 'light-photo', tile: 64, overlap: 16 }
    expect(await tab?.evaluate(`cancel('/noisy.png', ${JSON.stringify(options)})`)).toBe('aborted')
    const restored = await restore('/noisy.png', options)
    expect(restored.tiles.length).toBeGreaterThan(4)
    expect(restored.info.threads).toBeGreaterThanOrEqual(1)
  }, 120_000)

  test('weights are kept by their hash, fetched again if a byte is wrong, and listed', async () => {
    const path = '/weights/light-upscale-x2.safetensors'
    const count = () => requests.filter((one) => one.endsWith(path)).length
    flips.set(path, 1)
    const enlarged = await restore('/gray.jpg', { task: 'upscale' })
    expect([enlarged.raw.width, count()]).toEqual([96, 2])
    const listed = await tab?.evaluate('engineOf({}).weights.list()')
    expect(listed).toContainEqual(
      expect.objectContaining({ name: 'light-upscale-x2.safetensors', sizeBytes: 1202608 }),
    )
    await restore('/gray.jpg', { task: 'upscale', engine: { memoryBytes: 2 ** 28 } })
    expect(count()).toBe(2)
    await tab?.evaluate(`(async () => {
      const store = engineOf({}).weights
      const { sha256 } = (await store.list()).find(({ name }) => name.startsWith('light-upscale'))
      await (await caches.open('limpid-weights')).put('/limpid-weights/' + sha256, new Response('damaged'))
    })()`)
    flips.set(path, 2)
    const failing = restore('/gray.jpg', { task: 'upscale', engine: { memoryBytes: 2 ** 29 } })
    await expect(failing).rejects.toThrow('light-upscale-x2.safetensors: expected a file of sha256')
  }, 120_000)

  test('without space, weights are used but not kept, and the result says so', async () => {
    const { info } = await restore('/gray.jpg', { task: 'tone', engine: { search: '?full' } })
    expect(info.notes).toContainEqual(expect.stringContaining('light-tone.safetensors was not kept'))
  }, 120_000)

  test('several tasks, and a region of a picture', async () => {
    const region = { left: 30, top: 20, width: 64, height: 48 }
    const several = await restore('/noisy.png', { task: 'photo,upscale', region })
    expect(several.raw).toMatchObject({ width: 128, height: 96, channels: 3 })
  }, 120_000)

  test('auto plans and repairs as in Node', async () => {
    await using restorer = await createAutoRestorer({ guide: inspector, device: 'cpu' })
    const plan = JSON.parse(JSON.stringify(await restorer.plan(photos['/noisy.png']!)))
    const found = (await tab?.evaluate(`plan('/noisy.png', '/inspect.safetensors')`)) as typeof plan
    expect(found.steps).toEqual(plan.steps)
    expect(found.findings.map(({ damage }: { damage: string }) => damage)).toEqual(
      plan.findings.map(({ damage }: { damage: string }) => damage),
    )
    const { info } = await restorer.run(photos['/noisy.png']!)
    const repaired = await restore('/noisy.png', { task: 'auto' })
    const told = (one: unknown) =>
      JSON.parse(JSON.stringify((one as { repair: { done: unknown } }).repair.done))
    expect(told(repaired.info).map(({ model }: { model: string }) => model)).toEqual(
      told(info).map(({ model }: { model: string }) => model),
    )
  }, 240_000)

  test('no request leaves the origin', () => {
    expect(requests.length).toBeGreaterThan(5)
    expect(
      requests.filter((one) => !one.startsWith(url) && !one.startsWith('blob:') && !one.startsWith('data:')),
    ).toEqual([])
  })
})
