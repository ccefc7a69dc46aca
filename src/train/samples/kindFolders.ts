// Folders of one layout side by side, one for each kind of damage: `<kind>/LQ` and `<kind>/GT` (Algolzw/daclip-uir).

import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { imagesBelow, type SourceSpec } from '../../data/sources/datasets.ts'
import { unreadableFile } from '../../data/unreadable.ts'

const everyFolder = '*/'

/** Whether a view is in every folder below the root: a path that begins with a star for the folder. */
export function isInEveryFolder(view: string): boolean {
  return view.startsWith(everyFolder)
}

/** The images of a view of every folder, sorted within each. */
export async function specOfEveryFolder(root: string, view: string): Promise<SourceSpec> {
  const inside = view.slice(everyFolder.length)
  const entries = await readdir(root, { withFileTypes: true }).catch((error: unknown) => {
    throw unreadableFile(root, error)
  })
  const folders = entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort()
  const names = await Promise.all(
    folders.map(async (folder) => {
      const found = await imagesBelow(join(root, folder, inside))
      return found.map((name) => `${folder}/${inside}/${name}`)
    }),
  )
  return { kind: 'files', root: resolve(root), names: names.flat() }
}

/** The folder that a picture is in, straight below the root. */
function kindOf(name: string): string {
  return name.slice(0, Math.max(name.indexOf('/'), 0))
}

/** Refuses kinds with more pictures in one view than in another: matched by order, all after them would be wrong pairs. */
export function checkCounts(target: readonly string[], other: readonly string[], root: string): void {
  for (const kind of new Set([...target, ...other].map(kindOf))) {
    const [wanted, got] = [target, other].map((names) => names.filter((name) => kindOf(name) === kind).length)
    if (wanted === got) continue
    throw new RestoreError(
      'input',
      `${join(root, kind)}: expected as many degraded pictures as clean ones, ${wanted}, got ${got}; pairs go by order here, add or remove what is missing or too much`,
    )
  }
}

/** Position of a picture's kind among `kinds`, by the folder it is in. */
export function kindIndex(name: string, kinds: readonly string[]): number {
  const index = kinds.indexOf(kindOf(name))
  if (index >= 0) return index
  throw new RestoreError(
    'input',
    `${name}: expected a folder named by a degradation (${kinds.join(', ')}), got '${kindOf(name)}'; rename or move it`,
  )
}

/** An order in which the kinds take turns, each with one of its pictures by chance, however many it has. */
export function balancedKinds(
  kinds: readonly string[],
): (names: readonly string[], random: Random) => readonly number[] {
  return (names, random) => {
    const byKind = kinds.map((): number[] => [])
    for (const [i, name] of names.entries()) byKind[kindIndex(name, kinds)]?.push(i)
    const filled = byKind.filter((items) => items.length > 0)
    return names.map((_, i) => {
      const items = filled[i % filled.length] as readonly number[]
      return items[random.integer(items.length)] as number
    })
  }
}
