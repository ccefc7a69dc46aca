// Photos of folders, and known damage of medium severity or more for the tables of light-inspect and of task
// auto.

import { medium } from '../src/auto/plan/rules.ts'
import { counterRandom, type Random } from '../src/core/random.ts'
import { withChannels } from '../src/data/color.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { type Image, in8Bits, pixelsToPlanes } from '../src/data/image.ts'
import { openSource, specOf } from '../src/data/sources/datasets.ts'
import { type DamageId, damageIds } from '../src/models/damages.ts'
import { drawForm, kinds, noises, rmsOf, severityOf } from '../src/train/networks/inspect/kinds.ts'

/** Kinds that come together, in the order in which light, lens, sensor and file add them. */
const mixtures: readonly (readonly DamageId[])[] = [
  ['noise', 'jpeg'],
  ['haze', 'jpeg'],
  ['low-light', 'noise'],
  ['defocus', 'noise'],
  ['rain', 'jpeg'],
]

/** A photo with known damage. */
export interface DamagedPhoto {
  readonly name: string
  /** None for the photo as it is. */
  readonly damages: readonly DamageId[]
  readonly truth: Image
  readonly image: Image
}

/** Photos of a folder in color, with their place in it; progress goes to stderr. */
export async function* photosOf(
  folder: string,
  step = 1,
): AsyncGenerator<{ readonly index: number; readonly name: string; readonly image: Image }> {
  const source = await openSource(await specOf(folder))
  for (let index = 0; index < source.length; index += step) {
    const name = source.name(index)
    const { pixels } = await decodeBytes(await source.read(index), { name, colors: 'srgb' })
    yield { index, name, image: withChannels(pixelsToPlanes(pixels).image, 3) }
    process.stderr.write(`\r${folder}: ${index + 1} of ${source.length} `)
  }
  process.stderr.write('\n')
}

/** A photo as it is, with each kind of damage, and with mixtures of them. */
export function* damagedPhotos(truth: Image, name: string, index: number): Generator<DamagedPhoto> {
  yield { name, damages: [], truth, image: truth }
  const all = [...damageIds.map((kind) => [kind]), ...mixtures]
  for (const [k, damages] of all.entries()) {
    let image: Image | undefined = truth
    for (const [i, kind] of damages.entries())
      image = image && damagedBy(kind, image, counterRandom(0).fork(index).fork(k).fork(i))
    if (image) yield { name, damages, truth, image }
  }
}

/** Draws until the damage is of medium severity: some photos, such as plain ones, show none of a kind. */
function damagedBy(kind: DamageId, image: Image, random: Random): Image | undefined {
  for (let attempt = 0; attempt < 8; attempt++) {
    const drawn = random.fork(attempt)
    const step = kind === 'noise' ? noises[drawForm(drawn)] : kinds[kind]
    const damaged = in8Bits(step(image, drawn.fork(1)))
    if (severityOf(kind, rmsOf(image, damaged)) >= medium) return damaged
  }
  return undefined
}

/** Splits FOLDER=KIND[,KIND]… of a command line. */
export function labeledFolder(argument: string): {
  readonly folder: string
  readonly kinds: readonly string[]
} {
  const at = argument.lastIndexOf('=')
  return at < 0
    ? { folder: argument, kinds: [] }
    : { folder: argument.slice(0, at), kinds: argument.slice(at + 1).split(',') }
}
