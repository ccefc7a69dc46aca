// Runs batches of tiny images through `limpid restore`, kills them with SIGKILL at
// random moments and resumes them.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import sharp from 'sharp'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { manifestName } from '../src/cli/restore/manifest.ts'
import type { Random } from '../src/core/random.ts'
import { Light, lightDefaults } from '../src/models/light/light.ts'
import { randomInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { program } from './limpid.ts'

/** Writes weights of a minimal light network, which changes an image slightly. */
export function writeTinyWeights(path: string): void {
  let count = 0
  const blocks = [1, 1] as const
  const options = {
    ...lightDefaults,
    width: 4,
    encoderBlocks: blocks,
    middleBlocks: 1,
    decoderBlocks: blocks,
  }
  const network = new Light(
    randomInit(() => (++count * 0.618034) % 1),
    options,
  )
  writeSafetensors(path, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
}

/** Writes random images, ten per folder. */
export async function writeBatch(folder: string, files: number, random: Random): Promise<void> {
  for (let i = 0; i < files; i++) {
    const inside = join(folder, `folder ${Math.floor(i / 10)}`)
    mkdirSync(inside, { recursive: true })
    const raw = { width: 8 + random.integer(40), height: 8 + random.integer(40), channels: 3 } as const
    const samples = Uint8Array.from({ length: raw.width * raw.height * 3 }, () => random.integer(256))
    await sharp(samples, { raw }).toFile(join(inside, `${i}.${i % 2 === 0 ? 'png' : 'jpg'}`))
  }
}

export interface BatchPaths {
  readonly weights: string
  readonly inputs: string
  readonly outputs: string
}

export interface KillOptions extends BatchPaths {
  readonly files: number
  readonly kills: number
  readonly random: Random
  readonly onKill?: (kill: number, printed: number) => void
}

/** Starts the batch, kills it at random moments, and lets the last run finish. Returns its exit code. */
export async function killBatch(options: KillOptions): Promise<number> {
  const { files, kills, random } = options
  const share = Math.max(1, Math.floor((2 * files) / (kills + 1)))
  for (let kill = 1; kill <= kills; kill++) {
    const running = start(options)
    const killAfter = random.integer(share + 1)
    let printed = 0
    const ended = new Promise((resolve) => running.on('close', resolve))
    const reached = new Promise<void>((resolve) => {
      createInterface({ input: running.stdout as NonNullable<ChildProcess['stdout']> }).on('line', () => {
        if (++printed >= killAfter) resolve()
      })
    })
    await Promise.race([reached, ended])
    // Kill in the middle of the next operation.
    await new Promise((resolve) => setTimeout(resolve, random.uniform() * 30))
    running.kill('SIGKILL')
    await ended
    options.onKill?.(kill, printed)
  }
  return new Promise((resolve) => start(options).on('close', (code) => resolve(code ?? -1)))
}

function start({ weights, inputs, outputs }: BatchPaths): ChildProcess {
  const request = ['--recursive', '--resume', '--weights', weights, '--threads', '1', '--quiet']
  const args = [program, 'restore', inputs, '-o', outputs, ...request]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

export interface BatchState {
  /** Results by name. */
  readonly files: ReadonlyMap<string, string>
  /** How often each was finished, according to the manifest. */
  readonly finished: ReadonlyMap<string, number>
  /** Other entries in the folder. */
  readonly others: readonly string[]
}

/** Reads the output folder of a batch. */
export function stateOf(outputs: string): BatchState {
  const names = readdirSync(outputs, { recursive: true, encoding: 'utf8' })
  const isImage = (name: string) => /^(?!.*(^|[\\/])\.).*\.(png|jpg)$/.test(name)
  const files = new Map(
    names
      .filter(isImage)
      .sort()
      .map((name) => [name, readFileSync(join(outputs, name)).toString('base64')]),
  )
  const others = names.filter((name) => !isImage(name) && !/^folder \d+$/.test(name) && name !== manifestName)
  const finished = new Map<string, number>()
  for (const line of readFileSync(join(outputs, manifestName), 'utf8').split('\n')) {
    const name = /^\{"done":"(.+)"\}$/.exec(line)?.[1]
    if (name !== undefined) finished.set(name, (finished.get(name) ?? 0) + 1)
  }
  return { files, finished, others }
}
