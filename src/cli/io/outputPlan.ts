// Where the results of a command go: `-o` means the same for all of them.

import { accessSync, constants, existsSync, lstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { checkFormat } from '../../data/encode.ts'
import { checkExtension, formatOfExtension } from '../../data/extensions.ts'
import { isImageName } from '../../data/sources/datasets.ts'
import { alreadyExists, unwritable } from '../../files/outputErrors.ts'
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
    if (target?.kind === 'file') {
      if (format !== undefined) checkExtension(target.path, extensionOf(target.path), format)
      return { ...file, output: target.path, format: format ?? formatOfOutput(target.path) }
    }
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
  if (folder !== undefined) refuseLeading(folder, name)
  const own = folder === undefined ? join(dirname(path), basename(bare)) : join(folder, bare)
  const isBeside = folder === undefined || placeKey(`${own}${extension}`) === placeKey(path)
  return { output: `${own}${isBeside ? suffix : ''}${extension}`, format: chosen }
}

/** Refuses a name that leads out of its folder, as those in archives and databases may. */
function refuseLeading(folder: string, name: string): void {
  const inside = relative(folder, join(folder, name))
  const isOutside = inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)
  if (isOutside || inside === '' || name.includes('\0'))
    throw new RestoreError(
      'input',
      `${JSON.stringify(name)}: expected the name of a file in ${folder}, got one that leads elsewhere; rename it`,
    )
}

/** The format that an output's name asks for; PNG where it has no extension. */
function formatOfOutput(path: string): string {
  const extension = extensionOf(path)
  if (extension === '') return 'png'
  const format = formatOfExtension(extension) ?? extension
  checkFormat(format, false)
  return format
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
  try {
    return join(realpathSync.native(folder), full.slice(folder.length))
  } catch {
    // The pipe of a process has a name, which leads nowhere.
    return full
  }
}

/** The folder of a path, or the nearest of its parents that exists. */
export function nearestFolder(path: string): string {
  return nearestExisting(resolve(path))
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

/**
 * Refuses an output that cannot be written, or would replace a file unasked. Missing folders are made later.
 */
export function checkOutput(path: string, overwrite: boolean | undefined): void {
  if (path === '-') return
  try {
    checkFolder(path)
    const existing = statSync(path, { throwIfNoEntry: false }) ?? lstatSync(path, { throwIfNoEntry: false })
    if (existing && !existing.isFile())
      throw new RestoreError('output', `${path}: expected a file to write, got ${kindOf(existing)}`)
    if (existing && !overwrite) throw alreadyExists(path)
  } catch (error) {
    throw unwritable(path, error)
  }
}

/** Extensions of weights. */
const weightsPattern = /\.(safetensors|pth|pt|ckpt|onnx)$/i

/** Like {@link checkOutput}, for a report or page: one that would replace a picture or weights is a slip. */
export function checkDocument(path: string, overwrite: boolean | undefined): void {
  if (isImageName(path) || weightsPattern.test(path))
    throw new RestoreError(
      'usage',
      `${path}: expected a name for a document, such as report.json or report.html, got one of a picture or of weights`,
    )
  checkOutput(path, overwrite)
}

function kindOf(found: Stats): string {
  if (found.isDirectory()) return 'a folder'
  return found.isSymbolicLink() ? 'a link that leads nowhere' : 'a device or pipe'
}

/** Throws where the folder of a path cannot be made or written to, or cannot hold its name. */
function checkFolder(path: string): void {
  const full = resolve(path)
  const folder = nearestExisting(dirname(full))
  if (!isFolder(folder))
    throw new RestoreError(
      'output',
      `${path}: expected a folder ${folder}, got a file; choose another folder`,
    )
  accessSync(folder, constants.W_OK)
  // The file system says which of the names that are not there yet is too long.
  for (const part of relative(folder, full).split(sep))
    statSync(join(folder, part), { throwIfNoEntry: false })
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
