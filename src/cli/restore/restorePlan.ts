// Plans which pictures are restored, and where each result goes: beside its input by default.

import { folderBeside, listInputs } from '../io/inputs.ts'
import { extensionOf, type Job, placeKey, planOutputs, refuseCollisions, targetOf } from '../io/outputPlan.ts'
import { isFolder } from '../io/shell.ts'

export interface RestorePlan {
  readonly jobs: readonly Job[]
  /** The folder of all results; undefined where they lie beside their inputs. */
  readonly folder: string | undefined
  readonly isMany: boolean
  /** Inputs that are results of others among them, by an earlier run: left out. */
  readonly earlier: readonly string[]
}

export interface TargetOptions {
  readonly output?: string | undefined
  readonly format?: string | undefined
  readonly recursive?: boolean | undefined
}

const writable = new Set(['png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'avif'])

/** Every input with the file that its result goes to; names that would meet are refused. */
export function planRestore(inputs: readonly string[], options: TargetOptions): RestorePlan {
  const { recursive, format } = options
  const [first = ''] = inputs
  const isOneFolder = inputs.length === 1 && isFolder(first)
  const output = options.output ?? (isOneFolder ? folderBeside(first) : undefined)
  const { files, isMany } = listInputs(inputs, { recursive, except: output })
  const request = { option: '--output', count: files.length, isMany }
  const target = output === undefined ? undefined : targetOf(output, request)
  const all = planOutputs(files, target, { format, formatOf, suffix: '_restored' })
  const byResult = new Map(all.map((job) => [placeKey(job.output), job]))
  const isEarlier = (job: Job) => ![undefined, job].includes(byResult.get(placeKey(job.path)))
  const jobs = all.filter((job) => !isEarlier(job))
  refuseCollisions(jobs)
  return {
    jobs,
    folder: target?.kind === 'folder' ? target.path : undefined,
    isMany,
    earlier: all.filter(isEarlier).map(({ path }) => path),
  }
}

/** The format of a name, where it can be written; PNG, which loses nothing, for the others. */
function formatOf(name: string): string {
  const extension = extensionOf(name)
  if (extension === 'jfif' || extension === 'jpe') return 'jpg'
  return writable.has(extension) ? extension : 'png'
}
