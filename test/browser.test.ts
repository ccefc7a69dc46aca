// limpid/web in a real browser: Debian's Chromium, or the one in CHROMIUM.

import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRestorer } from '../src/index.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** WebGPU on the CPU, for test machines without a GPU. */
const softwareGraphics = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

/** A page that uses limpid/web; it returns file bytes as base64. */
const page = `
  import * as ort from 'onnxruntime-web/webgpu'
  import { createRestorer } from './src/web.ts'
  ort.env.wasm.wasmPaths = '/ort/'
  const base64 = async (blob) => new Promise((resolve) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result.split(',')[1])
    reader.readAsDataURL(blob)
  })
  globalThis.restorePhoto = async (photo, { device, ...options }) => {
    const restorer = await createRestorer({ runtime: ort, device, weights: '/light-denoise.safetensors' })
    const blob = await (await fetch(photo)).blob()
    const events = []
    const result = await restorer.run(blob, { ...options, onProgress: ({ phase, done, total }) => events.push([phase, done, total]) })
    const { width, height } = result.toImageData()
    await restorer.close()
    const { channels } = result.raw()
    return { info: result.info, channels, events, extent: [width, height], file: await base64(await result.toBlob()) }
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

/** Names, widths and heights of photos; small, since software WebGPU is slow. */
const sizes = [
  ['/photo.png', 150, 130],
  ['/small.png', 37, 40],
] as const

describe.skipIf(!existsSync(executablePath))('in a browser', () => {
  let [server, browser, tab]: [Server?, Browser?, Page?] = []
  const photos: Record<string, Buffer> = {}

  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: { contents: page, resolveDir: root, loader: 'ts' },
      bundle: true,
      format: 'esm',
      platform: 'browser',
      write: false,
    })
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
    photos['/gray.png'] = await plain(90, 90, 90, 1)
    photos['/color.png'] = await plain(90, 80, 90, 1)
    photos['/gray-with-opacity.png'] = await plain(90, 90, 90, 0.5)
    const text = (value: string) => new TextEncoder().encode(value)
    const served = await serve(
      new Map<string, Uint8Array>([
        ['/page.html', text('<script type="module" src="/page.js"></script>')],
        ['/page.js', outputFiles[0]?.contents ?? expect.fail()],
        ...Object.entries(photos),
        ['/broken.png', text('not an image')],
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
      readonly info: { readonly device: string; readonly sha256: string; readonly tiles: { count: number } }
      readonly events: readonly (readonly [string, number, number])[]
      readonly channels: number
      readonly extent: readonly number[]
      readonly file: string
    }>

  test.each([
    ['whole, on the CPU', sizes[0], { device: 'cpu' }],
    ['in tiles, on the CPU', sizes[0], { device: 'cpu', tile: 96, overlap: 32 }],
    ['on WebGPU, found automatically', sizes[1], { device: 'auto' }],
  ] as const)(
    'restores a photo like Node: %s',
    async (_, [name, ...extent], { device, ...options }) => {
      await using restorer = await createRestorer({ model: 'light-denoise', device: 'cpu' })
      const expected = await restorer.run(photos[name] ?? expect.fail(), options)
      const { info, events, extent: restored, file } = await restorePhoto(name, { device, ...options })
      expect(info.device).toBe(device === 'auto' ? 'webgpu' : device)
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
    ['gray', 1],
    ['color', 3],
    ['gray with opacity', 2],
  ])('keeps an image %s', async (name, channels) => {
    const restored = await restorePhoto(`/${name.replaceAll(' ', '-')}.png`, { device: 'cpu' })
    expect([restored.channels, ...restored.extent]).toEqual([channels, 16, 9])
  })

  test('rejects a file that is not an image, with its name', async () => {
    await expect(restorePhoto('/broken.png', { name: 'broken.png' })).rejects.toThrow(
      'broken.png: expected an image that this browser can read and has memory for, got 12 bytes',
    )
  })
})
