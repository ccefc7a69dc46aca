// The files that a picture's restoration writes: its result and, beside it, samples, their map and a page.

import { basename, dirname, extname, join } from 'node:path'
import type { Job } from '../io/outputPlan.ts'

/** What decides which files are written. */
export interface ResultRequest {
  /** Number of restorations that are averaged; several are written too. @default 1 */
  readonly samples?: number | undefined
  /** Whether a page compares the result with its input. */
  readonly compare: boolean
}

/** All files that a job writes, its result last. */
export function filesOf(job: Job, { samples = 1, compare }: ResultRequest): readonly string[] {
  return [
    ...(samples === 1 ? [] : [...samplesOf(job, samples), mapOf(job)]),
    ...(compare ? [pageOf(job)] : []),
    job.output,
  ]
}

export function samplesOf(job: Job, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => beside(job, `-${i + 1}${extname(job.output)}`))
}

/** The map of where several samples disagree. */
export function mapOf(job: Job): string {
  return beside(job, '_spread.png')
}

/** The page that compares a result with its input. */
export function pageOf(job: Job): string {
  return beside(job, '_compare.html')
}

/** A file beside a result, by the same name with another end. */
function beside({ output }: Job, end: string): string {
  return join(dirname(output), `${basename(output, extname(output))}${end}`)
}
