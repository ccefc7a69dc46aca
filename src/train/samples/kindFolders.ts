// Sibling folders of the same layout, one per kind of degradation: `<kind>/LQ` and `<kind>/GT`
// (Algolzw/daclip-uir).

import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { imagesBelow, type SourceSpec } from '../../data/sources/datasets.ts'
import { unreadableFile } from '../../data/unreadable.ts'

const everyFolder = '*/'

/** Whether a view's path starts with a star, which stands for every folder below the root. */
export function isInEveryFolder(view: string): boolean {
  return view.startsWith(everyFolder)
}

/** Lists the images of a view in every folder below the root, sorted within each folder. */
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
      const images = await imagesBelow(join(root, folder, inside))
      return images.map((name) => `${folder}/${inside}/${name}`)
    }),
  )
  return { kind: 'files', root: resolve(root), names: names.flat() }
}

/** First folder of an image's path below the root. */
function kindOf(name: string): string {
  return name.slice(0, Math.max(name.indexOf('/'), 0))
}

/** Rejects kinds whose views differ in number: pairs match by order, so all later pairs would be wrong. */
export function checkCounts(target: readonly string[], other: readonly string[], root: string): void {
  for (const kind of new Set([...target, ...other].map(kindOf))) {
    const [clean, degraded] = [target, other].map(
      (names) => names.filter((name) => kindOf(name) === kind).length,
    )
    if (clean === degraded) continue
    throw new RestoreError(
      'input',
      `${join(root, kind)}: expected as many degraded images as clean ones, ${clean}, got ${degraded}; pairs match by order, so add the missing images or remove the extra ones`,
    )
  }
}

/** Index of an image's kind, named by its folder, in `kinds`. */
export function kindIndex(name: string, kinds: readonly string[]): number {
  const index = kinds.indexOf(kindOf(name))
  if (index >= 0) return index
  throw new RestoreError(
    'input',
    `${name}: expected a folder named after a degradation (${kinds.join(', ')}), got '${kindOf(name)}'; rename or move it`,
  )
}

/** An epoch order that cycles through the kinds and draws a random image of each. */
export function balancedKinds(
  kinds: readonly string[],
): (names: readonly string[], random: Random) => readonly number[] {
  return (names, random) => {
    const byKind = kinds.map((): number[] => [])
    for (const [i, name] of names.entries()) byKind[kindIndex(name, kinds)]?.push(i)
    const filled = byKind.filter((items) => items.length > 0)
    return names.map((_, i) => {
      const items = filled[i % filled.length]!
      return items[random.integer(items.length)]!
    })
  }
}
