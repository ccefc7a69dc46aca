// limpid restore: the main job. What the options say, which files go where, and what is told in the end.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { clearLeftovers } from '../../files/atomicWrite.ts'
import { alreadyExists } from '../../files/outputErrors.ts'
import { createRestorer, type Restorer, readAhead } from '../../runtime/restorer.ts'
import { type NetworkOptions, parseNumber, requestOf, runOf } from '../networks/request.ts'
import { checkOutput, type Job, placeKey, refuseOnStdout } from '../outputPlan.ts'
import {
  formatSeconds,
  type GlobalOptions,
  parsePixelLimit,
  parseQuality,
  parseWhole,
  plural,
  printResult,
} from '../shell.ts'
import { writeResult } from '../writeResult.ts'
import { Manifest, manifestName } from './manifest.ts'
import { filesOf, type Outcome, restoreJobs, resultsOf, type Treatment } from './restoreJobs.ts'
import { planRestore, type RestorePlan, type TargetOptions } from './restorePlan.ts'
import { RestoreProgress } from './restoreProgress.ts'

export interface RestoreCommandOptions extends GlobalOptions, NetworkOptions, TargetOptions {
  readonly seed?: string
  readonly strength: string
  readonly alpha: 'keep' | 'restore'
  readonly quality?: string
  readonly strip?: boolean
  readonly compare?: boolean
  readonly report?: string
  readonly resume?: boolean
  readonly jobs: string
  readonly pixelLimit?: string
  readonly overwrite?: boolean
}

export async function restoreCommand(
  inputs: readonly string[],
  options: RestoreCommandOptions,
): Promise<void> {
  const treatment = treatmentOf(options)
  const request = requestOf(options)
  const plan = planRestore(inputs, options)
  checkPlan(plan, treatment, options)
  const interrupt = new AbortController()
  const onInterrupt = () => interrupt.abort()
  process.once('SIGINT', onInterrupt).once('SIGTERM', onInterrupt)
  const progress = new RestoreProgress(options)
  if (plan.earlier.length > 0)
    progress.say(`left out ${plural(plan.earlier.length, 'result')} of an earlier run: ${plan.earlier[0]}, …`)
  const restorers: Restorer[] = []
  let manifest: Manifest | undefined
  try {
    progress.opening()
    const [only] = plan.jobs.length === 1 ? plan.jobs : []
    const ahead = only && only.path !== '-' ? { job: only, read: readAhead(only.path, treatment) } : undefined
    const concurrentRestorers = Math.min(parseWhole('--jobs', options.jobs, 1), plan.jobs.length)
    for (let i = 0; i < concurrentRestorers; i++)
      restorers.push(await createRestorer({ ...request, concurrentRestorers, signal: interrupt.signal }))
    manifest = openManifest(plan, restorers[0]!, treatment, options)
    const todo = remaining(plan, manifest, treatment)
    const skipped = plan.jobs.length - todo.length
    progress.begin(todo.length)
    const outcome = await restoreJobs(todo, {
      ...{ restorers, treatment, manifest, progress, ahead, signal: interrupt.signal },
      onWritten: ({ output }) => {
        progress.clear()
        if (output !== '-' && !isDocument(options)) process.stdout.write(`${output}\n`)
      },
    })
    conclude(options, { ...outcome, skipped, isMany: plan.isMany, progress, restorers })
    if (interrupt.signal.aborted) {
      const done = `${outcome.results.length + skipped} of ${plan.jobs.length} pictures are done`
      const advice = plan.folder ? '; --resume goes on' : ''
      throw new RestoreError('aborted', `restore: interrupted, ${done}${advice}`)
    }
  } finally {
    manifest?.close()
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
    return { input: job.path, code, message: messageOf(error) }
  })
  const document = { results, failures: told, skipped, seconds }
  if (isDocument(options)) printResult({ ...options, json: true }, document, '')
  if (report !== undefined && report !== 'json')
    writeResult(report, `${JSON.stringify(document, null, 2)}\n`, options)
  const [restorer] = restorers
  const { license } = restorer ?? {}
  const note = license?.isCommercial === false ? `; ${license.note}` : ''
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
  { jobs, folder, isMany }: RestorePlan,
  treatment: Treatment,
  options: RestoreCommandOptions,
): void {
  const { overwrite, resume, compare, report, output } = options
  const isPiped = jobs.some((job) => job.output === '-')
  if (isPiped && compare) throw new RestoreError('usage', '--compare: expected results in files, got stdout')
  if (isPiped && (treatment.samples ?? 1) > 1)
    throw new RestoreError('usage', '--samples: expected results in files, got stdout, which would hold one')
  refuseOnStdout(
    jobs.map((job) => job.output),
    { json: isDocument(options) },
  )
  if (report !== undefined && report !== 'json') checkOutput(report, overwrite)
  if (resume && folder === undefined)
    throw new RestoreError(
      'usage',
      `--resume: expected results in a folder, got ${output ?? 'none'}; give -o DIR`,
    )
  const wanted = jobs.flatMap((job) => filesOf(job, treatment))
  refuseMeeting(wanted)
  if (folder !== undefined && !overwrite && !resume) refuseExisting(wanted, { folder, isMany })
  for (const path of wanted) checkOutput(path, overwrite || resume)
}

/** A sample of one picture may have the name of another's result. */
function refuseMeeting(wanted: readonly string[]): void {
  const taken = new Set<string>()
  for (const path of wanted) {
    const file = placeKey(path)
    if (path !== '-' && taken.has(file))
      throw new RestoreError(
        'usage',
        `${path}: expected a name of its own for each result, got one for those of two inputs; restore them into folders of their own`,
      )
    taken.add(file)
  }
}

function refuseExisting(
  wanted: readonly string[],
  { folder, isMany }: Pick<RestorePlan, 'folder' | 'isMany'>,
): void {
  const existing = wanted.filter((path) => existsSync(path))
  if (existing.length === 0) return
  const [first] = existing
  if (!isMany && first !== undefined) throw alreadyExists(first)
  const advice = existsSync(join(folder ?? '.', manifestName)) ? '--resume to go on, ' : ''
  throw new RestoreError(
    'output',
    `${folder}: ${existing.length} of ${wanted.length} results exist already (${first}, …); give ${advice}another folder, or --overwrite`,
  )
}

/** The manifest of a folder of results, where there is one. */
function openManifest(
  { folder, isMany }: RestorePlan,
  restorer: Restorer,
  treatment: Treatment,
  { resume = false, format }: RestoreCommandOptions,
): Manifest | undefined {
  if (folder === undefined || !(isMany || resume)) return undefined
  const { sha256, network } = restorer
  const { pixelLimit, overwrite: _, ...kept } = treatment
  const guide = restorer.guide?.sha256
  return Manifest.open(folder, { sha256, guide, network: network.options, format, ...kept }, { resume })
}

/** What is left to do; a result of someone else is not replaced. */
function remaining(
  { jobs }: RestorePlan,
  manifest: Manifest | undefined,
  treatment: Treatment,
): readonly Job[] {
  if (!manifest) return jobs
  for (const folder of new Set(jobs.map(({ output }) => dirname(output)))) clearLeftovers(folder)
  const todo = jobs.filter((job) => !manifest.isDone(job))
  const foreign = todo
    .flatMap((job) => resultsOf(job, treatment))
    .find((job) => existsSync(job.output) && !manifest.isOwn(job))
  if (treatment.overwrite || !foreign) return todo
  throw new RestoreError(
    'output',
    `${foreign.output}: exists already and was not written by the earlier run; move it away, or --overwrite`,
  )
}

function treatmentOf(options: RestoreCommandOptions): Treatment {
  const { alpha, quality, strip = false, compare = false, overwrite = false } = options
  return {
    ...{ ...runOf(options), opacity: alpha, strip, compare, overwrite },
    strength: parseNumber('--strength', options.strength, [0, 1]),
    ...parseQuality(quality),
    ...parsePixelLimit(options.pixelLimit),
  }
}
