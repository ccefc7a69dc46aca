// Image sources: folders, lists, LMDB databases and tar shards behind one interface. Node only.
// A source is opened from a plain-data spec and exposes one, so a worker can open the same source.

import { existsSync } from 'node:fs'
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { type ImageSize, imageSize } from '../decode.ts'
import { refusePipe } from '../pipes.ts'
import { unreadableFile } from '../unreadable.ts'
import { Lmdb } from './lmdb.ts'
import { openShards, splitMember } from './shards.ts'

/** Where images are, as plain data that can be passed to a thread. */
export type SourceSpec =
  /** Every image below a folder, sorted by path. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A text file with one path per line, relative to its folder or to `root`. */
  | { readonly kind: 'list'; readonly path: string; readonly root?: string }
  | { readonly kind: 'files'; readonly root: string; readonly names: readonly string[] }
  /** A database in BasicSR's layout, in the order of its meta_info.txt, else of its keys. */
  | { readonly kind: 'lmdb'; readonly path: string }
  /** Tar shards; `field` selects one image per sample, such as `target` for `0001.target.png`. */
  | { readonly kind: 'shards'; readonly path: string; readonly field?: string }
  | { readonly kind: 'subset'; readonly of: SourceSpec; readonly indices: readonly number[] }

/** Encoded images by index, in a fixed order. */
export interface ImageSource {
  readonly length: number
  /** Path of an image within the source, separated by '/'; used in errors and for pairing. */
  name(index: number): string
  /** Reads the encoded file. */
  read(index: number): Promise<Uint8Array>
  /** Reads the size from the header alone. */
  size(index: number): Promise<ImageSize>
  /** Plain data that reopens this source with the same images in the same order. */
  readonly spec: SourceSpec
  close(): Promise<void>
}

/** Extensions that count as images when searching folders, in lower case. */
export const imageExtensions =
  'jpg jpeg jpe jfif png webp tif tiff avif heic heif hif gif bmp dib pbm pgm ppm pnm'.split(' ')

export function isImageName(name: string, extensions: readonly string[] = imageExtensions): boolean {
  return extensions.includes(extname(name).slice(1).toLowerCase())
}

/** Detects what a path is: an image, a shard, a list, or a folder of images, shards or a database. */
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

/**
 * Opens a source.
 * @throws RestoreError `input` if it has no images
 */
export async function openSource(spec: SourceSpec): Promise<ImageSource> {
  if (spec.kind === 'subset') return subset(await openSource(spec.of), spec.indices)
  const source = await openWhole(spec)
  if (source.length > 0) return source
  await source.close()
  const where = spec.kind === 'files' ? spec.root : spec.path
  throw new RestoreError('input', `${where}: expected images (${imageExtensions.join(', ')}), found none`)
}

/** Selects images of a source, in the given order; closing the subset closes the source. */
export function subset(source: ImageSource, indices: readonly number[]): ImageSource {
  const sourceIndex = (index: number): number => {
    const selected = indices[index]
    if (selected === undefined) throw indexError(index, indices.length)
    return selected
  }
  for (const index of indices) source.name(index)
  const { spec } = source
  // Flattens nested subsets, so the spec does not grow with each selection.
  const flat = spec.kind === 'subset' ? indices.map((index) => spec.indices[index]!) : indices
  return {
    length: indices.length,
    name: (index) => source.name(sourceIndex(index)),
    read: (index) => source.read(sourceIndex(index)),
    size: (index) => source.size(sourceIndex(index)),
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
  const fileAt = async (index: number) => {
    const path = resolve(root, itemAt(names, index))
    refusePipe(path)
    return path
  }
  return {
    length: names.length,
    name: (index) => itemAt(names, index),
    read: async (index) => {
      const path = await fileAt(index)
      return await readFile(path).catch((error: unknown) => {
        throw unreadableFile(path, error)
      })
    },
    size: async (index) => imageSize(await fileAt(index)),
    spec: { kind: 'files', root, names },
    close: async () => {},
  }
}

/**
 * Lists images below a folder by relative path, sorted as Python sorts; follows links, skips hidden files.
 */
export async function imagesBelow(path: string): Promise<readonly string[]> {
  const found: string[] = []
  // `above` holds the ancestors, to stop at links that lead back to one of them.
  const walk = async (folder: string, prefix: string, above: readonly string[]): Promise<void> => {
    const real = await realpath(folder)
    if (above.includes(real)) return
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      throw unreadableFile(folder, error)
    })
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue
      const target = join(folder, entry.name)
      const kind = entry.isSymbolicLink() ? await stat(target).catch(() => entry) : entry
      if (kind.isDirectory()) await walk(target, `${prefix}${entry.name}/`, [...above, real])
      // Broken links are included, so that reading them reports their name.
      else if (isImageName(entry.name)) found.push(`${prefix}${entry.name}`)
    }
  }
  await walk(path, '', []).catch((error: unknown) => {
    throw unreadableFile(path, error)
  })
  return found.sort()
}

/** Reads a list, dropping comments (#) and BasicSR's suffix `(height,width,channels) level`. */
async function readList(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unreadableFile(path, error)
  })
  if (text.includes('\0'))
    throw new RestoreError('input', `${path}: expected a text file with one path per line, got binary data`)
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/\s+\(\d+,\s*\d+,\s*\d+\)(\s+\d+)?\s*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

async function lmdbSource(spec: SourceSpec & { readonly kind: 'lmdb' }): Promise<ImageSource> {
  const database = new Lmdb(spec.path)
  const listPath = join(spec.path, 'meta_info.txt')
  refusePipe(listPath)
  const names = existsSync(listPath) ? await readList(listPath) : database.keys
  const keys = names.map((name) =>
    database.has(name) ? name : name.slice(0, name.length - extname(name).length),
  )
  const missing = keys.filter((key) => !database.has(key))
  if (missing.length > 0) {
    database.close()
    throw new RestoreError(
      'input',
      `${listPath}: expected only keys of the database, got ${some(missing)}; remove them from the list`,
    )
  }
  return {
    length: names.length,
    name: (index) => itemAt(names, index),
    read: async (index) => database.read(itemAt(keys, index)),
    size: async (index) => imageSize(database.read(itemAt(keys, index)), { name: itemAt(names, index) }),
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
    name: (index) => itemAt(members, index).name,
    read: async (index) => readPart(itemAt(members, index)),
    size: async (index) => imageSize(await readPart(itemAt(members, index)), itemAt(members, index)),
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
      `${path}: expected ${size} bytes at ${offset}, got ${bytesRead}; the file is truncated`,
    )
  } finally {
    await file.close()
  }
}

/** Joins the first names and counts the rest. */
export function some(names: readonly string[], count = 5): string {
  const shown = names.slice(0, count).join(', ')
  return names.length > count ? `${shown} and ${names.length - count} more` : shown
}

function itemAt<T>(list: readonly T[], index: number): T {
  const value = list[index]
  if (value === undefined) throw indexError(index, list.length)
  return value
}

function indexError(index: number, length: number): RestoreError {
  return new RestoreError('usage', `images: expected an index from 0 to ${length - 1}, got ${index}`)
}
