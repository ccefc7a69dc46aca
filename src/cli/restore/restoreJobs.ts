// Runs pictures through the open restorers: while one is computed, the next is read and the last is written.

import { existsSync, statSync, utimesSync } from 'node:fs'
import { basename } from 'node:path'
import { describeRepair } from '../../auto/repairInfo.ts'
import { srgbTransform } from '../../data/colors/srgbTransform.ts'
import { decodeBytes } from '../../data/decode.ts'
import type { Pixels } from '../../data/image.ts'
import { convertByProfile } from '../../data/sharpRaster.ts'
import { alreadyExists } from '../../files/outputErrors.ts'
import type { Finding } from '../../models/daclip/wordRanking.ts'
import {
  type CanvasPicture,
  canvasPicture,
  type RawPicture,
  type RestoreInfo,
} from '../../runtime/pictures/pictureTypes.ts'
import type { DecodedInput } from '../../runtime/readInput.ts'
import type { RestoreResult } from '../../runtime/restoreResult.ts'
import type { RunPictureOptions } from '../../runtime/restorer.ts'
import { DiskRoom } from '../io/diskRoom.ts'
import { type FailedInput, isStream, labelOf } from '../io/inputs.ts'
import type { Job } from '../io/outputPlan.ts'
import { printNotes } from '../io/shell.ts'
import { sourceOf } from '../io/source.ts'
import { copyResult, writeResult } from '../io/writeResult.ts'
import type { FolderPage } from './folderPage.ts'
import { type Manifest, stampOf } from './manifest.ts'
import type { RestoreProgress } from './restoreProgress.ts'
import { mapOf, pageOf, samplesOf } from './resultFiles.ts'

/** What is done to every picture, and how it is written. */
export interface Treatment extends Omit<RunPictureOptions, 'signal' | 'onProgress' | 'format' | 'name'> {
  readonly quality?: number
  readonly strip: boolean | 'location'
  readonly compare: boolean
  readonly overwrite: boolean
}

export interface Restored extends Omit<RestoreInfo, 'seconds'> {
  readonly input: string
  /** Page of a document or frame of an animation, from 1. */
  readonly page?: number
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
  readonly failed: readonly FailedInput[]
}

export interface ReadAhead {
  readonly job: Job
  /** Of the file as it was before it was read. */
  readonly stamp: string
  readonly read: Promise<DecodedInput>
}

/** A restored picture, computed by this process or by a worker. */
export interface Restoration
  extends Pick<RestoreResult, 'info' | 'samples' | 'spread' | 'isOriginal' | 'toBuffer'> {
  toImageData(): CanvasPicture | Promise<CanvasPicture>
  raw(): RawPicture | Promise<RawPicture>
  /** Time for the picture. @default from the start of its turn to its file */
  readonly seconds?: number
}

/** Restores one picture after another. */
export interface Lane {
  run(source: string | Uint8Array, options: RunPictureOptions, job: Job): Promise<Restoration>
}

export interface BatchOptions {
  /** What restores pictures side by side. */
  readonly lanes: readonly Lane[]
  readonly treatment: Treatment
  readonly manifest: Manifest | undefined
  readonly progress: RestoreProgress
  /** A picture whose read has started before the networks were open. */
  readonly ahead: ReadAhead | undefined
  /** The page about all pictures, where one was asked for. */
  readonly page: FolderPage | undefined
  readonly signal: AbortSignal
  readonly onWritten: (result: Restored) => void
}

/** Restores all pictures; a failure leaves the others alone, and an abort keeps what is done. */
export async function restoreJobs(jobs: readonly Job[], options: BatchOptions): Promise<Outcome> {
  const { lanes, progress, signal, onWritten } = options
  const results: Restored[] = []
  const failed: FailedInput[] = []
  const room = new DiskRoom()
  const queue = jobs.values()
  const work = async (lane: Lane) => {
    for (const job of queue) {
      try {
        const result = await restoreOne(job, lane, { ...options, room })
        results.push(result)
        progress.finish(job, result.seconds, (result.width * result.height) / result.scale ** 2)
        onWritten(result)
      } catch (error) {
        if (signal.aborted) return
        failed.push({ path: job.path, page: job.page, error })
        progress.fail(job)
      }
      if (signal.aborted) return
    }
  }
  await Promise.all(lanes.map(work))
  return { results, failed }
}

interface JobOptions extends BatchOptions {
  readonly room: DiskRoom
}

async function restoreOne(job: Job, lane: Lane, options: JobOptions): Promise<Restored> {
  const { treatment, progress, ahead, signal, room } = options
  const started = performance.now()
  const { quality, strip, compare, overwrite: _, ...run } = treatment
  const { format, output, path, page } = job
  room.check(output)
  const isAhead = ahead?.job === job
  const stamp = isAhead ? ahead.stamp : stampOf(path)
  const source = isAhead ? path : await sourceOf(path, signal)
  const name = labelOf(job)
  const running: RunPictureOptions = {
    ...run,
    signal,
    format,
    name,
    page,
    onProgress: (event) => progress.event(job, event),
  }
  const result = await lane.run(source, running, job)
  const writing = { format, quality, strip }
  const bytes = await result.toBuffer(writing)
  if (result.info.notes.length > 0) progress.clear()
  printNotes(name, result.info.notes)
  if (result.info.seen) progress.tell(name, [`sees ${describeSeen(result.info.seen)}`])
  if (result.info.repair) progress.tell(name, describeRepair(result.info.repair))
  const write = (file: string, bytes: Uint8Array) => writeOne({ job, file, bytes, stamp }, options)
  const isShown = compare || options.page !== undefined
  const before = isShown ? await decodeBytes(source, { page, ...limitsOf(treatment) }) : undefined
  if (compare && before) write(pageOf(job), await pageOfResult(job, before.pixels, result, treatment))
  const samples = samplesOf(job, result.samples.length)
  for (const [i, sample] of result.samples.entries()) write(samples[i]!, await sample.toBuffer(writing))
  if (result.spread) write(mapOf(job), await result.spread.toBuffer())
  if (result.isOriginal(writing)) {
    writeOne({ job, file: output, bytes, stamp, isCopy: true }, options)
    keepTimes(path, output)
  } else write(output, bytes)
  const { seconds = (performance.now() - started) / 1000 } = result
  const restored: Restored = {
    input: path,
    ...(page === undefined ? {} : { page }),
    output,
    ...result.info,
    ...(compare ? { compare: pageOf(job) } : {}),
    ...(result.spread ? { sampleFiles: samples, spreadFile: mapOf(job) } : {}),
    seconds,
  }
  if (options.page && before) {
    const toSrgb = await srgbTransform(before.metadata?.icc, convertByProfile)
    await options.page.add(restored, canvasPicture(toSrgb(before.pixels)), await result.toImageData())
  }
  return restored
}

/** The likeliest words, and others that are likely. */
function describeSeen(seen: readonly Finding[]): string {
  const likely = seen.filter(({ probability }, i) => i === 0 || probability >= 0.1)
  return likely
    .map(({ degradation, probability }) => `${degradation} ${Math.round(100 * probability)} %`)
    .join(', ')
}

/** Gives a copy the times of its original. */
function keepTimes(path: string, copy: string): void {
  if (copy === '-' || isStream(path)) return
  const { atime, mtime } = statSync(path)
  utimesSync(copy, atime, mtime)
}

function limitsOf({ pixelLimit }: Treatment) {
  return pixelLimit === undefined ? {} : { pixelLimit }
}

interface Written {
  readonly job: Job
  readonly file: string
  readonly bytes: Uint8Array
  /** Of the input as it was read. */
  readonly stamp: string
  /** Whether the bytes are those of the input. */
  readonly isCopy?: boolean
}

/** Announces a file, then writes it; files that no run of ours wrote are not replaced. */
function writeOne(
  { job, file, bytes, stamp, isCopy = false }: Written,
  { manifest, treatment, room }: JobOptions,
): void {
  const { path } = job
  const result = { path, output: file }
  const overwrite = treatment.overwrite || manifest?.isOwn(result) === true
  if (file !== '-' && !overwrite && existsSync(file)) throw alreadyExists(file)
  room.reserving(bytes.length, () => {
    manifest?.announce(result, bytes, stamp)
    // A file that has changed since is not what was looked at.
    const isUnchanged = isCopy && file !== '-' && !isStream(path) && stampOf(path) === stamp
    if (isUnchanged) copyResult(path, file, { overwrite })
    else writeResult(file, bytes, { overwrite })
  })
  manifest?.finish(result)
}

async function pageOfResult(
  job: Job,
  before: Pixels,
  result: Restoration,
  { strength = 1 }: Treatment,
): Promise<Uint8Array> {
  const { comparePage } = await import('../measure/comparePage.ts')
  const { channels, icc, ...raw } = await result.raw()
  const hasAlpha = channels % 2 === 0
  const after = { ...raw, hasAlpha, channels: hasAlpha ? channels - 1 : channels }
  const { tiles, device, sampling, repair } = result.info
  const model = repair?.done.length === 0 ? 'nothing to repair' : result.info.model
  const steps = sampling ? `, ${sampling.steps} steps` : ''
  const share = strength < 1 ? ` at strength ${strength}` : ''
  const caption = `${model}${share}${steps}, ${tiles.count === 1 ? 'whole' : `${tiles.count} tiles`}, on ${device}`
  return Buffer.from(await comparePage({ title: basename(job.output), caption, before, after, icc }))
}
