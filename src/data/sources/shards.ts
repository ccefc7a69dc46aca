// Tar shards in WebDataset's layout: the files of one sample share a name up to the first dot, and the rest
// is the field (`0001.png`, or `0001.input.png` and `0001.target.png`). An index beside the shards locates
// every file for random access; shards without one are indexed when opened.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { refusePipe } from '../pipes.ts'
import { listTar, type TarMember, tarSize } from './tar.ts'

export const indexName = 'index.json'

export interface Shard {
  readonly path: string
  readonly members: readonly TarMember[]
}

interface IndexFile {
  readonly format: 'limpid-shards'
  readonly version: 1
  readonly shards: readonly {
    readonly file: string
    readonly bytes: number
    /** Name, offset, size. */
    readonly members: readonly (readonly [string, number, number])[]
  }[]
}

/** Serializes the index for the shards of one folder. */
export function indexText(shards: readonly Shard[]): string {
  const rows = shards.map(({ path, members }) => ({
    file: basename(path),
    bytes: statSync(path).size,
    members: members.map(({ name, offset, size }) => [name, offset, size] as const),
  }))
  const index: IndexFile = { format: 'limpid-shards', version: 1, shards: rows }
  return `${JSON.stringify(index)}\n`
}

/** Opens a single shard, or those of a folder by its index, else by their headers. */
export function openShards(path: string): readonly Shard[] {
  if (path.endsWith('.tar')) return [{ path, members: listTar(path) }]
  const index = join(path, indexName)
  if (existsSync(index)) return readIndex(index)
  const files = readdirSync(path)
    .filter((name) => name.endsWith('.tar'))
    .sort()
  if (files.length === 0) throw new RestoreError('input', `${path}: expected tar shards (*.tar), found none`)
  return files.map((name) => openShards(join(path, name))[0] as Shard)
}

function readIndex(path: string): readonly Shard[] {
  const index = parseIndex(path)
  return index.shards.map(({ file, bytes, members }) => {
    const shard = join(dirname(path), file)
    const size = existsSync(shard) ? statSync(shard).size : undefined
    if (size !== bytes) {
      const found = size === undefined ? 'found none' : `got ${size}`
      const advice = `download it again, or delete ${indexName} to use the shards as they are`
      throw new RestoreError('input', `${shard}: expected a shard of ${bytes} bytes, ${found}; ${advice}`)
    }
    return {
      path: shard,
      members: members.map(([name, offset, size]) => ({ name, offset, size, modified: 0 })),
    }
  })
}

function parseIndex(path: string): IndexFile {
  refusePipe(path)
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (isIndex(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new RestoreError(
    'input',
    `${path}: expected a shard index written by limpid pack, got something else; delete it`,
  )
}

function isIndex(value: unknown): value is IndexFile {
  if (typeof value !== 'object' || value === null) return false
  const { format, version, shards } = value as Partial<Record<string, unknown>>
  return format === 'limpid-shards' && version === 1 && Array.isArray(shards) && shards.every(isShardEntry)
}

function isShardEntry(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { file, bytes, members } = value as Partial<Record<string, unknown>>
  const isName = typeof file === 'string' && file === basename(file) && file.endsWith('.tar')
  if (!isName || typeof bytes !== 'number' || !Array.isArray(members)) return false
  return members.every((member) => {
    if (!Array.isArray(member)) return false
    const [name, offset, size] = member as readonly unknown[]
    const isPlace = Number.isSafeInteger(offset) && Number.isSafeInteger(size)
    return (
      typeof name === 'string' &&
      isPlace &&
      Number(offset) >= 512 &&
      Number(size) >= 0 &&
      Number(offset) + Number(size) <= bytes
    )
  })
}

/**
 * Groups files into shards of at most `shardBytes`; samples stay together, and a larger sample gets its own
 * shard.
 */
export function planShards<F extends { readonly name: string; readonly size: number }>(
  files: readonly F[],
  shardBytes: number,
): readonly (readonly F[])[] {
  const shards: F[][] = []
  let usedBytes = Number.POSITIVE_INFINITY
  for (const sample of groupBySample(files)) {
    const bytes = sample.reduce((sum, file) => sum + tarSize(file), 0)
    if (usedBytes + bytes > shardBytes) {
      shards.push([])
      usedBytes = 1024
    }
    shards.at(-1)?.push(...sample)
    usedBytes += bytes
  }
  return shards
}

function groupBySample<F extends { readonly name: string }>(files: readonly F[]): Iterable<readonly F[]> {
  const samples = new Map<string, F[]>()
  for (const file of files) {
    const key = splitMember(file.name).key
    const sample = samples.get(key)
    if (sample) sample.push(file)
    else samples.set(key, [file])
  }
  return samples.values()
}

/**
 * Splits a member name: `a/b.input.png` into key `a/b`, field `input` and extension `png`; `a/b.png` has
 * field ''.
 */
export function splitMember(name: string): {
  readonly key: string
  readonly field: string
  readonly extension: string
} {
  const [, key = name, rest = ''] = /^((?:.*\/)?[^/.]*)\.([^/]*)$/s.exec(name) ?? []
  const dot = rest.lastIndexOf('.')
  return { key, field: rest.slice(0, Math.max(dot, 0)), extension: rest.slice(dot + 1) }
}

/** Name of a packed file; dots in the stem become underscores, since the first dot ends the sample key. */
export function memberName(path: string, field: string): string {
  const dot = path.lastIndexOf('.')
  const stem = path.slice(0, dot).replaceAll('.', '_')
  const extension = path.slice(dot + 1).toLowerCase()
  return field ? `${stem}.${field.replaceAll('.', '_')}.${extension}` : `${stem}.${extension}`
}
