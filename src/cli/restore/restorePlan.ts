// Plans which pictures are restored, and where each result goes: beside its input by default.

import { RestoreError } from '../../core/errors.ts'
import { formatOfExtension } from '../../data/extensions.ts'
import { type FailedInput, folderBeside, type InputFile, isStream, listInputs } from '../io/inputs.ts'
import { extensionOf, type Job, placeKey, planOutputs, targetOf } from '../io/outputPlan.ts'
import { pagesOf, type WantedPages } from '../io/pages.ts'
import { isFolder } from '../io/shell.ts'

export interface RestorePlan {
  readonly jobs: readonly Job[]
  /** The folder of all results; undefined where they lie beside their inputs. */
  readonly folder: string | undefined
  readonly isMany: boolean
  readonly failed: readonly FailedInput[]
  /** Inputs that are results of others among them, by an earlier run: left out. */
  readonly earlier: readonly string[]
}

export interface TargetOptions {
  readonly output?: string | undefined
  readonly format?: string | undefined
  readonly recursive?: boolean | undefined
  readonly pages?: WantedPages | undefined
}

/** Every input with the file that its result goes to; names that would meet are refused. */
export async function planRestore(inputs: readonly string[], options: TargetOptions): Promise<RestorePlan> {
  const { recursive, format } = options
  const [first = ''] = inputs
  const isOneFolder = inputs.length === 1 && isFolder(first)
  const output = options.output ?? (isOneFolder ? folderBeside(first) : undefined)
  const listed = listInputs(inputs, { recursive, except: output })
  const { files, failed } = await pagesOf(listed.files, options.pages)
  const isMany = listed.isMany || files.length > 1
  if (output === undefined) refuseNameless(files, isMany)
  const request = { option: '--output', count: files.length, isMany }
  const target = output === undefined ? undefined : targetOf(output, request)
  const all = planOutputs(files, target, { format, formatOf, suffix: '_restored' })
  const byResult = new Map(all.map((job) => [placeKey(job.output), job]))
  const isEarlier = (job: Job) => ![undefined, job].includes(byResult.get(placeKey(job.path)))
  const jobs = all.filter((job) => !isEarlier(job))
  return {
    jobs,
    folder: target?.kind === 'folder' ? target.path : undefined,
    isMany,
    failed: [...listed.failed, ...failed],
    earlier: all.filter(isEarlier).map(({ path }) => path),
  }
}

/** Refuses, where results go beside their inputs, those that lie nowhere: stdin among others, and pipes. */
function refuseNameless(files: readonly InputFile[], isMany: boolean): void {
  const nameless = files.find(({ path }) => (path === '-' ? isMany : isStream(path)))
  if (nameless)
    throw new RestoreError(
      'usage',
      `${nameless.path}: expected -o with a ${isMany ? 'folder for the results' : 'file for the result'}, got none; ${
        nameless.path === '-' ? 'stdin among other inputs' : 'a pipe'
      } has no place for it`,
    )
}

/** The format of a name, where it can be written; PNG, which loses nothing, for the others. */
function formatOf(name: string): string {
  return formatOfExtension(extensionOf(name)) ?? 'png'
}
