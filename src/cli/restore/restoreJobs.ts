// Pictures through the restorers that are open: while one is computed, the next is read and the last one written.

import { existsSync, mkdirSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { decodeBytes } from '../../data/codec.ts'
import type { Restorer, RunPictureOptions } from '../../runtime/restorer.ts'
import type { RestoreInfo, RestoreResult } from '../../runtime/result.ts'
import { writeResult } from '../result.ts'
import { readInput } from '../shell.ts'
import type { Job } from '../targets.ts'
import type { Manifest } from './manifest.ts'
import type { RestoreProgress } from './restoreProgress.ts'

/** What is done to every picture, and how it is written. */
export interface Treatment extends Omit<RunPictureOptions, 'signal' | 'onProgress' | 'format' | 'name'> {
  readonly quality?: number
  readonly strip: boolean
  readonly compare: boolean
  readonly overwrite: boolean
}

export interface Restored extends Omit<RestoreInfo, 'seconds'> {
  readonly input: string
  readonly output: string
  /** The page that compares, where one was asked for. */
  readonly compare?: string
  readonly seconds: number
}

export interface Outcome {
  readonly results: readonly Restored[]
  readonly failures: readonly { readonly job: Job; readonly error: unknown }[]
}

export interface BatchOptions {
  readonly restorers: readonly Restorer[]
  readonly treatment: Treatment
  readonly manifest: Manifest | undefined
  readonly progress: RestoreProgress
  readonly signal: AbortSignal
  readonly onWritten: (result: Restored) => void
}

/** Pictures under way at each restorer. */
const lanes = 2

/** Restores all; one that fails leaves the others alone, and an abort ends with what is done. */
export async function restoreJobs(jobs: readonly Job[], options: BatchOptions): Promise<Outcome> {
  const { restorers, progress, signal, onWritten } = options
  const results: Restored[] = []
  const failures: { job: Job; error: unknown }[] = []
  const queue = jobs.values()
  const work = async (restorer: Restorer) => {
    for (const job of queue) {
      try {
        const result = await restoreOne(job, restorer, options)
        results.push(result)
        progress.finish(job.name, result.seconds)
        onWritten(result)
      } catch (error) {
        if (signal.aborted) return
        failures.push({ job, error })
        progress.fail(job.name, error instanceof Error ? error.message : String(error))
      }
      if (signal.aborted) return
    }
  }
  await Promise.all(restorers.flatMap((restorer) => Array.from({ length: lanes }, () => work(restorer))))
  return { results, failures }
}

async function restoreOne(job: Job, restorer: Restorer, options: BatchOptions): Promise<Restored> {
  const { treatment, manifest, progress, signal } = options
  const started = performance.now()
  const { quality, strip, compare, overwrite, ...run } = treatment
  const { format, output } = job
  const source = job.path === '-' ? readInput('-') : job.path
  const name = job.path === '-' ? 'stdin' : job.path
  const result = await restorer.run(source, {
    ...{ ...run, signal, format, name },
    onProgress: (event) => progress.event(job.name, event),
  })
  const bytes = await result.toBuffer({ format, quality, strip })
  if (output !== '-' && existsSync(output) && !overwrite && !manifest?.isOwn(job))
    throw new RestoreError('output', `${output}: exists already; give another name, or --overwrite`)
  if (output !== '-') makeFolder(dirname(output))
  if (compare) await writePage(job, source, result, treatment)
  manifest?.announce(job, bytes)
  writeResult(output, bytes)
  manifest?.finish(job)
  const seconds = (performance.now() - started) / 1000
  return { input: job.path, output, ...result.info, ...(compare ? { compare: pageOf(job) } : {}), seconds }
}

/** The page that compares a result with its input. */
export function pageOf({ output }: Job): string {
  return join(dirname(output), `${basename(output, extname(output))}_compare.html`)
}

async function writePage(
  job: Job,
  source: string | Uint8Array,
  result: RestoreResult,
  { pixelLimit }: Treatment,
): Promise<void> {
  const { comparePage } = await import('../measure/comparePage.ts')
  const { pixels: before } = await decodeBytes(source, pixelLimit === undefined ? {} : { pixelLimit })
  const { channels, ...raw } = result.raw()
  const hasAlpha = channels % 2 === 0
  const after = { ...raw, hasAlpha, channels: hasAlpha ? channels - 1 : channels }
  const { model, tiles, device } = result.info
  const caption = `${model}, ${tiles.count === 1 ? 'whole' : `${tiles.count} tiles`}, on ${device}`
  const page = await comparePage({ title: basename(job.output), caption, before, after })
  writeResult(pageOf(job), Buffer.from(page))
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RestoreError('output', `${folder}: cannot be made (${reason})`, { cause: error })
  }
}
