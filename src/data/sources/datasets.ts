// Where images are: folders, lists, LMDB databases and tar shards behind one small interface. Node only.
// A source is opened from plain data, and says of itself the plain data from which a worker opens the very same one.

import { existsSync } from 'node:fs'
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { type ImageSize, imageSize } from '../codec.ts'
import { unreadableFile } from '../unreadable.ts'
import { Lmdb } from './lmdb.ts'
import { openShards, splitMember } from './shards.ts'

export type SourceSpec =
  /** Every image below a folder, sorted by path. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A text file with a path a line, relative to its folder or to `root`. */
  | { readonly kind: 'list'; readonly path: string; readonly root?: string }
  | { readonly kind: 'files'; readonly root: string; readonly names: readonly string[] }
  /** A database as BasicSR makes it: the order of its meta_info.txt, or that of its keys. */
  | { readonly kind: 'lmdb'; readonly path: string }
  /** Tar shards; `field` takes that image of every sample, as `target` does of `0001.target.png`. */
  | { readonly kind: 'shards'; readonly path: string; readonly field?: string }
  | { readonly kind: 'subset'; readonly of: SourceSpec; readonly indices: readonly number[] }

/** Encoded images by position, always in the same order. */
export interface ImageSource {
  readonly length: number
  /** Path of an image within the source, with '/': what errors cite and pairs are matched by. */
  name(index: number): string
  /** Bytes of the image's file. */
  read(index: number): Promise<Uint8Array>
  /** Size by the header alone. */
  size(index: number): Promise<ImageSize>
  /** Plain data that opens this source again, with the same images in the same order. */
  readonly spec: SourceSpec
  close(): Promise<void>
}

/** Of image files that folders are searched for, in lower case. */
export const imageExtensions = 'jpg jpeg jpe jfif png webp tif tiff avif bmp pbm pgm ppm pnm'.split(' ')

export function isImageName(name: string, extensions: readonly string[] = imageExtensions): boolean {
  return extensions.includes(extname(name).slice(1).toLowerCase())
}

/** What a path names: a folder of images, of shards or of a database; a shard; or else a list. */
export async function specOf(path: string): Promise<SourceSpec> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadableFile(path, error)
  })
  if (!found.isDirectory() && isImageName(path))
    return { kind: 'files', root: dirname(resolve(path)), names: [basename(path)] }
  if (!found.isDirectory())
    return { kind: path.endsWith('.tar') ? 'shards' : path.endsWith('.mdb') ? 'lmdb' : 'list', path }
  if (existsSync(join(path, 'data.mdb'))) return { kind: 'lmdb', path }
  const hasShards = (await readdir(path)).some((name) => name.endsWith('.tar'))
  return { kind: hasShards ? 'shards' : 'folder', path }
}

/** Opens a source; refuses one without images. */
export async function openSource(spec: SourceSpec): Promise<ImageSource> {
  if (spec.kind === 'subset') return subset(await openSource(spec.of), spec.indices)
  const source = await openWhole(spec)
  if (source.length > 0) return source
  await source.close()
  const where = spec.kind === 'files' ? spec.root : spec.path
  throw new RestoreError('input', `${where}: expected images (${imageExtensions.join(', ')}), found none`)
}

/** Some images of a source, in the order given; it closes the source. */
export function subset(source: ImageSource, indices: readonly number[]): ImageSource {
  const inner = (index: number): number => {
    const chosen = indices[index]
    if (chosen === undefined) throw outside(index, indices.length)
    return chosen
  }
  for (const index of indices) source.name(index)
  const { spec } = source
  // Not a subset of a subset, which would grow with every step.
  const flat = spec.kind === 'subset' ? indices.map((index) => spec.indices[index]!) : indices
  return {
    length: indices.length,
    name: (index) => source.name(inner(index)),
    read: (index) => source.read(inner(index)),
    size: (index) => source.size(inner(index)),
    spec: { kind: 'subset', of: spec.kind === 'subset' ? spec.of : spec, indices: flat },
    close: () => source.close(),
  }
}

type WholeSpec = Exclude<SourceSpec, { readonly kind: 'subset' }>

async function openWhole(spec: WholeSpec): Promise<ImageSource> {
  switch (spec.kind) {
    case 'folder':
      return fileSource(resolve(spec.path), await imagesBelow(spec.path))
    case 'list':
      return fileSource(resolve(spec.root ?? dirname(spec.path)), await readList(spec.path))
    case 'files':
      return fileSource(spec.root, spec.names)
    case 'lmdb':
      return lmdbSource({ ...spec, path: resolve(spec.path) })
    case 'shards':
      return shardSource({ ...spec, path: resolve(spec.path) })
  }
}

function fileSource(root: string, names: readonly string[]): ImageSource {
  return {
    length: names.length,
    name: (index) => at(names, index),
    read: async (index) => {
      const path = resolve(root, at(names, index))
      return await readFile(path).catch((error: unknown) => {
        throw unreadableFile(path, error)
      })
    },
    size: async (index) => imageSize(resolve(root, at(names, index))),
    spec: { kind: 'files', root, names },
    close: async () => {},
  }
}

/** Paths of the images below a folder, relative and sorted as Python sorts them; links are followed, hidden files are not taken. */
export async function imagesBelow(path: string): Promise<readonly string[]> {
  const found: string[] = []
  // Folders on the way, so that a link to one of them ends.
  const walk = async (folder: string, prefix: string, above: readonly string[]): Promise<void> => {
    const real = await realpath(folder)
    if (above.includes(real)) return
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue
      const target = join(folder, entry.name)
      const kind = entry.isSymbolicLink() ? await stat(target).catch(() => entry) : entry
      if (kind.isDirectory()) await walk(target, `${prefix}${entry.name}/`, [...above, real])
      // A link that leads nowhere is taken too, so that it is reported by name.
      else if (isImageName(entry.name)) found.push(`${prefix}${entry.name}`)
    }
  }
  await walk(path, '', []).catch((error: unknown) => {
    throw unreadableFile(path, error)
  })
  return found.sort()
}

/** Lines of a list; what BasicSR writes after a name, `(height,width,channels) level`, is left out, and so are comments (#). */
async function readList(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unreadableFile(path, error)
  })
  if (text.includes('\0'))
    throw new RestoreError('input', `${path}: expected a text file with a path a line, got binary data`)
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/\s+\(\d+,\s*\d+,\s*\d+\)(\s+\d+)?\s*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

async function lmdbSource(spec: SourceSpec & { readonly kind: 'lmdb' }): Promise<ImageSource> {
  const database = new Lmdb(spec.path)
  const listed = join(spec.path, 'meta_info.txt')
  const names = existsSync(listed) ? await readList(listed) : database.keys
  const keys = names.map((name) =>
    database.has(name) ? name : name.slice(0, name.length - extname(name).length),
  )
  const missing = keys.filter((key) => !database.has(key))
  if (missing.length > 0) {
    database.close()
    throw new RestoreError('input', `${listed}: names ${some(missing)}, which the database does not hold`)
  }
  return {
    length: names.length,
    name: (index) => at(names, index),
    read: async (index) => database.read(at(keys, index)),
    size: async (index) => imageSize(database.read(at(keys, index)), { name: at(names, index) }),
    spec,
    close: async () => database.close(),
  }
}

async function shardSource(spec: SourceSpec & { readonly kind: 'shards' }): Promise<ImageSource> {
  const members = openShards(spec.path).flatMap(({ path, members }) => {
    return members.flatMap(({ name, offset, size }) => {
      const { key, field, extension } = splitMember(name)
      if (!isImageName(name) || (spec.field !== undefined && spec.field !== field)) return []
      return [{ path, name: spec.field === undefined ? name : `${key}.${extension}`, offset, size }]
    })
  })
  return {
    length: members.length,
    name: (index) => at(members, index).name,
    read: async (index) => readPart(at(members, index)),
    size: async (index) => imageSize(await readPart(at(members, index)), at(members, index)),
    spec,
    close: async () => {},
  }
}

interface FilePart {
  readonly path: string
  readonly offset: number
  readonly size: number
}

async function readPart({ path, offset, size }: FilePart): Promise<Uint8Array> {
  const file = await open(path).catch((error: unknown) => {
    throw unreadableFile(path, error)
  })
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(size), 0, size, offset)
    if (bytesRead === size) return buffer
    throw new RestoreError(
      'input',
      `${path}: expected ${size} bytes at ${offset}, got ${bytesRead}: it was cut short`,
    )
  } finally {
    await file.close()
  }
}

/** The first few of many names, and how many more there are. */
export function some(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

function at<T>(list: readonly T[], index: number): T {
  const value = list[index]
  if (value === undefined) throw outside(index, list.length)
  return value
}

function outside(index: number, length: number): RestoreError {
  return new RestoreError('usage', `images: expected a position of 0 to ${length - 1}, got ${index}`)
}
