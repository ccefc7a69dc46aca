// Where the results of a command go: `-o` means the same for all of them.

import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve, sep } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { checkFormat } from '../../data/codec.ts'
import { isImageName } from '../../data/sources/datasets.ts'
import { alreadyExists } from '../../files/outputErrors.ts'
import type { InputFile } from './inputs.ts'
import { isFolder } from './shell.ts'

/** What a path given as an output stands for. */
export type Target =
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string }

export interface TargetRequest {
  /** The option or argument that names the output. */
  readonly option: string
  /** Number of results. */
  readonly count: number
  /** Whether there may be more than one: several inputs, a folder, or a pattern. */
  readonly isMany: boolean
}

/**
 * A folder where one exists, where the name ends in a separator, or for several results; else a file; `-` is
 * stdout.
 */
export function targetOf(path: string, { option, count, isMany }: TargetRequest): Target {
  const isFolderName = path.endsWith('/') || path.endsWith(sep)
  if (isFolderName || isFolder(path)) return { kind: 'folder', path }
  if (!isMany) return path === '-' ? { kind: 'stdout' } : { kind: 'file', path }
  // The name of a picture is a slip; as a folder it would have to be typed with a separator.
  if (path !== '-' && !existsSync(path) && !isImageName(path)) return { kind: 'folder', path }
  const pictures = count === 1 ? 'the pictures of a folder' : `${count} pictures`
  throw new RestoreError('usage', `${option}: expected a folder for ${pictures}, got ${path}`)
}

/** The one file that a command writes: in a folder it gets the default name. */
export function fileOf(path: string, option: string, defaultName: string): string {
  const target = targetOf(path, { option, count: 1, isMany: false })
  if (target.kind === 'stdout') return '-'
  return target.kind === 'file' ? path : join(path, defaultName)
}

export interface Job extends InputFile {
  /** The file to write; '-' for stdout. */
  readonly output: string
  readonly format: string
}

export interface Naming {
  /** Format of all results, where one was asked for. */
  readonly format: string | undefined
  /** Format of a result by the name of its input. */
  readonly formatOf: (name: string) => string
  /**
   * Appended to a name where a result would stand in the place of its input. Without it such results are
   * refused.
   */
  readonly suffix?: string
}

/**
 * Every input with the file that its result goes to; without a target that is beside the input, with the
 * suffix.
 */
export function planOutputs(
  files: readonly InputFile[],
  target: Target | undefined,
  naming: Naming,
): readonly Job[] {
  const { format, formatOf } = naming
  if (format !== undefined) checkFormat(format, false)
  return files.map((file): Job => {
    const isPiped = target?.kind === 'stdout' || (target === undefined && file.path === '-')
    if (isPiped) return { ...file, output: '-', format: format ?? formatOf(file.path) }
    if (target?.kind === 'file')
      return { ...file, output: target.path, format: format ?? formatOfOutput(target.path) }
    return { ...file, ...placeOf(file, target?.path, naming) }
  })
}

/** Keeps the name in another folder; beside the input, adds a suffix. */
function placeOf(
  { path, name }: InputFile,
  folder: string | undefined,
  { format, formatOf, suffix = '' }: Naming,
) {
  const chosen = format ?? formatOf(name)
  const bare = name.slice(0, name.length - extname(name).length)
  // As it is spelled: .JPG stays .JPG.
  const extension = extensionOf(name) === chosen ? extname(name) : `.${chosen}`
  const own = folder === undefined ? join(dirname(path), basename(bare)) : join(folder, bare)
  const isBeside = folder === undefined || placeKey(`${own}${extension}`) === placeKey(path)
  return { output: `${own}${isBeside ? suffix : ''}${extension}`, format: chosen }
}

/** The format that an output's name asks for; PNG where it has no extension. */
function formatOfOutput(path: string): string {
  const extension = extensionOf(path)
  if (extension === '') return 'png'
  checkFormat(extension, false)
  return extension
}

/** The extension of a name in lower case, without its dot. */
export function extensionOf(path: string): string {
  return extname(path).slice(1).toLowerCase()
}

/** Refuses two results of one name, and a result in the place of an input. */
export function refuseCollisions(
  jobs: readonly Pick<Job, 'path' | 'output'>[],
  otherInputs: readonly string[] = [],
): void {
  const inputs = new Map(
    [...jobs.map(({ path }) => path), ...otherInputs].map((path) => [placeKey(path), path]),
  )
  const taken = new Map<string, string>()
  for (const { path, output } of jobs) {
    if (output === '-') continue
    const place = placeKey(output)
    const other = taken.get(place)
    if (other !== undefined)
      throw new RestoreError(
        'usage',
        `${output}: expected a result of its own for each input, got ${other} and ${path}; write them into folders of their own`,
      )
    const input = inputs.get(place)
    if (input !== undefined)
      throw new RestoreError(
        'usage',
        `${output}: expected an output other than the inputs, got that of ${input}; give another name or folder`,
      )
    taken.set(place, path)
  }
}

/** The same for all names of a file, whether it exists or not: links are resolved. */
export function placeKey(path: string): string {
  if (path === '-') return path
  const full = resolve(path)
  const folder = nearestExisting(full)
  return join(realpathSync.native(folder), full.slice(folder.length))
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

/**
 * Refuses an output that cannot be written, or would replace a file unasked. Missing folders are made later.
 */
export function checkOutput(path: string, overwrite: boolean | undefined): void {
  if (path === '-') return
  const existing = existsSync(path) ? statSync(path) : undefined
  if (existing && !existing.isFile())
    throw new RestoreError(
      'output',
      `${path}: expected a file to write, got ${existing.isDirectory() ? 'a folder' : 'a device or pipe'}`,
    )
  if (existing && !overwrite) throw alreadyExists(path)
  checkFolder(path)
}

/** Refuses a path whose folder cannot be made or written to. */
function checkFolder(path: string): void {
  const folder = nearestExisting(dirname(resolve(path)))
  const advice = 'choose another folder'
  if (!isFolder(folder))
    throw new RestoreError('output', `${path}: expected a folder ${folder}, got a file; ${advice}`)
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    const wanted = `expected a folder ${folder} that can be written to, which it cannot; ${advice}`
    throw new RestoreError('output', `${path}: ${wanted}`, { cause: error })
  }
}

/** Refuses pictures or pages on stdout where a document goes there too, or where stdout is a terminal. */
export function refuseOnStdout(
  outputs: readonly string[],
  { json }: { readonly json?: boolean | undefined },
): void {
  if (!outputs.includes('-')) return
  if (json)
    throw new RestoreError('usage', '--json: expected results in files, got stdout, which would hold both')
  if (process.stdout.isTTY)
    throw new RestoreError('usage', '--output: expected a file, got a terminal; give -o FILE, or a pipe')
}
