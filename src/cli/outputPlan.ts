// Where the results of a command go: beside the inputs, to a file, or to a folder in which their tree is kept.

import { existsSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import { checkFormat } from '../data/codec.ts'
import { folderBeside, type InputFile, listInputs } from './inputs.ts'
import { isFolder } from './shell.ts'

export interface Job extends InputFile {
  /** The file to write; '-' for stdout. */
  readonly output: string
  readonly format: string
}

export interface Plan {
  readonly jobs: readonly Job[]
  /** The folder that all results go to, where they do. */
  readonly folder: string | undefined
  readonly isMany: boolean
  /** Inputs that are results of others among them, by a run before: left out. */
  readonly earlier: readonly string[]
}

export interface TargetOptions {
  readonly output?: string
  readonly format?: string
  readonly recursive?: boolean
}

const writable = new Set(['png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'avif'])

/** Every input with the file that its result goes to; names that would meet are refused. */
export function planJobs(inputs: readonly string[], options: TargetOptions): Plan {
  const { recursive, format } = options
  if (format !== undefined) checkFormat(format, false)
  const [first = ''] = inputs
  const isOneFolder = inputs.length === 1 && isFolder(first)
  const output = options.output ?? (isOneFolder ? folderBeside(first) : undefined)
  const { files, isMany } = listInputs(inputs, { recursive, except: output })
  const isInto =
    output !== undefined && output !== '-' && (isMany || /[/\\]$/.test(output) || isFolder(output))
  if (isMany) checkFolder(output, files.length)
  const jobs = files.map((file): Job => {
    if (!isInto && output !== undefined) {
      const chosen = format ?? formatOf(output === '-' ? file.path : output)
      // A name such as x.bmp asks for what cannot be written.
      if (format === undefined && output !== '-' && extname(output) !== '')
        checkFormat(extensionOf(output), false)
      return { ...file, output, format: chosen }
    }
    if (file.path === '-' && output === undefined) return { ...file, output: '-', format: format ?? 'png' }
    return { ...file, ...inFolder(file, isInto ? output : undefined, format) }
  })
  const byResult = new Map(jobs.map((job) => [resolve(job.output), job]))
  const isEarlier = (job: Job) => ![undefined, job].includes(byResult.get(resolve(job.path)))
  const left = jobs.filter((job) => !isEarlier(job))
  refuseMeeting(left)
  const earlier = jobs.filter(isEarlier).map(({ path }) => path)
  return { jobs: left, folder: isInto ? output : undefined, isMany, earlier }
}

/** Its own name in another folder, else a name of its own. */
function inFolder({ path, name }: InputFile, folder: string | undefined, format: string | undefined) {
  const chosen = format ?? formatOf(name)
  const isKept = format === undefined && writable.has(extensionOf(name))
  const bare = name.slice(0, name.length - extname(name).length)
  const extension = isKept ? extname(name) : `.${chosen}`
  const own = join(folder ?? dirname(path), folder === undefined ? basename(bare) : bare)
  const isInput = resolve(`${own}${extension}`) === resolve(path)
  const isBeside = folder === undefined || isInput
  return { output: `${own}${isBeside ? '_restored' : ''}${extension}`, format: chosen }
}

/** The format of a name, where it can be written; PNG, which loses nothing, for the others. */
function formatOf(name: string): string {
  const extension = extensionOf(name)
  if (extension === 'jfif' || extension === 'jpe') return 'jpg'
  return writable.has(extension) ? extension : 'png'
}

function extensionOf(path: string): string {
  return extname(path).slice(1).toLowerCase()
}

function checkFolder(output: string | undefined, count: number): void {
  if (output === undefined) return
  const isFile = existsSync(output) && !statSync(output).isDirectory()
  if (output !== '-' && !isFile && !(writable.has(extensionOf(output)) && !existsSync(output))) return
  throw new RestoreError('usage', `--output: expected a folder for ${count} pictures, got ${output}`)
}

/** Refuses jobs that would write the same file. */
export function refuseMeeting(jobs: readonly Job[]): void {
  const taken = new Map<string, Job>()
  for (const job of jobs) {
    const other = taken.get(resolve(job.output))
    if (other) {
      throw new RestoreError(
        'usage',
        `${job.output}: expected a result of its own for each input, got ${other.path} and ${job.path}; write them into folders of their own`,
      )
    }
    if (job.output !== '-') taken.set(resolve(job.output), job)
  }
}
