// Helpers that train the tiny recipe in tests, in this process or in child processes that can be killed. Those run what is built,
// this file too.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { takeFolder } from '../src/train/folderLock.ts'
import { Loader } from '../src/train/loader/loader.ts'
import { runLoop } from '../src/train/loop.ts'
import { openTrainingImages } from '../src/train/preflight.ts'
import type { CompiledRecipe } from '../src/train/recipe/recipeFile.ts'
import { importRecipe, type RecipeModule } from '../src/train/recipe/recipeModule.ts'
import type { OpenImages } from '../src/train/samples/images.ts'
import { identify, type TrainingIdentity } from '../src/train/trainingIdentity.ts'
import { createRun, type TrainingRun } from '../src/train/trainingRun.ts'
import { builtModule, program } from './limpid.ts'

export interface Prepared {
  readonly run: TrainingRun
  readonly identity: TrainingIdentity
  readonly openLoader: (fromStep: number) => Loader
}

/** Prepares training of a compiled recipe on the CPU. */
export async function prepareTraining(
  module: RecipeModule,
  { workers = 0, unusable }: { workers?: number; unusable?: OpenImages['unusable'] | undefined } = {},
): Promise<Prepared> {
  const recipe = await importRecipe(module)
  const { images, validation } = await openTrainingImages(recipe, () => {}, unusable)
  return {
    run: createRun(recipe, 'cpu', validation),
    identity: identify(recipe, images, { code: 'test', version: 'test' }),
    openLoader: (fromStep) => new Loader({ recipe, images, fromStep, module, workers, cacheBytes: 1e8 }),
  }
}

/** Compiles a recipe for {@link trainKilled} and {@link startOnSmallDisk}. */
export async function compileForProcesses(path: string): Promise<CompiledRecipe> {
  const { compileRecipe }: typeof import('../src/train/recipe/recipeFile.ts') = await import(
    builtModule('src/train/recipe/recipeFile')
  )
  return compileRecipe(path)
}

/** The module of a compiled recipe, with its images in `folder`. */
export function onPictures(
  url: string,
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): RecipeModule {
  const roots = { 'data.images.root': folder, 'validate.images.root': folder }
  return { url, settings: Object.entries({ ...roots, ...settings }) }
}

export interface ProcessResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Training {
  readonly child: ChildProcess
  readonly ended: Promise<ProcessResult>
}

/** Starts `limpid train test/recipes/tiny.ts` on the images of a folder. */
export function startTraining(data: string, out: string, ...more: readonly string[]): Training {
  return spawned(process.execPath, [...trainArguments(data, out), ...more])
}

export function trainArguments(data: string, out: string): readonly string[] {
  return [
    program,
    'train',
    join('test', 'recipes', 'tiny.ts'),
    '--data',
    data,
    '--set',
    `validate.images.root=${data}`,
    '--out',
    out,
    '--device',
    'cpu',
    '--threads',
    '1',
  ]
}

/** Trains with a file size limit of 100 KB, which acts like a full disk. */
export function startOnSmallDisk(module: RecipeModule, out: string): Training {
  const node = [process.execPath, builtModule('test/training'), JSON.stringify(module), out]
  return spawned('bash', ['-c', 'ulimit -f 100; exec "$@"', 'bash', ...node])
}

/** Starts Node with the same arguments in several processes, with torchrun's variables. */
export async function startTogether(size: number, ...args: readonly string[]): Promise<readonly Training[]> {
  const port = await freePort()
  return Array.from({ length: size }, (_, rank) => {
    const env = {
      RANK: String(rank),
      WORLD_SIZE: String(size),
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: String(port),
    }
    return spawned(process.execPath, args, env)
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

function spawned(
  program: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Training {
  // One thread: the networks are too small for more, and sums are the same on every machine.
  const env = { ...process.env, OMP_NUM_THREADS: '1', ...more }
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (text) => {
    stdout += text
  })
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  const ended = new Promise<ProcessResult>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { child, ended }
}

/** Trains to the end, resuming if possible; without compiling the recipe like the command line, for speed. */
async function runToEnd(module: RecipeModule, out: string): Promise<void> {
  const { run, identity, openLoader } = await prepareTraining(module, { workers: 1 })
  const release = takeFolder(out)
  const isResumed = existsSync(join(out, 'state.safetensors'))
  // The parent process counts the lines: one before the first step and one after each.
  console.log('training')
  const onProgress = () => console.log('step')
  await runLoop(run, { folder: out, identity, isResumed, openLoader, onProgress })
  release()
}

/** Longest time after a step until a process is killed. */
const stepMs = 20

/**
 * Trains to the end, killing the process `kills` times, each after `steps()` of its steps, parts of a step being
 * milliseconds. Returns the number of kills that hit a running process.
 */
export async function trainKilled(
  { module, out, kills }: { readonly module: RecipeModule; readonly out: string; readonly kills: number },
  steps: () => number,
): Promise<number> {
  let hits = 0
  for (let i = 0; i <= kills; i++) {
    const args = [builtModule('test/training'), JSON.stringify(module), out]
    const { child, ended } = spawned(process.execPath, args)
    const killAfter = i < kills ? steps() : Number.POSITIVE_INFINITY
    let left = Math.floor(killAfter)
    createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', () => {
      if (left-- === 0) setTimeout(() => child.kill('SIGKILL'), stepMs * (killAfter % 1))
    })
    const { code, signal, stderr } = await ended
    if (signal === 'SIGKILL') hits++
    else if (code !== 0) throw new Error(stderr)
  }
  return hits
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runToEnd(JSON.parse(process.argv[2] ?? '{}') as RecipeModule, process.argv[3] ?? '')
}
