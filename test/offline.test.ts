// ONNX Runtime's packages send telemetry; no process of Limpid may. Every case runs with empty home and temporary
// folders, in which the telemetry leaves its files, and under strace where that is installed.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { float32Data } from '../src/core/data.ts'
import { packagedWeights } from '../src/runtime/resolveModel.ts'
import { program } from './limpid.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-offline-'))
const weights = packagedWeights('light-denoise')
const hasStrace = spawnSync('strace', ['-V']).status === 0

beforeAll(async () => {
  await sharp({ create: { width: 16, height: 16, channels: 3, background: 'gray' } }).toFile(
    join(dir, 'in.png'),
  )
  const x = float32Data(new Float32Array(3 * 16 * 16).fill(0.5), [1, 3, 16, 16])
  writeSafetensors(join(dir, 'in.safetensors'), new Map([['x', x]]))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Trace {
  readonly output: string
  /** Files left in the home and temporary folders. */
  readonly left: readonly string[]
  /** System calls that open internet sockets. */
  readonly sockets: readonly string[]
}

/** Runs Node on its own, without the variable that silences ONNX Runtime in tests. */
async function traced(...args: readonly string[]): Promise<Trace> {
  const home = mkdtempSync(join(dir, 'home-'))
  const [temporary, log] = [join(home, 'tmp'), join(dir, 'calls')]
  mkdirSync(temporary)
  rmSync(log, { force: true })
  const { ORT_DISABLE_TELEMETRY: _, ...inherited } = process.env
  const env = { ...inherited, HOME: home, XDG_CACHE_HOME: '', TMPDIR: temporary, TSX_DISABLE_CACHE: '1' }
  const strace = hasStrace ? ['strace', '-f', '-qq', '-e', 'trace=socket', '-o', log] : []
  const [program = '', ...rest] = [...strace, process.execPath, ...args]
  const output = await new Promise<string>((resolve) =>
    execFile(program, rest, { env }, (error, stdout, stderr) => resolve(`${error ? stderr : ''}${stdout}`)),
  )
  const left = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const calls = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []
  return {
    output,
    left: left.map(({ name }) => name),
    sockets: calls.filter((call) => call.includes('AF_INET')),
  }
}

const sessionModule = pathToFileURL('src/runtime/session/nodeOnnxSession.ts').href
const restorerModule = pathToFileURL('src/runtime/restore.ts').href

/** A program that opens a broken model, which starts ONNX Runtime too. */
const openSession = `import { onnxSession } from ${JSON.stringify(sessionModule)}
await onnxSession(new Uint8Array(8)).catch(({ message }) => console.log(message))`

/** Runs a program in a worker thread. */
const inWorker = (program: string, setup: string) => `import { Worker } from 'node:worker_threads'
${setup}
const program = ${JSON.stringify(program)}
new Worker(\`import('tsx/esm/api').then(({ register }) => {
  register(); return import('data:text/javascript,' + \${JSON.stringify(encodeURIComponent(program))})
})\`, { eval: true })`

const script = (program: string) => ['--import', 'tsx', '--input-type=module', '--eval', program]

test.each([
  {
    name: 'limpid restore, in the compute process',
    args: [program, 'restore', join(dir, 'in.png'), '-o', join(dir, 'out.png'), '--device', 'cpu'],
    prints: 'out.png',
  },
  {
    name: 'limpid forward, in its own process',
    args: [
      ...[program, 'forward', '--weights', weights],
      ...['--inputs', join(dir, 'in.safetensors'), '--output', join(dir, 'out.safetensors')],
    ],
    prints: 'out.safetensors',
  },
  {
    name: 'restore() of the library',
    args: script(`import { restore } from ${JSON.stringify(restorerModule)}
const result = await restore({ data: new Uint8Array(768), width: 16, height: 16, channels: 3 }, { device: 'cpu' })
console.log(result.info.width)`),
    prints: '16',
  },
  { name: 'onnxSession() of the library', args: script(openSession), prints: 'protobuf parsing failed' },
  {
    name: 'onnxSession() in a worker thread, which is refused',
    args: script(inWorker(openSession, '')),
    prints: 'ORT_DISABLE_TELEMETRY: expected 1 before a worker thread opens an ONNX session',
  },
  {
    name: 'onnxSession() in a worker thread of a process that turned telemetry off',
    args: script(inWorker(openSession, "process.env.ORT_DISABLE_TELEMETRY = '1'")),
    prints: 'protobuf parsing failed',
  },
])('$name sends and leaves nothing', async ({ args, prints }) => {
  const { output, left, sockets } = await traced(...args)
  expect(output).toContain(prints)
  expect({ left, sockets }).toEqual({ left: [], sockets: [] })
})
