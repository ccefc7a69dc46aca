// limpid/web in a real browser: Debian's Chromium, or the one in CHROMIUM.

import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { profileOfPoints } from '../src/data/colors/codingPoints.ts'
import { readProfile } from '../src/data/colors/iccProfile.ts'
import { encodeBytes } from '../src/data/encode.ts'
import { createRestorer } from '../src/index.ts'
import { browserBundle } from './browserBundle.ts'
import { graphFile } from './onnxGraphs.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** WebGPU on the CPU, for test machines without a GPU. */
const softwareGraphics = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

/** A page that uses limpid/web; it returns file bytes as base64, and how often the page responded meanwhile. */
const page = `
  import * as ort from 'onnxruntime-web/webgpu'
  import { createRestorer, createWorkerRestorer } from './src/web.ts'
  ort.env.wasm.wasmPaths = '/ort/'
  const weights = '/light-denoise.safetensors'
  const openers = {
    page: (options) => createRestorer({ runtime: ort, weights, ...options }),
    worker: (options) => {
      const worker = new Worker('/worker.js', { type: 'module' })
      return createWorkerRestorer(worker, { weights: weights.slice(1), wasmPaths: 'ort/', ...options })
    },
  }
  const base64 = async (blob) => new Promise((resolve) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result.split(',')[1])
    reader.readAsDataURL(blob)
  })
  globalThis.restorePhoto = async (photo, { device, place = 'page', encoding, open = {}, ...options }) => {
    const restorer = await openers[place]({ device, ...open })
    const blob = await (await fetch(photo)).blob()
    const events = []
    const onProgress = ({ phase, done, total }) => events.push([phase, done, total])
    let ticks = 0
    const timer = setInterval(() => ticks++, 10)
    const result = await restorer.run(blob, { ...options, onProgress })
    clearInterval(timer)
    const { width, height, colorSpace } = result.toImageData()
    await restorer.close()
    const { channels } = result.raw()
    const file = await base64(await result.toBlob(encoding))
    return { info: result.info, channels, events, ticks, extent: [width, height], colorSpace, file }
  }
`

const types = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.html': 'text/html',
}

async function serve(files: ReadonlyMap<string, Uint8Array>): Promise<{ server: Server; url: string }> {
  const runtime = join(root, 'node_modules', 'onnxruntime-web', 'dist')
  const server = createServer(({ url = '' }, response) => {
    const bytes = url.startsWith('/ort/') ? readFileSync(join(runtime, basename(url))) : files.get(url)
    const type = Object.entries(types).find(([extension]) => url.endsWith(extension))?.[1]
    // The runtime's threads need cross-origin isolation.
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    if (type) response.setHeader('Content-Type', type)
    response.writeHead(bytes ? 200 : 404).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { server, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}` }
}

/** An ONNX file of its own kind: pixels in 0..255, doubled. */
const graph = graphFile({
  input: [1, 'h', 'w', 3],
  output: [1, 'h', 'w', 3],
  isNhwc: true,
  peak: 255,
  scale: 2,
})

/** Names, widths and heights of photos; small, since software WebGPU is slow. */
const sizes = [
  ['/photo.png', 104, 88],
  ['/small.png', 21, 24],
] as const

/** Saturated colors: outside sRGB if they are in Display P3. */
const wideColors = [
  [235, 40, 30],
  [30, 200, 60],
  [250, 120, 20],
  [255, 0, 90],
  [20, 90, 200],
  [200, 170, 150],
] as const

function wideGamut(icc: Uint8Array | undefined, format = 'png'): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: 6 * 8 * 3 }, (_, i) => wideColors[Math.floor(i / 3) % 6]![i % 3]!)
  const pixels = { width: 6, height: 8, channels: 3, hasAlpha: false, data }
  return encodeBytes({ pixels, depth: 8, format, isLossless: true, metadata: icc && { icc } })
}

describe.skipIf(!existsSync(executablePath))('in a browser', () => {
  let [server, browser, tab]: [Server?, Browser?, Page?] = []
  const photos: Record<string, Buffer> = {}

  beforeAll(async () => {
    for (const [name, width, height] of sizes) {
      const part = { left: 160, top: 200, width, height }
      photos[name] = await sharp(join(root, 'examples', 'noisy.jpg'))
        .extract(part)
        .png()
        .toBuffer()
    }
    const flat = { width: 16, height: 9, channels: 4 } as const
    const plain = (r: number, g: number, b: number, alpha: number) =>
      sharp({ create: { ...flat, background: { r, g, b, alpha } } })
        .png()
        .toBuffer()
    const gray = (bytes: Buffer) => sharp(bytes).toColourspace('b-w').png().toBuffer()
    const opaque = (bytes: Buffer) => sharp(bytes).removeAlpha().png().toBuffer()
    photos['/gray.png'] = await gray(await opaque(await plain(90, 90, 90, 1)))
    photos['/color.png'] = await opaque(await plain(90, 80, 90, 1))
    photos['/gray-with-opacity.png'] = await gray(await plain(90, 90, 90, 0.5))
    photos['/wide.webp'] = Buffer.from(
      await wideGamut(profileOfPoints({ primaries: 12, transfer: 13 }), 'webp'),
    )
    photos['/srgb.png'] = Buffer.from(await wideGamut(undefined))
    const text = (value: string) => new TextEncoder().encode(value)
    const served = await serve(
      new Map<string, Uint8Array>([
        ['/page.html', text('<script type="module" src="/page.js"></script>')],
        ['/page.js', await browserBundle(page)],
        ['/worker.js', await browserBundle(`import './src/web/worker.ts'`)],
        ...Object.entries(photos),
        ['/broken.png', text('not an image')],
        ['/graph.onnx', graph],
        ['/light-denoise.safetensors', readFileSync(join(root, 'weights', 'light-denoise.safetensors'))],
      ]),
    )
    server = served.server
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', ...softwareGraphics] })
    tab = await browser.newPage()
    await tab.goto(`${served.url}/page.html`)
  })
  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  const restorePhoto = (url: string, options: object = {}) =>
    tab?.evaluate(`restorePhoto('${url}', ${JSON.stringify(options)})`) as Promise<{
      readonly info: {
        readonly device: string
        readonly sha256: string
        readonly model: string
        readonly tiles: { count: number }
      }
      readonly events: readonly (readonly [string, number, number])[]
      readonly ticks: number
      readonly channels: number
      readonly extent: readonly number[]
      readonly colorSpace: string
      readonly file: string
    }>

  test.each([
    ['whole, on the CPU', sizes[0], { device: 'cpu' }],
    ['in tiles, on the CPU', sizes[0], { device: 'cpu', tile: 64, overlap: 32 }],
    ['on WebGPU', sizes[1], { device: 'webgpu' }],
    ['in a worker, on the CPU', sizes[0], { place: 'worker', device: 'cpu' }],
  ] as const)(
    'restores a photo like Node: %s',
    async (_, [name, ...extent], request) => {
      await using restorer = await createRestorer({ model: 'light-denoise', device: 'cpu' })
      const { tile, overlap } = { tile: undefined, overlap: undefined, ...request }
      const expected = await restorer.run(photos[name] ?? expect.fail(), { tile, overlap })
      const { info, events, ticks, extent: restored, file } = await restorePhoto(name, request)
      if ('place' in request) expect(ticks).toBeGreaterThan(10)
      expect(info.device).toBe(request.device)
      expect(info).toMatchObject({ sha256: expected.info.sha256, tiles: expected.info.tiles })
      expect(events.at(-1)).toEqual(['restore', info.tiles.count, info.tiles.count])
      expect(restored).toEqual(extent)
      const data = await sharp(Buffer.from(file, 'base64')).removeAlpha().raw().toBuffer()
      const reference = expected.raw().data
      const differences = data.map((value, i) => Math.abs(value - (reference[i] ?? 0)))
      expect(Math.max(...differences)).toBeLessThanOrEqual(1)
      expect(data.length).toBe(reference.length)
    },
    120_000,
  )

  test.each([
    ['gray', 1, 'page'],
    ['color', 3, 'page'],
    ['gray with opacity', 2, 'worker'],
  ])('keeps an image %s, and does not choose WebGPU that the CPU computes', async (name, channels, place) => {
    const request = { device: 'auto', place, strength: 0 }
    const restored = await restorePhoto(`/${name.replaceAll(' ', '-')}.png`, request)
    expect([restored.channels, ...restored.extent]).toEqual([channels, 16, 9])
    expect(restored.info.device).toBe('cpu')
  })

  test.each([
    ['/wide.webp', 'worker', 'display-p3'],
    ['/srgb.png', 'page', 'srgb'],
  ])(
    'every color of %s comes back, in a %s as %s',
    async (name, place, colorSpace) => {
      const restored = await restorePhoto(name, { device: 'cpu', place, strength: 0 })
      expect(restored.colorSpace).toBe(colorSpace)
      const file = Buffer.from(restored.file, 'base64')
      const { icc } = await sharp(file).metadata()
      expect(icc !== undefined && 'kind' in readProfile(icc) && readProfile(icc)).toMatchObject(
        colorSpace === 'srgb' ? {} : { kind: 'matrix' },
      )
      const samples = [...(await sharp(file, { ignoreIcc: true }).removeAlpha().raw().toBuffer())]
      const differences = samples.map((value, i) =>
        Math.abs(value - wideColors[Math.floor(i / 3) % 6]![i % 3]!),
      )
      expect(Math.max(...differences)).toBeLessThanOrEqual(1)
    },
    120_000,
  )

  test('fills a background behind transparency', async () => {
    const request = { device: 'cpu', strength: 0 }
    const encoding = { type: 'image/jpeg', background: 'white', quality: 1 }
    const { file } = await restorePhoto('/gray-with-opacity.png', { ...request, encoding })
    const [value] = await sharp(Buffer.from(file, 'base64')).raw().toBuffer()
    expect(Math.abs(value! - 172)).toBeLessThanOrEqual(2)
    const failing = restorePhoto('/gray-with-opacity.png', {
      ...request,
      encoding: { background: 'nothing' },
    })
    await expect(failing).rejects.toThrow(
      'background: expected a color as in CSS, such as white, got nothing',
    )
  }, 120_000)

  test('restores with an ONNX file like Node', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'browser-')), 'graph.onnx')
    writeFileSync(path, graph)
    await using restorer = await createRestorer({ weights: path, device: 'cpu' })
    const expected = await restorer.run(photos['/photo.png'] ?? expect.fail())
    const request = { device: 'cpu', open: { weights: '/graph.onnx' } }
    const { info, extent, file } = await restorePhoto('/photo.png', request)
    expect(info).toMatchObject({ model: 'onnx', network: 'onnx', sha256: expected.info.sha256 })
    expect(extent).toEqual([expected.info.width, expected.info.height])
    const data = await sharp(Buffer.from(file, 'base64')).removeAlpha().raw().toBuffer()
    const reference = expected.raw().data
    const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - (reference[i] ?? 255))), 0)
    expect(worst).toBeLessThanOrEqual(1)
    const refused = restorePhoto('/photo.png', { open: { weights: '/graph.onnx', tensors: 'params' } })
    await expect(refused).rejects.toThrow('tensors: expected none beside weights, an ONNX file')
  }, 120_000)

  test('rejects a file that is not an image, with its name', async () => {
    await expect(restorePhoto('/broken.png', { name: 'broken.png', device: 'cpu' })).rejects.toThrow(
      'broken.png: expected an image that this browser can read and has memory for, got 12 bytes',
    )
  })
})
