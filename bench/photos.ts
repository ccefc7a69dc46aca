// usage: npm run bench:photos -- [WEIGHTS]
// Measures restoration of images of real sizes: memory, speed, seams, cancellation, cold start. WEIGHTS
// defaults to those of light-photo. Progress goes to stderr, a table to stdout. Linux only: the memory of all
// processes is read from /proc.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { counterRandom } from '../src/core/random.ts'
import { packageFolder } from '../src/data/packageFiles.ts'
import { createRestorer, type RawInput, type RawPicture, RestoreError, type Restorer } from '../src/index.ts'
import { light } from '../src/models/light/light.ts'
import { planTiles } from '../src/runtime/tiles/tilePlan.ts'
import { median } from './measure.ts'

const folder = packageFolder()
const program = join(folder, 'dist', 'src', 'cli', 'main.js')
const photo = join(folder, 'docs', 'photos', 'lake.webp')
const [weights] = process.argv.slice(2)
const network = weights === undefined ? { model: 'light-photo' } : { weights }
const networkArgs = weights === undefined ? ['--model', 'light-photo'] : ['--weights', weights]

interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly target?: string
}

interface RunResult {
  readonly seconds: number
  /** Peak resident memory of the process and its descendants. */
  readonly peakBytes: number
}

/** Resident memory of a process and its descendants; counts shared pages once per process. */
function treeBytes(root: number): number {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // The process has exited since.
    }
  }
  const isInTree = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isInTree(parents.get(pid)))
  let bytes = 0
  for (const pid of [...parents.keys()].filter(isInTree)) {
    try {
      bytes += Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096
    } catch {
      // The process has exited since.
    }
  }
  return bytes
}

function run(args: readonly string[]): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    let peakBytes = 0
    // Polls seldom, because reading /proc takes CPU time.
    const watch = setInterval(() => {
      peakBytes = Math.max(peakBytes, treeBytes(child.pid ?? -1))
    }, 250)
    child.on('close', (code) => {
      clearInterval(watch)
      if (code === 0) resolve({ seconds: (performance.now() - started) / 1000, peakBytes })
      else
        reject(
          new RestoreError('environment', `node ${args.join(' ')}: exited with ${code}; its error is above`),
        )
    })
  })
}

/** Writes `photo` in another size, as JPEG or PNG by extension; returns the path. */
async function write(path: string, width: number, height: number): Promise<string> {
  await sharp(photo).resize(width, height, { fit: 'cover' }).toFile(path)
  return path
}

/** Median seconds per megapixel of the restoration alone, without reading the image. */
async function secondsPerMegapixel(restorer: Restorer, path: string, runs: number): Promise<number> {
  const seconds: number[] = []
  for (let i = 0; i <= runs; i++) {
    const { info } = await restorer.run(path)
    if (i > 0) seconds.push(info.seconds.restore / ((info.width * info.height) / 1e6))
  }
  return median(seconds)
}

async function largePhotos(scratch: string, restorer: Restorer): Promise<readonly Figure[]> {
  const small = await secondsPerMegapixel(restorer, await write(join(scratch, 'small.png'), 512, 512), 5)
  const tiled = await secondsPerMegapixel(restorer, await write(join(scratch, 'tiled.png'), 3000, 2000), 3)
  const figures: Figure[] = [
    { name: '512 × 512, whole', value: small, unit: 's per megapixel' },
    { name: '6 megapixels in tiles', value: tiled, unit: 's per megapixel' },
    { name: 'tiles over whole', value: tiled / small, unit: '', target: '≤ 1.15' },
  ]
  for (const [width, height] of [
    [8000, 6000],
    [11_600, 8700],
  ] as const) {
    const title = `${Math.round((width * height) / 1e6)} megapixels, JPEG to JPEG`
    console.error(`photos: ${title}`)
    const input = await write(join(scratch, 'large.jpg'), width, height)
    const output = join(scratch, 'restored.jpg')
    const { seconds, peakBytes } = await run([
      program,
      'restore',
      input,
      ...networkArgs,
      '-o',
      output,
      '--overwrite',
    ])
    figures.push(
      { name: title, value: seconds, unit: 's' },
      { name: `${title}, memory of all processes`, value: peakBytes / 1e9, unit: 'GB', target: '≤ 1.5' },
    )
  }
  return figures
}

/** A sky gradient, or lines of text, with noise of sigma 25: scenes in which seams are most visible. */
async function noisyScene(kind: 'sky' | 'text', side: number): Promise<RawInput> {
  const lines = Array.from(
    { length: side / 32 },
    (_, i) =>
      `<text x="8" y="${32 * i + 22}">${'The quick brown fox jumps over the lazy dog. '.repeat(4)}</text>`,
  )
  const body =
    kind === 'sky'
      ? `<linearGradient id="g" x1="0" y1="0" x2=".2" y2="1"><stop stop-color="#3a6ea5"/><stop offset="1" stop-color="#d8e6f0"/></linearGradient><rect width="100%" height="100%" fill="url(#g)"/>`
      : `<rect width="100%" height="100%" fill="#f4f1ea"/><g font-family="serif" font-size="20">${lines.join('')}</g>`
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}">${body}</svg>`
  const data = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer()
  const random = counterRandom(1)
  const noise = new Float32Array(data.length)
  random.fillNormal(noise)
  const noisy = Uint8Array.from(data, (value, i) =>
    Math.min(255, Math.max(0, Math.round(value + 25 * noise[i]!))),
  )
  return { data: noisy, width: side, height: side, channels: 3, depth: 8 }
}

const sceneSide = 1024
const seamTile = 256

async function seams(restorer: Restorer): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  const edges = tileEdges()
  for (const kind of ['sky', 'text'] as const) {
    console.error(`photos: seams, ${kind}`)
    const scene = await noisyScene(kind, sceneSide)
    const whole = await (await restorer.run(scene, { tile: 'none' })).raw()
    const tiled = await (await restorer.run(scene, { tile: seamTile })).raw()
    figures.push(
      {
        name: `${kind}, seam visibility: gradient at tile edges over elsewhere, relative to whole`,
        value: seamRatio(tiled, edges) / seamRatio(whole, edges),
        unit: '',
        target: '≤ 1.05',
      },
      { name: `${kind}, PSNR of tiles against whole`, value: psnr(tiled.data, whole.data), unit: 'dB' },
    )
  }
  return figures
}

/** Columns (and rows) where a tile of a scene starts or ends. */
function tileEdges(): ReadonlySet<number> {
  const { size, memory, tiling, scale } = light.fromOptions()
  const scene = { width: sceneSide, height: sceneSide, budgetBytes: Number.POSITIVE_INFINITY }
  const { starts, tile } = planTiles({ ...scene, size, memory, tiling, scale }, { tile: seamTile }).columns
  return new Set(starts.flatMap((start) => [start, start + tile]))
}

/** Mean absolute gradient at `edges` over the mean elsewhere. */
function seamRatio({ data, width, channels }: RawPicture, edges: ReadonlySet<number>): number {
  const sums = { edge: [0, 0], other: [0, 0] }
  for (let y = 1; y < sceneSide; y++) {
    for (let x = 1; x < sceneSide; x++) {
      const at = (y * width + x) * channels
      for (const [position, stride] of [
        [x, channels],
        [y, width * channels],
      ] as const) {
        const sum = edges.has(position) ? sums.edge : sums.other
        for (let c = 0; c < channels; c++) sum[0]! += Math.abs(data[at + c]! - data[at + c - stride]!)
        sum[1]! += channels
      }
    }
  }
  const mean = ([total, count]: number[]) => total! / count!
  return mean(sums.edge) / mean(sums.other)
}

function psnr(a: RawPicture['data'], b: RawPicture['data']): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return 10 * Math.log10(255 ** 2 / (sum / a.length))
}

async function cancellation(scratch: string, restorer: Restorer): Promise<readonly Figure[]> {
  console.error('photos: cancellation')
  const input = await write(join(scratch, 'canceled.jpg'), 6000, 4000)
  const seconds: number[] = []
  for (let i = 0; i < 10; i++) {
    const controller = new AbortController()
    let canceled = 0
    setTimeout(
      () => {
        canceled = performance.now()
        controller.abort()
      },
      200 + 450 * i,
    )
    await restorer.run(input, { signal: controller.signal }).catch((error: unknown) => {
      if (!(error instanceof RestoreError) || error.code !== 'aborted') throw error
    })
    seconds.push((performance.now() - canceled) / 1000)
  }
  return [{ name: 'cancellation, slowest of ten', value: Math.max(...seconds), unit: 's', target: '< 1' }]
}

async function coldStart(scratch: string, restorer: Restorer): Promise<readonly Figure[]> {
  console.error('photos: cold start')
  const input = await write(join(scratch, 'one.jpg'), 1250, 800)
  const output = join(scratch, 'one.out.jpg')
  const cold: number[] = []
  const warm: number[] = []
  const help: number[] = []
  const empty: number[] = []
  for (let i = 0; i < 5; i++) {
    const args = [program, 'restore', input, ...networkArgs, '-o', output, '--overwrite', '--quiet']
    cold.push((await run(args)).seconds)
    warm.push((await restorer.run(input)).info.seconds.restore)
    help.push((await run([program, '--help'])).seconds)
    empty.push((await run(['-e', '0'])).seconds)
  }
  const coldSeconds = median(cold)
  const inference = median(warm)
  return [
    { name: '1 megapixel from a cold start', value: coldSeconds, unit: 's' },
    { name: 'of which inference', value: inference, unit: 's' },
    { name: 'cold start over inference', value: coldSeconds / inference, unit: '', target: '≤ 1.3' },
    {
      name: '`limpid --help` over `node -e 0`',
      value: median(help) / median(empty),
      unit: '',
      target: '≤ 2',
    },
  ]
}

const scratch = mkdtempSync(join(tmpdir(), 'limpid-photos-'))
try {
  await using restorer = await createRestorer(network)
  const figures = [
    ...(await coldStart(scratch, restorer)),
    ...(await cancellation(scratch, restorer)),
    ...(await seams(restorer)),
    ...(await largePhotos(scratch, restorer)),
  ]
  console.log('| figure | measured | target |\n| --- | --- | --- |')
  for (const { name, value, unit, target = '' } of figures)
    console.log(`| ${name} | ${Number(value.toPrecision(3))} ${unit} | ${target} |`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
