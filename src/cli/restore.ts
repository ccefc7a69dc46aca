// limpid restore: the main job.

import { basename, dirname, extname, join } from 'node:path'
import { checkFormat } from '../data/codec.ts'
import { builders } from '../registry/builders.ts'
import { licenses } from '../registry/cards.ts'
import type { TileRequest } from '../runtime/plan.ts'
import type { ProgressEvent } from '../runtime/progress.ts'
import { createRestorer } from '../runtime/restorer.ts'
import type { BackendOptions } from './backends.ts'
import { writeResult } from './result.ts'
import {
  checkOutput,
  formatSeconds,
  type GlobalOptions,
  isFolder,
  parseWhole,
  printResult,
  readInput,
  reporter,
} from './shell.ts'

export interface RestoreCommandOptions extends GlobalOptions, BackendOptions {
  readonly output?: string
  readonly model?: string
  readonly weights?: string
  readonly tile: string
  readonly overlap?: string
  readonly format?: string
  readonly overwrite?: boolean
}

export async function restoreCommand(input: string, options: RestoreCommandOptions): Promise<void> {
  const { output, format } = targetOf(input, options)
  checkFormat(format, false)
  checkOutput(output, options.overwrite)
  const { model, weights, device, backend } = options
  const news = reporter(options)
  const started = performance.now()
  const interrupt = new AbortController()
  const onInterrupt = () => interrupt.abort()
  process.once('SIGINT', onInterrupt)
  const { signal } = interrupt
  try {
    const onProgress = (event: ProgressEvent) => news.show(describe(input, event))
    await using restorer = await createRestorer({
      model,
      weights,
      device,
      backend,
      signal,
      onProgress,
      ...tilesOf(options),
    })
    const source = input === '-' ? readInput(input) : input
    const result = await restorer.run(source, { signal, onProgress, format, name: input })
    writeResult(output, await result.toBuffer({ format }))
    const seconds = (performance.now() - started) / 1000
    const { info } = result
    const note = licenses[builders[info.network].license].note
    news.show(`restored in ${formatSeconds(seconds)} on ${info.device}; ${note}`)
    if (output !== '-') printResult(options, { input, output, ...info, seconds }, output)
  } finally {
    process.off('SIGINT', onInterrupt)
    news.done()
  }
}

function describe(input: string, { phase, done, total, secondsLeft }: ProgressEvent): string {
  if (phase === 'open') return 'opening the network'
  if (phase === 'read') return `reading ${input}`
  return `restoring ${input}, tile ${done}/${total}, ${formatSeconds(secondsLeft ?? 0)} left`
}

/** The file to write and its format: the file named, or a name of its own in the folder named or beside the input. */
function targetOf(
  input: string,
  { output, format }: RestoreCommandOptions,
): { readonly output: string; readonly format: string } {
  const inFolder = output === undefined || output.endsWith('/') || isFolder(output)
  const chosen = format ?? ((!inFolder && extensionOf(output)) || extensionOf(input) || 'png')
  if (!inFolder) return { output, format: chosen }
  if (input === '-' && output === undefined) return { output: '-', format: chosen }
  const name = input === '-' ? 'stdin' : basename(input, extname(input))
  return { output: join(output ?? dirname(input), `${name}_restored.${chosen}`), format: chosen }
}

function extensionOf(path: string): string {
  return extname(path).slice(1).toLowerCase()
}

function tilesOf({ tile, overlap }: RestoreCommandOptions): TileRequest {
  return {
    tile: tile === 'auto' || tile === 'none' ? tile : parseWhole('--tile', tile, 8),
    overlap: overlap === undefined ? undefined : parseWhole('--overlap', overlap, 0),
  }
}
