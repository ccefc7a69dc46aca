// limpid restore: checks the request, plans the files, restores and reports.

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { OverrideRequest } from '../../auto/plan/overrides.ts'
import { RestoreError } from '../../core/errors.ts'
import { checkBackground } from '../../data/colors/background.ts'
import { clearLeftovers } from '../../files/atomicWrite.ts'
import { checkAuto } from '../../runtime/autoRestorer.ts'
import { isAuto, tasksOf } from '../../runtime/modelChoice.ts'
import { pipelineRequests } from '../../runtime/pipeline.ts'
import { resolveModel } from '../../runtime/resolveModel.ts'
import { readAhead, refuseOverrides } from '../../runtime/restore.ts'
import type { RestorerOptions } from '../../runtime/restorer.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import { conclude, type Failure } from '../io/conclude.ts'
import { isStream, labelOf } from '../io/inputs.ts'
import { type Interrupts, watchInterrupts } from '../io/interrupts.ts'
import type { Job } from '../io/outputPlan.ts'
import { formatSeconds, plural, printPaths } from '../io/shell.ts'
import { dryRun } from '../measure/dryRun.ts'
import { requestOf, runOf } from '../networks/request.ts'
import { checkPlan } from './checkPlan.ts'
import { FolderPage } from './folderPage.ts'
import { Manifest, stampOf } from './manifest.ts'
import { type Outcome, type ReadAhead, restoreJobs, type Treatment } from './restoreJobs.ts'
import { planRestore, type RestorePlan } from './restorePlan.ts'
import { RestoreProgress } from './restoreProgress.ts'
import { openRestorers, type Restorers } from './restorers.ts'
import { filesOf } from './resultFiles.ts'
import { checkShared, isShared, openWorkers } from './workers.ts'

export async function restoreCommand(inputs: readonly string[], options: RestoreOptions): Promise<void> {
  const treatment = treatmentOf(options)
  const { only, never, damage } = options
  const request = { ...requestOf(options), only, never, damage }
  checkTask(request, options)
  if (isShared(options)) checkShared(options)
  if (options.dryRun) return dryRun(inputs, request, options)
  const plan = await planRestore(inputs, options)
  checkPlan(plan, treatment, options)
  using interrupts = watchInterrupts()
  const { signal } = interrupts
  const progress = new RestoreProgress(options)
  if (plan.earlier.length > 0)
    progress.say(`left out ${plural(plan.earlier.length, 'result')} of an earlier run: ${plan.earlier[0]}, …`)
  let restorers: Restorers | undefined
  let manifest: Manifest | undefined
  try {
    progress.opening()
    const ahead = isShared(options) ? undefined : startReading(plan, treatment, signal)
    restorers = await (isShared(options)
      ? openWorkers(request, treatment, { plan, options, progress, signal })
      : openRestorers(request, { ahead, count: Math.min(options.jobs ?? 1, plan.jobs.length), signal }))
    for (const note of restorers.notes) if (!options.quiet) progress.say(note)
    manifest = openManifest(plan, restorers, treatment, options)
    const todo = remaining(plan, manifest, treatment)
    progress.begin(todo.length)
    const page = options.html === undefined ? undefined : new FolderPage(options.html, options)
    const outcome = await restoreJobs(todo, {
      lanes: restorers.lanes,
      treatment,
      manifest,
      progress,
      ahead,
      page,
      signal,
      onWritten: ({ output }) => {
        progress.clear()
        if (output !== '-' && !options.json) printPaths([output])
      },
    })
    finish(options, { ...outcome, plan, todo, progress, restorers, page, interrupts })
  } finally {
    manifest?.close()
    await restorers?.close()
  }
}

/** Reports wrong tasks, models and damage before existing outputs. */
function checkTask(request: RestorerOptions & OverrideRequest, { dryRun: isDry }: RestoreOptions): void {
  const { task, ...others } = request
  if (isAuto(request)) {
    checkAuto(others)
    return
  }
  refuseOverrides(request)
  if (isDry)
    throw new RestoreError(
      'usage',
      `--dry-run: expected --task auto, which makes a plan, got ${task ?? 'none'}; leave it out`,
    )
  if (tasksOf(task).length > 1) pipelineRequests(request)
  else resolveModel(request)
}

/** Starts to read a single picture while the network opens. */
function startReading(
  { jobs }: RestorePlan,
  treatment: Treatment,
  signal: AbortSignal,
): ReadAhead | undefined {
  const [job, second] = jobs
  if (!job || second || isStream(job.path)) return undefined
  return {
    job,
    stamp: stampOf(job.path),
    read: readAhead(job.path, { ...treatment, name: labelOf(job), page: job.page, signal }),
  }
}

interface Ended extends Outcome {
  readonly plan: RestorePlan
  /** What an earlier run had left. */
  readonly todo: readonly Job[]
  readonly progress: RestoreProgress
  readonly restorers: Restorers
  readonly page: FolderPage | undefined
  readonly interrupts: Interrupts
}

/** Prints the summary, the document and the failures, and sets the exit code. */
function finish(options: RestoreOptions, ended: Ended): void {
  const { results, plan, todo, progress, page, interrupts } = ended
  const { jobs, folder, isMany } = plan
  const skipped = jobs.length - todo.length
  if ((results.length > 0 || skipped > 0) && !interrupts.isUnread) progress.end(summaryOf(ended, skipped))
  else progress.clear()
  const failed = [...plan.failed, ...ended.failed]
  const document = { results, skipped, seconds: progress.seconds }
  // The paths have been printed as they were written.
  const total = jobs.length + plan.failed.length
  const write = page && ((failures: readonly Failure[]) => page.write(failures))
  conclude(options, { document, text: '', failed, total, isMany, write })
  const undone = todo.length - results.length - ended.failed.length
  if (interrupts.isUnread && undone > 0) process.exitCode = 1
  if (!interrupts.signal.aborted || interrupts.isUnread) return
  const done = `${results.length + skipped} of ${plural(jobs.length, 'picture')} done`
  const advice = folder ? '; --resume continues' : ''
  throw new RestoreError('aborted', `restore: interrupted, ${done}${advice}`)
}

function summaryOf({ results, plan, progress, restorers }: Ended, skipped: number): string {
  const { license } = restorers
  const note = license.isCommercial ? '' : `; ${license.note}`
  const [{ spread } = {}] = plan.isMany ? [] : results
  const deviating = spread
    ? `; samples deviate by ${spread.mean255.toFixed(1)} of 255 on average, white in the map is ${spread.white255.toFixed(1)}`
    : ''
  const already = skipped > 0 ? `, ${skipped} done before` : ''
  const count = plan.isMany
    ? `${plural(results.length, 'picture')}, ${progress.megapixels.toFixed(1)} MP `
    : ''
  return `restored ${count}in ${formatSeconds(progress.seconds)} on ${restorers.device}${already}${deviating}${note}`
}

/** The manifest of a folder of results, where there is one. */
function openManifest(
  { folder, isMany }: RestorePlan,
  { identity }: Restorers,
  treatment: Treatment,
  { resume, format }: RestoreOptions,
): Manifest | undefined {
  if (folder === undefined || !(isMany || resume)) return undefined
  const { pixelLimit, overwrite: _, ...kept } = treatment
  const settings = { ...identity, format, ...kept }
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
  if (treatment.overwrite) return todo
  for (const job of todo)
    for (const output of filesOf(job, treatment)) refuseForeign({ ...job, output }, manifest)
  return todo
}

function refuseForeign(result: Job, manifest: Manifest): void {
  if (!existsSync(result.output)) return
  if (!manifest.isOwn(result))
    throw new RestoreError(
      'output',
      `${result.output}: exists already and was not written by the earlier run; move it away, or --overwrite`,
    )
  const other = manifest.otherInput(result)
  if (other !== undefined)
    throw new RestoreError(
      'output',
      `${result.output}: is the result of ${other}, not of ${result.path}; give another folder, or --overwrite`,
    )
}

function treatmentOf(options: RestoreOptions): Treatment {
  const { opacity, strength, quality, strip: what, compare = false, overwrite = false, pixelLimit } = options
  const { background } = options
  if (background !== undefined) checkBackground(background, '--background')
  return {
    ...runOf(options),
    ...(background === undefined ? {} : { background }),
    opacity,
    strength,
    strip: what === 'all' || (what ?? false),
    compare,
    overwrite,
    ...(quality === undefined ? {} : { quality }),
    ...(pixelLimit === undefined ? {} : { pixelLimit }),
  }
}
