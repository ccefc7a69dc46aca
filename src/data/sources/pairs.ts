// Pairs sources of the same images: by path, by file name, by position, or by a template.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { type ImageSource, some, subset } from './datasets.ts'

/**
 * How an image's partner is found: `path` by the same path relative to its source; `name` by the file name
 * without folders; `order` by index; or a template such as `{name}x4.png` or `{path}_blurred`. Extensions
 * count only in a template.
 */
export type Match = 'path' | 'name' | 'order' | `${string}{${'name' | 'path'}}${string}`

/** Options of {@link pairSources}. */
export interface PairOptions {
  /** What partners have in common. @default 'path' */
  readonly match?: Match
  /** Whether images without a partner are an error or dropped from all sources. @default 'refuse' */
  readonly missing?: 'refuse' | 'skip'
}

/** Returns the reference and the others with equal lengths and partners at the same index. */
export function pairSources(
  reference: ImageSource,
  others: readonly ImageSource[],
  { match = 'path', missing = 'refuse' }: PairOptions = {},
): readonly ImageSource[] {
  const partners = others.map((other) => partnersOf(reference, other, match))
  const kept = everyIndex(reference).filter((i) => partners.every((found) => found[i] !== undefined))
  const gaps = others.flatMap((other, i) => gapsBetween(reference, other, partners[i] ?? [], match))
  if (missing === 'refuse' && gaps.length > 0)
    throw new RestoreError('input', `${gaps.join('; ')}; add them, or remove images without one`)
  if (kept.length === 0) {
    throw new RestoreError(
      'input',
      `${locationOf(reference)}: expected partners by ${match}, found none (for example for ${reference.name(0)})`,
    )
  }
  const chosen = partners.map((found) => kept.map((i) => found[i]!))
  return [subset(reference, kept), ...others.map((other, i) => subset(other, chosen[i] ?? []))]
}

/** Index in `other` of each reference image's partner. */
function partnersOf(
  reference: ImageSource,
  other: ImageSource,
  match: Match,
): readonly (number | undefined)[] {
  if (match === 'order') return everyIndex(reference).map((i) => (i < other.length ? i : undefined))
  const template = match === 'path' || match === 'name' ? `{${match}}` : match
  const hasExtension = /\.\w+$/.test(template)
  const byName = template.includes('{name}')
  const keyOf = (name: string) => {
    const located = byName ? baseOf(name) : name
    return hasExtension ? located : stemOf(located)
  }
  const positions = new Map<string, number>()
  for (const i of everyIndex(other)) {
    const key = keyOf(other.name(i))
    const before = positions.get(key)
    if (before !== undefined) {
      const both = `${other.name(before)} and ${other.name(i)}`
      throw new RestoreError(
        'input',
        `${locationOf(other)}: expected one image for ${key}, got ${both}; match by path`,
      )
    }
    positions.set(key, i)
  }
  return everyIndex(reference).map((i) => {
    const stem = stemOf(reference.name(i))
    return positions.get(template.replaceAll('{path}', stem).replaceAll('{name}', baseOf(stem)))
  })
}

/** Describes which images of either source have no partner in the other. */
function gapsBetween(
  reference: ImageSource,
  other: ImageSource,
  partners: readonly (number | undefined)[],
  match: Match,
): readonly string[] {
  const unpaired = everyIndex(reference).filter((i) => partners[i] === undefined)
  const used = new Set(partners)
  const unused = everyIndex(other).filter((i) => !used.has(i))
  const lacks = (to: ImageSource, from: ImageSource, indices: readonly number[]) => {
    const names = some(
      indices.map((i) => from.name(i)),
      20,
    )
    return `${locationOf(to)}: expected partners by ${match} for all images of ${locationOf(from)}, found none for ${names}`
  }
  return [
    ...(unpaired.length > 0 ? [lacks(other, reference, unpaired)] : []),
    ...(unused.length > 0 ? [lacks(reference, other, unused)] : []),
  ]
}

function everyIndex({ length }: ImageSource): readonly number[] {
  return Array.from({ length }, (_, i) => i)
}

function locationOf({ spec }: ImageSource): string {
  const whole = spec.kind === 'subset' ? spec.of : spec
  return whole.kind === 'files' ? whole.root : whole.kind === 'subset' ? 'images' : whole.path
}

function baseOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

function stemOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot > name.lastIndexOf('/') ? name.slice(0, dot) : name
}

/** Folder names that data sets use for degraded and clean images, in lower case. */
const folderNames: readonly (readonly [input: string, target: string])[] = [
  ['lq', 'gt'],
  ['lr', 'hr'],
  ['lq', 'hq'],
  ['input', 'target'],
  ['inputc', 'target'],
  ['input', 'groundtruth'],
  ['input', 'gt'],
  ['noisy', 'clean'],
  ['noisy', 'gt'],
  ['blur', 'sharp'],
  ['blur', 'gt'],
  ['rain', 'norain'],
  ['rainy', 'clean'],
  ['hazy', 'clear'],
  ['hazy', 'gt'],
  ['low', 'high'],
]

/** Two folders with partners in them. */
export interface FoundPair {
  /** Path of the folder that holds both, relative to the search root; '' for the root. */
  readonly label: string
  readonly input: string
  readonly target: string
}

/**
 * Finds pairs of folders such as LQ and GT at or below a folder, for example each of `train/<kind>/{LQ,GT}`.
 */
export async function findPairs(root: string): Promise<readonly FoundPair[]> {
  const found: FoundPair[] = []
  const walk = async (folder: string, label: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true })
    const names = entries
      .filter((entry) => !entry.isFile() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
    const named = (word: string) => names.find((name) => name.toLowerCase() === word)
    const pair = folderNames
      .map(([input, target]) => [named(input), named(target)])
      .find((both) => both.every(Boolean))
    const [input, target] = pair ?? []
    if (input && target) found.push({ label, input: join(folder, input), target: join(folder, target) })
    else {
      const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      for (const { name } of folders) await walk(join(folder, name), label ? `${label}/${name}` : name)
    }
  }
  await walk(root, '').catch((error: unknown) => {
    throw new RestoreError(
      'input',
      `${root}: expected a folder with pairs of folders, but it cannot be read`,
      { cause: error },
    )
  })
  if (found.length > 0) return found.sort((a, b) => (a.label < b.label ? -1 : 1))
  const known = folderNames.map((pair) => pair.join('/')).join(', ')
  throw new RestoreError(
    'input',
    `${root}: expected a pair of folders (${known}, upper or lower case), found none`,
  )
}
