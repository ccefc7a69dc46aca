// Measures the app in Chromium: start, preview, memory, and its network beside Node and UpscalerJS. Run it on a quiet
// machine; it writes the table of bench/README.md.
// npm run app:figures

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build as bundle } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { build } from 'vite'
import { describeMachine } from '../bench/machine.ts'
import { servePages } from '../src/cli/server/pageServer.ts'
import { counterRandom } from '../src/core/random.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { in8Bits, pixelsToPlanes } from '../src/data/image.ts'
import { packageFolder } from '../src/data/packageFiles.ts'
import { noise } from '../src/degrade/degradationTable.ts'
import { cacheFolder } from '../src/files/cacheFolder.ts'
import { createRestorer } from '../src/index.ts'

type Row = readonly [what: string, figure: string]

const root = packageFolder()
const photos = join(root, 'docs', 'photos')
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const minutes = 60_000

const seconds = (value: number) => `${value.toFixed(value < 10 ? 2 : 1)} s`
const note = (text: string) => process.stderr.write(`${text}\n`)

function launch(): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

/** A photo of some size, as a file that a page takes. */
async function photoOf(width: number, height: number, type: 'png' | 'jpeg') {
  const whole = sharp(join(photos, 'lake.webp')).resize(width, height)
  return { name: `photo.${type}`, mimeType: `image/${type}`, buffer: await whole.toFormat(type).toBuffer() }
}

/** A noisy photo, which takes a network. */
async function noisyPhotoOf(width: number, height: number) {
  const { buffer } = await photoOf(width, height, 'png')
  const image = pixelsToPlanes((await decodeBytes(buffer)).pixels).image
  const { data } = in8Bits(noise({ sigma: 15 })(image, counterRandom(1)))
  const samples = Uint8Array.from(data, (_, i) =>
    Math.round(255 * data[(i % 3) * width * height + Math.floor(i / 3)]!),
  )
  const raw = { width, height, channels: 3 } as const
  return {
    name: 'noisy.jpeg',
    mimeType: 'image/jpeg',
    buffer: await sharp(samples, { raw }).jpeg({ quality: 95 }).toBuffer(),
  }
}

// The built app: start, preview, memory

/** Resident memory of a process, with its share of what several have. */
function residentBytes(pid: number): number {
  try {
    const kilobytes = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]
    return 1024 * Number(kilobytes ?? 0)
  } catch {
    // The process has exited since.
    return 0
  }
}

/** Watches the largest tab of a browser until the returned function is called, which tells its peak in bytes. */
async function watchTab(browser: Browser): Promise<() => number> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  const tabs = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, ...tabs.map(residentBytes))
  }, 250)
  return () => {
    clearInterval(timer)
    return peak
  }
}

async function choose(page: Page, file: Awaited<ReturnType<typeof photoOf>>): Promise<void> {
  const button = page.getByRole('button', { name: /^(?:Open|Add) photos$/ }).first()
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), button.click()])
  await chooser.setFiles(file)
}

/** Compressed sizes of what a first visit loads, and of what its first photo adds. */
function sizeRows(folder: string): readonly Row[] {
  const files = ['index.html', ...readdirSync(join(folder, 'assets')).map((name) => join('assets', name))]
  const sizeOf = (pattern: RegExp) =>
    files
      .filter((name) => pattern.test(name))
      .reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0)
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1e3)} kB`
  return [
    [
      'shell: page, style sheet and script, gzip (limit 150 kB)',
      kilobytes(sizeOf(/index[^/]*\.(?:html|css|js)$/)),
    ],
    [
      'the worker that the first photo loads, gzip, without ONNX Runtime’s .wasm',
      kilobytes(sizeOf(/worker-[^/]*\.js$/)),
    ],
  ]
}

/** Marks when the page can be used: its buttons are there. */
const markUsable = `
  delete globalThis.showOpenFilePicker
  new MutationObserver((_, observer) => {
    if (!document.querySelector('.actions')) return
    observer.disconnect()
    performance.mark('usable')
  }).observe(document, { childList: true, subtree: true })
`

async function appRows(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'limpid-app-figures-'))
  await build({
    ...{ configFile: join(root, 'app', 'vite.config.ts'), logLevel: 'error' },
    build: { outDir: folder },
  })
  const server = await servePages({
    ...{ folder, besides: { weights: join(root, 'weights') }, token: 'figures', port: 0 },
  })
  const browser = await launch()
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'en' })
    page.setDefaultTimeout(8 * minutes)
    await page.addInitScript({ content: markUsable })
    await page.goto(server.address)
    await page.locator('.actions').waitFor()
    const started: number = await page.evaluate(`performance.getEntriesByName('usable')[0].startTime`)
    const remove = page.getByRole('button', { name: /^Remove: / })
    await choose(page, await noisyPhotoOf(800, 600))
    await page.getByText('1 of 1 done').waitFor()

    note('preview')
    const noisy = await noisyPhotoOf(1600, 1200)
    await remove.click()
    const chosen = performance.now()
    await choose(page, noisy)
    await page.locator('.badge.right').waitFor()
    const preview = (performance.now() - chosen) / 1000
    await page.getByText('1 of 1 done').waitFor()

    note('24 megapixels')
    await remove.click()
    const stop = await watchTab(browser)
    const began = performance.now()
    await choose(page, await photoOf(6000, 4000, 'jpeg'))
    await page.getByText('1 of 1 done').waitFor()
    const whole = (performance.now() - began) / 1000
    return [
      ...sizeRows(folder),
      ['start: usable after (limit 1 s)', seconds(started / 1000)],
      ['preview of a noisy photo of 1600 × 1200, once the model is open (limit 2 s)', seconds(preview)],
      ['JPEG of 24 megapixels: peak memory of the tab (limit 1.2 GB)', `${(stop() / 1e9).toFixed(2)} GB`],
      ['the same: from the file to the result', seconds(whole)],
    ]
  } finally {
    await browser.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

// Networks alone, on WebAssembly

/** Versions that are compared, installed once into the cache folder. */
const upscalerPackages = [
  ...['upscaler@1.0.0', '@upscalerjs/esrgan-slim@1.0.0', '@upscalerjs/esrgan-thick@1.0.0'],
  ...['@tensorflow/tfjs@4.11.0', '@tensorflow/tfjs-backend-wasm@4.11.0'],
]

function installUpscaler(): string {
  const folder = join(cacheFolder(), 'upscalerjs')
  if (existsSync(join(folder, 'node_modules', '@upscalerjs', 'esrgan-thick'))) return folder
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps']
  const { status } = spawnSync('npm', ['install', ...flags, ...upscalerPackages], {
    cwd: folder,
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`npm install in ${folder}: failed with status ${status}`)
  return folder
}

const common = `
  const base64 = async (blob) => {
    const bytes = new Uint8Array(await blob.arrayBuffer())
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
  }
  const fetched = async (url) => (await fetch(url)).blob()
`

const limpidPage = `
  import { createEngine } from './src/web.ts'
  ${common}
  globalThis.run = async (url, request, threads) => {
    const worker = () => new Worker('/worker.js', { type: 'module' })
    await using engine = createEngine({ worker, wasmPaths: '/ort/', device: 'cpu', threads })
    await engine.run(await fetched('/small.png'), request)
    const result = await engine.run(await fetched(url), request)
    return { seconds: result.info.seconds.restore, file: await base64(await result.toBlob()) }
  }
`

const upscalerPage = `
  import * as tf from '@tensorflow/tfjs'
  import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
  import slim from '@upscalerjs/esrgan-slim/2x'
  import thick from '@upscalerjs/esrgan-thick/2x'
  import Upscaler from 'upscaler'
  ${common}
  const models = { 'esrgan-slim': slim, 'esrgan-thick': thick }
  globalThis.run = async (url, name) => {
    setWasmPaths('/tfjs/')
    setThreadsCount(navigator.hardwareConcurrency)
    await tf.setBackend('wasm')
    await tf.ready()
    const upscaler = new Upscaler({ model: { ...models[name], path: '/models/' + name + '/models/x2/model.json' } })
    const image = new Image()
    image.src = url
    await image.decode()
    const small = new Image()
    small.src = '/small.png'
    await small.decode()
    await upscaler.upscale(small)
    const started = performance.now()
    const tensor = await upscaler.upscale(image, { output: 'tensor' })
    await tensor.data()
    const seconds = (performance.now() - started) / 1000
    const canvas = new OffscreenCanvas(2 * image.width, 2 * image.height)
    const rounded = tf.tidy(() => tensor.clipByValue(0, 255).round().toInt())
    const pixels = await tf.browser.toPixels(rounded)
    canvas.getContext('2d').putImageData(new ImageData(pixels, canvas.width), 0, 0)
    return { seconds, file: await base64(await canvas.convertToBlob()) }
  }
`

async function bundled(contents: string, resolveDir: string): Promise<Uint8Array> {
  const { outputFiles } = await bundle({
    stdin: { contents, resolveDir, loader: 'ts' },
    ...{
      bundle: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      write: false,
      logLevel: 'error',
    },
  })
  return outputFiles[0]!.contents
}

/** What a page computed. */
interface Computed {
  readonly seconds: number
  readonly file: string
}

/** PSNR of a result in RGB. */
async function psnrOf({ file }: Computed, truth: Buffer): Promise<number> {
  const result = await sharp(Buffer.from(file, 'base64')).removeAlpha().raw().toBuffer()
  const total = result.reduce((sum, value, i) => sum + (value - truth[i]!) ** 2, 0)
  return 10 * Math.log10(255 ** 2 / (total / result.length))
}

async function networkRows(): Promise<readonly Row[]> {
  const upscaler = installUpscaler()
  const text = (value: string) => Buffer.from(value)
  const truth = sharp(join(photos, 'kitten.webp')).resize(512, 512)
  const { buffer: megapixel } = await photoOf(1152, 868, 'png')
  const half = await sharp(await truth.png().toBuffer())
    .resize(256, 256, { kernel: 'cubic' })
    .png()
    .toBuffer()
  const files = new Map<string, Uint8Array>([
    ['/limpid.html', text('<script type="module" src="/limpid.js"></script>')],
    ['/limpid.js', await bundled(limpidPage, root)],
    ['/worker.js', await bundled(`import './src/web/worker.ts'`, root)],
    ['/upscaler.html', text('<script type="module" src="/upscaler.js"></script>')],
    ['/upscaler.js', await bundled(upscalerPage, upscaler)],
    ['/megapixel.png', megapixel],
    ['/half.png', half],
    ['/small.png', (await photoOf(64, 48, 'png')).buffer],
  ])
  const folders: Readonly<Record<string, string>> = {
    weights: join(root, 'weights'),
    ort: join(root, 'node_modules', 'onnxruntime-web', 'dist'),
    models: join(upscaler, 'node_modules', '@upscalerjs'),
    tfjs: join(upscaler, 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist'),
  }
  const types = { js: 'text/javascript', mjs: 'text/javascript', wasm: 'application/wasm', html: 'text/html' }
  const server = createServer(({ url = '' }, response) => {
    const [, first = '', ...rest] = url.split('/')
    const file = files.get(url) ?? (folders[first] && readFileSync(join(folders[first], ...rest)))
    response.setHeader('Content-Type', types[url.split('.').at(-1) as 'js'] ?? 'application/octet-stream')
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    response.writeHead(file ? 200 : 404).end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address?.port}`
  const browser = await launch()

  /** Runs in a page of its own: what one side leaves in memory slows the other. */
  const inPage = async (name: string, ...args: readonly unknown[]): Promise<Computed> => {
    note(`${name} ${JSON.stringify(args)}`)
    const page = await browser.newPage()
    page.setDefaultTimeout(8 * minutes)
    await page.goto(`${url}/${name}.html`)
    await page.waitForFunction('globalThis.run')
    const computed = (await page.evaluate(`run(...${JSON.stringify(args)})`)) as Computed
    await page.close()
    return computed
  }
  try {
    const { cores } = describeMachine(undefined)
    const photo = { model: 'light-photo' }
    const single = await inPage('limpid', '/megapixel.png', photo, 1)
    const all = await inPage('limpid', '/megapixel.png', photo, cores)
    await using restorer = await createRestorer({ ...photo, device: 'cpu' })
    await restorer.run(files.get('/small.png')!)
    const node = (await restorer.run(megapixel)).info.seconds.restore
    const expected = await truth.removeAlpha().raw().toBuffer()
    const compared = async (computed: Computed) =>
      `${seconds(computed.seconds)}, ${(await psnrOf(computed, expected)).toFixed(2)} dB`
    const ours = await inPage('limpid', '/half.png', { task: 'upscale', scale: 2 }, cores)
    return [
      ['1 megapixel with `light-photo`, WebAssembly, 1 thread', seconds(single.seconds)],
      [`the same, ${cores} threads`, seconds(all.seconds)],
      ['the same in Node', seconds(node)],
      ['×2 of 256 × 256: `light-upscale-x2`', await compared(ours)],
      [
        '×2 of 256 × 256: UpscalerJS esrgan-slim',
        await compared(await inPage('upscaler', '/half.png', 'esrgan-slim')),
      ],
      [
        '×2 of 256 × 256: UpscalerJS esrgan-thick',
        await compared(await inPage('upscaler', '/half.png', 'esrgan-thick')),
      ],
    ]
  } finally {
    await browser.close()
    server.close()
  }
}

/** Replaces the table of the app's figures. */
function record(rows: readonly Row[]): void {
  const file = join(root, 'bench', 'README.md')
  const { cpu, cores, node } = describeMachine(undefined)
  const head = `| the app, ${new Date().toISOString().slice(0, 10)}, ${cpu}, ${cores} cores, Node ${node} | |`
  const table = [head, '| --- | --- |', ...rows.map((row) => `| ${row.join(' | ')} |`)]
  const lines = readFileSync(file, 'utf8').split('\n')
  const start = lines.findIndex((line) => line.startsWith('| the app'))
  if (start < 0) throw new TypeError(`${file}: expected a table that starts with "| the app", got none`)
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'))
  lines.splice(start, length, ...table)
  writeFileSync(file, lines.join('\n'))
}

const rows = [...(await networkRows()), ...(await appRows())]
record(rows)
for (const row of rows) console.log(row.join(': '))
