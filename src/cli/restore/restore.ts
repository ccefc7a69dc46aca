// limpid restore: checks the request, plans the files, restores and reports.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { clearLeftovers } from '../../files/atomicWrite.ts'
import { alreadyExists } from '../../files/outputErrors.ts'
import { resolveModel } from '../../runtime/resolveModel.ts'
import { createRestorer, type Restorer, readAhead } from '../../runtime/restorer.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import { checkOutput, type Job, placeKey, refuseOnStdout } from '../io/outputPlan.ts'
import { failureOf, formatSeconds, plural, printFailures } from '../io/shell.ts'
import { reportResult } from '../io/writeResult.ts'
import { requestOf, runOf } from '../networks/request.ts'
import { Manifest, manifestName } from './manifest.ts'
import { filesOf, type Outcome, restoreJobs, resultsOf, type Treatment } from './restoreJobs.ts'
import { planRestore, type RestorePlan } from './restorePlan.ts'
import { RestoreProgress } from './restoreProgress.ts'

export async function restoreCommand(inputs: readonly string[], options: RestoreOptions): Promise<void> {
  const treatment = treatmentOf(options)
  const request = requestOf(options)
  // Wrong tasks and models are reported before existing outputs.
  resolveModel(request)
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
    const concurrentRestorers = Math.min(options.jobs, plan.jobs.length)
    for (let i = 0; i < concurrentRestorers; i++)
      restorers.push(await createRestorer({ ...request, concurrentRestorers, signal: interrupt.signal }))
    manifest = openManifest(plan, restorers[0]!, treatment, options)
    const todo = remaining(plan, manifest, treatment)
    const skipped = plan.jobs.length - todo.length
    progress.begin(todo.length)
    const outcome = await restoreJobs(todo, {
      restorers,
      treatment,
      manifest,
      progress,
      ahead,
      signal: interrupt.signal,
      onWritten: ({ output }) => {
        progress.clear()
        if (output !== '-' && !options.json) process.stdout.write(`${output}\n`)
      },
    })
    conclude(options, { ...outcome, skipped, isMany: plan.isMany, progress, restorers })
    if (interrupt.signal.aborted) {
      const done = `${outcome.results.length + skipped} of ${plural(plan.jobs.length, 'picture')} done`
      const advice = plan.folder ? '; --resume continues' : ''
      throw new RestoreError('aborted', `restore: interrupted, ${done}${advice}`)
    }
  } finally {
    manifest?.close()
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt)
    await Promise.all(restorers.map((restorer) => restorer.close()))
  }
}

interface Conclusion extends Outcome {
  /** Done by an earlier run. */
  readonly skipped: number
  readonly isMany: boolean
  readonly progress: RestoreProgress
  readonly restorers: readonly Restorer[]
}

/** Prints the summary, the document and the failures, and sets the exit code. */
function conclude(options: RestoreOptions, conclusion: Conclusion): void {
  const { results, failures, skipped, isMany, progress, restorers } = conclusion
  const { seconds, megapixels } = progress
  const told = failures.map(({ job, error }) => failureOf(error, job.path))
  // The paths have been printed as they were written.
  reportResult(options, { results, failures: told, skipped, seconds }, '')
  const [restorer] = restorers
  const { license } = restorer ?? {}
  const note = license?.isCommercial === false ? `; ${license.note}` : ''
  const [{ spread } = {}] = isMany ? [] : results
  const deviating = spread
    ? `; samples deviate by ${spread.mean255.toFixed(1)} of 255 on average, white in the map is ${spread.white255.toFixed(1)}`
    : ''
  const already = skipped > 0 ? `, ${skipped} done before` : ''
  const count = isMany ? `${plural(results.length, 'picture')}, ${megapixels.toFixed(1)} MP ` : ''
  if (results.length > 0 || skipped > 0)
    progress.end(
      `restored ${count}in ${formatSeconds(seconds)} on ${restorer?.device}${already}${deviating}${note}`,
    )
  const [first] = failures
  if (!first) return
  if (!isMany) throw first.error
  progress.clear()
  printFailures(told, results.length + skipped + failures.length)
}

/** Refuses, before work starts, what would fail at its end. */
function checkPlan(
  { jobs, folder, isMany }: RestorePlan,
  treatment: Treatment,
  options: RestoreOptions,
): void {
  const { overwrite, resume, compare, report, output } = options
  const isPiped = jobs.some((job) => job.output === '-')
  if (isPiped && compare) throw new RestoreError('usage', '--compare: expected results in files, got stdout')
  if (isPiped && (treatment.samples ?? 1) > 1)
    throw new RestoreError('usage', '--samples: expected results in files, got stdout, which would hold one')
  refuseOnStdout(
    jobs.map((job) => job.output),
    options,
  )
  if (report !== undefined) checkOutput(report, overwrite)
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
  { resume, format }: RestoreOptions,
): Manifest | undefined {
  if (folder === undefined || !(isMany || resume)) return undefined
  const { sha256, network } = restorer
  const { pixelLimit, overwrite: _, ...kept } = treatment
  const guide = restorer.guide?.sha256
  const settings = { sha256, guide, network: network.options, format, ...kept }
  return Manifest.open(folder, settings, { resume: resume === true })
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

function treatmentOf(options: RestoreOptions): Treatment {
  const { alpha, strength, quality, strip = false, compare = false, overwrite = false, pixelLimit } = options
  return {
    ...runOf(options),
    opacity: alpha,
    strength,
    strip,
    compare,
    overwrite,
    ...(quality === undefined ? {} : { quality }),
    ...(pixelLimit === undefined ? {} : { pixelLimit }),
  }
}
