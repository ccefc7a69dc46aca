// Which files a command is given: files, folders, patterns and stdin, each with the name that it keeps in
// another folder.

import { type Dirent, existsSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, join, resolve, sep } from 'node:path'
import picomatch from 'picomatch'
import { RestoreError } from '../../core/errors.ts'
import { imageExtensions, isImageName } from '../../data/sources/datasets.ts'
import { isMisnamed, misnamed, unreadableFile } from '../../data/unreadable.ts'

export interface InputFile {
  /** As it was given or found; '-' for stdin. */
  readonly path: string
  /** Relative to the folder or pattern it was found by. */
  readonly name: string
  /** Page of a document or frame of an animation, from 1; undefined for a file of one picture. */
  readonly page?: number | undefined
}

/** An input that failed. */
export interface FailedInput extends Pick<InputFile, 'path' | 'page'> {
  readonly error: unknown
}

/** An input as messages name it. */
export function labelOf({ path, page }: Pick<InputFile, 'path' | 'page'>): string {
  const name = path === '-' ? 'stdin' : path
  return page === undefined ? name : `${name}, page ${page}`
}

/** Whether an input can be read only once: stdin or a pipe. */
export function isStream(path: string): boolean {
  return path === '-' || statSync(path, { throwIfNoEntry: false })?.isFIFO() === true
}

export interface InputList {
  readonly files: readonly InputFile[]
  /** Folders that cannot be opened, and entries that are no files of a readable name. */
  readonly failed: readonly FailedInput[]
  /** Whether there may be more than one, so that results need a folder. */
  readonly isMany: boolean
}

const { compare } = new Intl.Collator('en', { numeric: true })

export interface ListOptions {
  readonly recursive?: boolean | undefined
  /** The folder of the results, which is not read as input. */
  readonly except?: string | undefined
}

/** Lists the files that arguments stand for, each once, in the order of their names within an argument. */
export function listInputs(given: readonly string[], options: ListOptions): InputList {
  const { recursive, except } = options
  // Through a link the folder of the results has another name.
  const results = except !== undefined && existsSync(except) ? realpathSync(except) : undefined
  const found = given.map((path) => filesOf(path, { recursive, except: results }))
  const files = onlyOnce(found.flatMap((one) => one.files))
  const failed = onlyOnce(found.flatMap((one) => one.failed))
  const [first] = given
  const isMany = given.length > 1 || files.length > 1 || (first !== undefined && files[0]?.path !== first)
  return { files, failed, isMany }
}

function onlyOnce<T extends { readonly path: string }>(found: readonly T[]): readonly T[] {
  const seen = new Set<string>()
  return found.filter(({ path }) => {
    const key = path === '-' ? path : resolve(path)
    return !seen.has(key) && seen.add(key)
  })
}

type Found = Omit<InputList, 'isMany'>

function filesOf(path: string, options: ListOptions): Found {
  const one = { files: [{ path, name: path === '-' ? 'stdin' : basename(path) }], failed: [] }
  if (path === '-') return one
  if (existsSync(path)) return statSync(path).isDirectory() ? imagesIn(path, options) : one
  // A name that does not exist and is no pattern is an input that fails when its turn comes.
  if (!/[*?[{]/.test(path)) return one
  const start = path.slice(0, path.search(/[*?[{]/))
  const base = start.includes('/') ? start.slice(0, start.lastIndexOf('/') + 1) : ''
  const matches = patternOf(path.slice(base.length))
  const found = existsSync(base || '.')
    ? walk(base || '.', { recursive: path.slice(base.length).includes('/'), except: options.except, matches })
    : nothing
  if (found.files.length + found.failed.length > 0) return found
  throw new RestoreError(
    'input',
    `${path}: expected a pattern that some file matches, got one that none does; check its folder and extension`,
  )
}

const nothing: Found = { files: [], failed: [] }

function imagesIn(folder: string, options: ListOptions): Found {
  const found = walk(folder, { ...options, matches: (name) => isImageName(name) })
  if (found.files.length + found.failed.length > 0) return found
  const advice = options.recursive ? '' : '; --recursive looks into the folders inside'
  throw new RestoreError(
    'input',
    `${folder}: expected a folder with images (${imageExtensions.join(', ')}), found none${advice}`,
  )
}

interface WalkOptions extends ListOptions {
  /** Whether a file is wanted, by its name relative to the folder, with '/'. */
  readonly matches: (name: string) => boolean
}

/** Finds files below a folder, in the order of their names; without hidden ones, and each real folder once. */
function walk(root: string, { recursive, except, matches }: WalkOptions): Found {
  const names: string[] = []
  const failed: FailedInput[] = []
  const seen = new Set<string>()
  const fail = (name: string, expected: string) => {
    const path = join(root, name)
    failed.push({ path, error: new RestoreError('input', `${path}: ${expected}`) })
  }
  const visit = (inside: string) => {
    const folder = join(root, inside)
    const real = realpathSync(folder)
    if (seen.has(real) || (real === except && inside !== '')) return
    seen.add(real)
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue
      const name = inside === '' ? entry.name : `${inside}/${entry.name}`
      const kind = kindOf(join(folder, entry.name), entry)
      if (kind === 'folder' && recursive) attempt(name)
      if (kind === 'folder' || !(matches(name) || (kind === 'misnamed folder' && recursive))) continue
      if (kind === 'file') names.push(name)
      else fail(name, problems[kind])
    }
  }
  const attempt = (inside: string) => {
    try {
      visit(inside)
    } catch (error) {
      if (inside === '') throw unreadableFile(root, error)
      failed.push({ path: join(root, inside), error: unreadableFile(join(root, inside), error) })
    }
  }
  attempt('')
  const files = names.sort(compare).map((name) => ({ path: join(root, name), name: native(name) }))
  return { files, failed }
}

const problems = {
  misnamed,
  'misnamed folder': misnamed,
  other: 'expected a file, got a pipe or device; give it by its name',
} as const

/** What an entry of a folder is; a link that leads nowhere is a file, which fails when its turn comes. */
function kindOf(path: string, entry: Dirent): 'file' | 'folder' | keyof typeof problems {
  const found = entry.isSymbolicLink() ? statOf(path) : entry
  const isMissing = isMisnamed(entry.name) && !existsSync(path)
  if (found?.isDirectory()) return isMissing ? 'misnamed folder' : 'folder'
  if (isMissing) return 'misnamed'
  return found === undefined || found.isFile() ? 'file' : 'other'
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

function native(name: string): string {
  return name.split('/').join(sep)
}

/**
 * A pattern as shells know it: * and ? within a folder, ** across folders, [a-z] and {a,b}. Everything else
 * is literal: names such as `scan (1).png` are common.
 */
export function patternOf(glob: string): (name: string) => boolean {
  // picomatch alone and not tinyglobby, whose walk reads a folder again through every link to it.
  return picomatch(glob.replace(/[()]/g, '\\$&'), { noextglob: true, nonegate: true, posix: true })
}

/** The name of a folder for results beside one of inputs. */
export function folderBeside(folder: string): string {
  const name = basename(folder)
  return name === '' || name === '.' || name === '..'
    ? join(folder, 'restored')
    : join(folder, '..', `${name}_restored`)
}
