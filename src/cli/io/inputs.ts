// Which files a command is given: files, folders, patterns and stdin, each with the name that it keeps in
// another folder.

import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, join, resolve, sep } from 'node:path'
import picomatch from 'picomatch'
import { RestoreError } from '../../core/errors.ts'
import { imageExtensions, isImageName } from '../../data/sources/datasets.ts'

export interface InputFile {
  /** As it was given or found; '-' for stdin. */
  readonly path: string
  /** Relative to the folder or pattern it was found by. */
  readonly name: string
}

export interface InputList {
  readonly files: readonly InputFile[]
  /** Whether there may be more than one, so that results need a folder. */
  readonly isMany: boolean
}

/** Includes formats that are refused when they are read, since people take them for pictures. */
const extensions = [...imageExtensions, 'heic', 'heif', 'gif']

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
  const found = given.flatMap((path) => filesOf(path, { recursive, except: results }))
  const seen = new Set<string>()
  const files = found.filter(({ path }) => {
    const key = path === '-' ? path : resolve(path)
    return !seen.has(key) && seen.add(key)
  })
  const [first] = given
  const isMany = given.length > 1 || files.length > 1 || (first !== undefined && files[0]?.path !== first)
  return { files, isMany }
}

function filesOf(path: string, options: ListOptions): readonly InputFile[] {
  if (path === '-') return [{ path, name: 'stdin' }]
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) return [{ path, name: basename(path) }]
    return imagesIn(path, options)
  }
  // A name that does not exist and is no pattern is an input that fails when its turn comes.
  if (!/[*?[{]/.test(path)) return [{ path, name: basename(path) }]
  const start = path.slice(0, path.search(/[*?[{]/))
  const base = start.includes('/') ? start.slice(0, start.lastIndexOf('/') + 1) : ''
  const matches = patternOf(path.slice(base.length))
  const matching = existsSync(base || '.')
    ? [...walk(base || '.', { ...options, recursive: path.slice(base.length).includes('/') })].filter(
        (name) => matches(name),
      )
    : []
  if (matching.length > 0)
    return matching.sort(compare).map((name) => ({ path: join(base, name), name: native(name) }))
  throw new RestoreError(
    'input',
    `${path}: expected a pattern that some file matches, got one that none does; check its folder and extension`,
  )
}

function imagesIn(folder: string, options: ListOptions): readonly InputFile[] {
  const names = [...walk(folder, options)].filter((name) => isImageName(name, extensions))
  if (names.length > 0)
    return names.sort(compare).map((name) => ({ path: join(folder, name), name: native(name) }))
  const advice = options.recursive ? '' : '; --recursive looks into the folders inside'
  throw new RestoreError(
    'input',
    `${folder}: expected a folder with images (${imageExtensions.join(', ')}), found none${advice}`,
  )
}

function native(name: string): string {
  return name.split('/').join(sep)
}

/**
 * Names of the files in a folder, relative to it, with '/'; without hidden ones, and each real folder once.
 */
function* walk(
  root: string,
  { recursive, except }: ListOptions,
  inside = '',
  seen = new Set<string>(),
): Generator<string> {
  const folder = join(root, inside)
  const real = realpathSync(folder)
  if (seen.has(real) || (real === except && inside !== '')) return
  seen.add(real)
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith('.') || entry === '__MACOSX') continue
    const name = inside === '' ? entry : `${inside}/${entry}`
    const stat = statSync(join(root, name), { throwIfNoEntry: false })
    if (stat?.isFile()) yield name
    else if (stat?.isDirectory() && recursive) yield* walk(root, { recursive, except }, name, seen)
  }
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
