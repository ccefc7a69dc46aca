// Runs pictures through the open restorers: while one is computed, the next is read and the last is written.

import { existsSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { messageOf } from '../../core/errors.ts'
import { decodeBytes } from '../../data/codec.ts'
import { alreadyExists } from '../../files/outputErrors.ts'
import type { RestoreInfo } from '../../runtime/pictures/pictureTypes.ts'
import type { DecodedInput } from '../../runtime/readInput.ts'
import type { RestoreResult } from '../../runtime/restoreResult.ts'
import type { Restorer, RunPictureOptions } from '../../runtime/restorer.ts'
import type { Job } from '../io/outputPlan.ts'
import { readInput } from '../io/shell.ts'
import { writeResult } from '../io/writeResult.ts'
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
  /** Where several samples were asked for: each of them, and the map of where they disagree. */
  readonly sampleFiles?: readonly string[]
  readonly spreadFile?: string
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
  /** A picture whose read has started before the networks were open. */
  readonly ahead: { readonly job: Job; readonly read: Promise<DecodedInput> } | undefined
  readonly signal: AbortSignal
  readonly onWritten: (result: Restored) => void
}

/** Pictures under way at each restorer. */
const lanes = 2

/** Restores all pictures; a failure leaves the others alone, and an abort keeps what is done. */
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
        progress.finish(job, result.seconds)
        onWritten(result)
      } catch (error) {
        if (signal.aborted) return
        failures.push({ job, error })
        progress.fail(job, messageOf(error))
      }
      if (signal.aborted) return
    }
  }
  await Promise.all(restorers.flatMap((restorer) => Array.from({ length: lanes }, () => work(restorer))))
  return { results, failures }
}

async function restoreOne(job: Job, restorer: Restorer, options: BatchOptions): Promise<Restored> {
  const { treatment, progress, ahead, signal } = options
  const started = performance.now()
  const { quality, strip, compare, overwrite: _, ...run } = treatment
  const { format, output } = job
  const source = job.path === '-' ? readInput('-') : job.path
  const name = job.path === '-' ? 'stdin' : job.path
  const running: RunPictureOptions = {
    ...run,
    signal,
    format,
    name,
    onProgress: (event) => progress.event(job, event),
  }
  const result = await (ahead?.job === job
    ? restorer.runRead(ahead.read, running)
    : restorer.run(source, running))
  const writing = { format, quality, strip }
  const bytes = await result.toBuffer(writing)
  if (compare) await writePage(job, source, result, options)
  const samples = samplesOf(job, result.samples.length)
  const map = mapOf(job)
  for (const [i, sample] of result.samples.entries())
    write(samples[i]!, await sample.toBuffer(writing), options)
  if (result.spread) write(map, await result.spread.toBuffer(), options)
  write(job, bytes, options)
  const seconds = (performance.now() - started) / 1000
  return {
    input: job.path,
    output,
    ...result.info,
    ...(compare ? { compare: pageOf(job) } : {}),
    ...(result.spread ? { sampleFiles: samples.map((one) => one.output), spreadFile: map.output } : {}),
    seconds,
  }
}

/** Announces a result, then writes it; files that no run of ours wrote are not replaced. */
function write(job: Job, bytes: Uint8Array, { manifest, treatment }: BatchOptions): void {
  const { output } = job
  const overwrite = treatment.overwrite || manifest?.isOwn(job) === true
  if (output !== '-' && !overwrite && existsSync(output)) throw alreadyExists(output)
  manifest?.announce(job, bytes)
  writeResult(output, bytes, { overwrite })
  manifest?.finish(job)
}

/** Files a job writes besides its page: the result and, for several samples, each of them and their map. */
export function resultsOf(job: Job, { samples = 1 }: Pick<Treatment, 'samples'>): readonly Job[] {
  return samples === 1 ? [job] : [...samplesOf(job, samples), mapOf(job), job]
}

/** All files that a job writes. */
export function filesOf(job: Job, treatment: Treatment): readonly string[] {
  const results = resultsOf(job, treatment).map(({ output }) => output)
  return treatment.compare ? [...results, pageOf(job)] : results
}

/** The page that compares a result with its input. */
function pageOf(job: Job): string {
  return beside(job, '_compare.html').output
}

function samplesOf(job: Job, count: number): readonly Job[] {
  return Array.from({ length: count }, (_, i) => beside(job, `-${i + 1}${extname(job.output)}`))
}

function mapOf(job: Job): Job {
  return beside(job, '_spread.png')
}

/** A result beside that of a job, by the same name with another end. */
function beside(job: Job, end: string): Job {
  const { output, name } = job
  return {
    ...job,
    name: `${name} ${end}`,
    output: join(dirname(output), `${basename(output, extname(output))}${end}`),
  }
}

async function writePage(
  job: Job,
  source: string | Uint8Array,
  result: RestoreResult,
  { treatment, manifest }: BatchOptions,
): Promise<void> {
  const { comparePage } = await import('../measure/comparePage.ts')
  const { pixelLimit, overwrite } = treatment
  const { pixels: before } = await decodeBytes(source, pixelLimit === undefined ? {} : { pixelLimit })
  const { channels, ...raw } = result.raw()
  const hasAlpha = channels % 2 === 0
  const after = { ...raw, hasAlpha, channels: hasAlpha ? channels - 1 : channels }
  const { model, tiles, device, sampling } = result.info
  const steps = sampling ? `, ${sampling.steps} steps` : ''
  const caption = `${model}${steps}, ${tiles.count === 1 ? 'whole' : `${tiles.count} tiles`}, on ${device}`
  const page = await comparePage({ title: basename(job.output), caption, before, after })
  // The manifest has no entry for a page: one of an earlier run is replaced.
  writeResult(pageOf(job), page, { overwrite: overwrite || manifest !== undefined })
}
