// limpid restore: the main job. What the options say, which files go where, and what is told in the end.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import type { Sampler } from '../../diffusion/irsde.ts'
import { builders } from '../../registry/builders.ts'
import { licenses } from '../../registry/cards.ts'
import { createRestorer, type Restorer, type RestorerOptions } from '../../runtime/restorer.ts'
import type { SamplingRequest } from '../../runtime/sampling/sampling.ts'
import type { BackendOptions } from '../networks/backends.ts'
import { writeResult } from '../result.ts'
import {
  checkOutput,
  formatSeconds,
  type GlobalOptions,
  parseObject,
  parsePixelLimit,
  parseQuality,
  parseWhole,
  printResult,
} from '../shell.ts'
import { type Job, type Plan, planJobs, type TargetOptions } from '../targets.ts'
import { Manifest, manifestName, removeLeftovers } from './manifest.ts'
import { filesOf, type Outcome, restoreJobs, resultsOf, type Treatment } from './restoreJobs.ts'
import { RestoreProgress } from './restoreProgress.ts'

export interface RestoreCommandOptions extends GlobalOptions, BackendOptions, TargetOptions {
  readonly model?: string
  readonly weights?: string
  readonly task?: string
  readonly scale?: string
  readonly options?: string
  readonly guide?: string
  readonly steps?: string
  readonly sampler?: Sampler
  readonly seed?: string
  readonly samples?: string
  readonly noise?: string
  readonly maxSigma?: string
  readonly tile: string
  readonly overlap?: string
  readonly blend: 'smooth' | 'official'
  readonly selfEnsemble?: boolean
  readonly strength: string
  readonly alpha: 'keep' | 'restore'
  readonly quality?: string
  readonly strip?: boolean
  readonly compare?: boolean
  readonly report?: string
  readonly resume?: boolean
  readonly jobs: string
  readonly threads?: string
  readonly pixelLimit?: string
  readonly overwrite?: boolean
}

export async function restoreCommand(
  inputs: readonly string[],
  options: RestoreCommandOptions,
): Promise<void> {
  const treatment = treatmentOf(options)
  const request = requestOf(options)
  const plan = planJobs(inputs, options)
  checkPlan(plan, treatment, options)
  const interrupt = new AbortController()
  const onInterrupt = () => interrupt.abort()
  process.once('SIGINT', onInterrupt).once('SIGTERM', onInterrupt)
  const progress = new RestoreProgress(options)
  const restorers: Restorer[] = []
  try {
    progress.opening()
    const shares = Math.min(parseWhole('--jobs', options.jobs, 1), plan.jobs.length)
    for (let i = 0; i < shares; i++)
      restorers.push(await createRestorer({ ...request, shares, signal: interrupt.signal }))
    const { todo, manifest } = remaining(plan, restorers[0] as Restorer, treatment, options)
    const skipped = plan.jobs.length - todo.length
    progress.begin(todo.length)
    const outcome = await restoreJobs(todo, {
      ...{ restorers, treatment, manifest, progress, signal: interrupt.signal },
      onWritten: ({ output }) => {
        progress.clear()
        if (output !== '-' && !isDocument(options)) process.stdout.write(`${output}\n`)
      },
    })
    manifest?.close()
    conclude(options, { ...outcome, skipped, isMany: plan.isMany, progress, restorers })
    if (interrupt.signal.aborted) {
      const done = `${outcome.results.length + skipped} of ${plan.jobs.length} pictures are done`
      const advice = plan.folder ? '; --resume goes on' : ''
      throw new RestoreError('aborted', `restore: interrupted, ${done}${advice}`)
    }
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt)
    await Promise.all(restorers.map((restorer) => restorer.close()))
  }
}

/** Whether stdout carries one document in place of paths. */
function isDocument({ json, report }: RestoreCommandOptions): boolean {
  return json === true || report === 'json'
}

interface Conclusion extends Outcome {
  /** Done by a run before. */
  readonly skipped: number
  readonly isMany: boolean
  readonly progress: RestoreProgress
  readonly restorers: readonly Restorer[]
}

/** The report, what failed, and the exit code of it. */
function conclude(options: RestoreCommandOptions, conclusion: Conclusion): void {
  const { results, failures, skipped, isMany, progress, restorers } = conclusion
  const { seconds, megapixels } = progress
  const { report } = options
  const told = failures.map(({ job, error }) => {
    const code = error instanceof RestoreError ? error.code : 'crash'
    return { input: job.path, code, message: error instanceof Error ? error.message : String(error) }
  })
  const document = { results, failures: told, skipped, seconds }
  if (isDocument(options)) printResult({ ...options, json: true }, document, '')
  if (report !== undefined && report !== 'json')
    writeResult(report, Buffer.from(`${JSON.stringify(document, null, 2)}\n`))
  const [restorer] = restorers
  const license = restorer && licenses[builders[restorer.opened.model].license]
  const note = license && !license.isCommercial ? `; ${license.note}` : ''
  const [{ spread } = {}] = isMany ? [] : results
  const deviating = spread
    ? `; samples deviate by ${spread.mean255.toFixed(1)} of 255 on average, white in the map is ${spread.white255.toFixed(1)}`
    : ''
  const already = skipped > 0 ? `, ${skipped} were done before` : ''
  const count = isMany ? `${results.length} pictures, ${megapixels.toFixed(1)} MP ` : ''
  if (results.length > 0 || skipped > 0)
    progress.end(
      `restored ${count}in ${formatSeconds(seconds)} on ${restorer?.device}${already}${deviating}${note}`,
    )
  const [first] = failures
  if (!first) return
  if (!isMany) throw first.error
  progress.say(`${failures.length} of ${results.length + skipped + failures.length} pictures failed:`)
  for (const { message } of told) progress.say(`  ${message}`)
  process.exitCode = 1
}

/** Refuses what would be found out too late. */
function checkPlan(
  { jobs, folder, isMany }: Plan,
  treatment: Treatment,
  options: RestoreCommandOptions,
): void {
  const { overwrite, resume, compare, report, output } = options
  const isPiped = jobs.some((job) => job.output === '-')
  if (isPiped && compare) throw new RestoreError('usage', '--compare: expected results in files, got stdout')
  if (isPiped && (treatment.samples ?? 1) > 1)
    throw new RestoreError('usage', '--samples: expected results in files, got stdout, which would hold one')
  if (isPiped && isDocument(options))
    throw new RestoreError('usage', '--json: expected results in files, got stdout, which would hold both')
  if (isPiped && process.stdout.isTTY)
    throw new RestoreError('usage', '--output: expected a file, got a terminal; give -o FILE, or a pipe')
  if (report !== undefined && report !== 'json') checkOutput(report, overwrite)
  if (resume && folder === undefined)
    throw new RestoreError(
      'usage',
      `--resume: expected results in a folder, got ${output ?? 'none'}; give -o DIR`,
    )
  const wanted = jobs.flatMap((job) => filesOf(job, treatment))
  refuseMeeting(wanted)
  if (folder === undefined) for (const path of wanted) checkOutput(path, overwrite)
  else if (!overwrite && !resume) refuseExisting(wanted, { folder, isMany })
}

/** A sample of one picture may have the name of another's result. */
function refuseMeeting(wanted: readonly string[]): void {
  const taken = new Set<string>()
  for (const path of wanted) {
    const file = resolve(path)
    if (path !== '-' && taken.has(file))
      throw new RestoreError(
        'usage',
        `${path}: expected a name of its own for each result, got one for those of two inputs; restore them into folders of their own`,
      )
    taken.add(file)
  }
}

function refuseExisting(wanted: readonly string[], { folder, isMany }: Omit<Plan, 'jobs'>): void {
  const existing = wanted.filter((path) => existsSync(path))
  if (existing.length === 0) return
  const [first] = existing
  if (!isMany) throw new RestoreError('output', `${first}: exists already; give another name, or --overwrite`)
  const advice = existsSync(join(folder ?? '.', manifestName)) ? '--resume to go on, ' : ''
  throw new RestoreError(
    'output',
    `${folder}: ${existing.length} of ${wanted.length} results exist already (${first}, …); give ${advice}another folder, or --overwrite`,
  )
}

/** What is left to do in a folder, and the manifest that tells it; a result of someone else is not replaced. */
function remaining(
  { jobs, folder, isMany }: Plan,
  restorer: Restorer,
  treatment: Treatment,
  { resume = false, overwrite, format }: RestoreCommandOptions,
): { readonly todo: readonly Job[]; readonly manifest: Manifest | undefined } {
  if (folder === undefined || !(isMany || resume)) return { todo: jobs, manifest: undefined }
  const { sha256, options: network } = restorer.opened
  const { pixelLimit, overwrite: _, ...kept } = treatment
  const guide = restorer.guide?.sha256
  const manifest = Manifest.open(folder, { sha256, guide, network, format, ...kept }, { resume })
  removeLeftovers(jobs.flatMap((job) => filesOf(job, treatment)))
  const todo = jobs.filter((job) => !manifest.isDone(job))
  const foreign = todo
    .flatMap((job) => resultsOf(job, treatment))
    .filter((job) => existsSync(job.output) && !manifest.isOwn(job))
    .map(({ output }) => output)
  if (!overwrite && foreign.length > 0) {
    manifest.close()
    throw new RestoreError(
      'output',
      `${foreign[0]}: exists already and was not written by the run before; move it away, or --overwrite`,
    )
  }
  return { todo, manifest }
}

function requestOf(options: RestoreCommandOptions): RestorerOptions {
  const { model, weights, guide, task, scale, device, backend, threads, maxSigma } = options
  return {
    ...{ model, weights, guide, task, device, backend, ...samplingOf(options) },
    scale: wholeOf('--scale', scale, 1),
    maxSigma: maxSigma === undefined ? undefined : parseNumber('--max-sigma', maxSigma, [1, 255]),
    options: parseObject('--options', options.options),
    threads: wholeOf('--threads', threads, 1),
  }
}

/** What is asked of a network that samples; the same for all pictures, and told by the manifest. */
function samplingOf({ steps, sampler, seed, samples, noise }: RestoreCommandOptions): SamplingRequest {
  return {
    steps: wholeOf('--steps', steps, 1),
    sampler,
    seed: wholeOf('--seed', seed, 0),
    samples: wholeOf('--samples', samples, 1),
    noise255: noise === undefined ? undefined : parseNumber('--noise', noise, [0, 255]),
  }
}

function treatmentOf(options: RestoreCommandOptions): Treatment {
  const { tile, overlap, blend, selfEnsemble = false, alpha, quality, strip = false } = options
  const { compare = false, overwrite = false } = options
  return {
    tile: tile === 'auto' || tile === 'none' ? tile : parseWhole('--tile', tile, 8),
    overlap: wholeOf('--overlap', overlap, 0),
    ...{ blend, selfEnsemble, opacity: alpha, strip, compare, overwrite, ...samplingOf(options) },
    strength: parseNumber('--strength', options.strength, [0, 1]),
    ...parseQuality(quality),
    ...parsePixelLimit(options.pixelLimit),
  }
}

function wholeOf(option: string, text: string | undefined, minimum: number): number | undefined {
  return text === undefined ? undefined : parseWhole(option, text, minimum)
}

function parseNumber(option: string, text: string, [least, most]: readonly [number, number]): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new RestoreError('usage', `${option}: expected a number from ${least} to ${most}, got ${text}`)
}
