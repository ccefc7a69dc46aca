// What is refused before a network is opened, since it would fail at the end or replace what it should not.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { alreadyExists } from '../../files/outputErrors.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import { isStream } from '../io/inputs.ts'
import { checkDocument, checkOutput, refuseCollisions, refuseOnStdout } from '../io/outputPlan.ts'
import { picturesOf } from './folderPage.ts'
import { manifestName } from './manifest.ts'
import type { RestorePlan } from './restorePlan.ts'
import { filesOf, type ResultRequest } from './resultFiles.ts'

/** Checks a plan. @throws RestoreError `usage` or `output` */
export function checkPlan(plan: RestorePlan, request: ResultRequest, options: RestoreOptions): void {
  const { jobs, folder, isMany } = plan
  const { overwrite, resume, report, html } = options
  checkStreams(plan, request, options)
  if (resume && folder === undefined)
    throw new RestoreError(
      'usage',
      `--resume: expected results in a folder, got ${options.output ?? 'none'}; give -o DIR`,
    )
  const files = jobs.flatMap((job) => filesOf(job, request).map((output) => ({ path: job.path, output })))
  refuseCollisions(files)
  for (const file of [report, html]) if (file !== undefined) checkDocument(file, overwrite)
  const pictures = html === undefined || overwrite ? undefined : picturesOf(html)
  if (pictures !== undefined && existsSync(pictures)) throw alreadyExists(pictures)
  const wanted = files.map(({ output }) => output)
  if (folder !== undefined && !overwrite && !resume) refuseExisting(wanted, { folder, isMany })
  for (const path of wanted) checkOutput(path, overwrite || resume)
}

/** Checks results on stdout, and inputs that can be read only once. */
function checkStreams(
  { jobs }: RestorePlan,
  { samples = 1, compare }: ResultRequest,
  options: RestoreOptions,
): void {
  const isPiped = jobs.some((job) => job.output === '-')
  if (isPiped && compare) throw new RestoreError('usage', '--compare: expected results in files, got stdout')
  if (isPiped && samples > 1)
    throw new RestoreError('usage', '--samples: expected results in files, got stdout, which would hold one')
  refuseOnStdout(
    jobs.map((job) => job.output),
    options,
  )
  const stream = options.resume ? jobs.find(({ path }) => isStream(path)) : undefined
  if (stream)
    throw new RestoreError(
      'usage',
      `--resume: expected files, which tell whether they have changed, got ${stream.path}; leave it out`,
    )
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
