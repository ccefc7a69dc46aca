// Identity of a training, by which --resume rejects another one: the recipe's values, its code and its data.

import { createHash } from 'node:crypto'
import { type Recipe, rateAt } from './recipe/recipe.ts'
import type { OpenImages } from './samples/images.ts'

export interface TrainingIdentity {
  /** The recipe's plain values; its functions are in the code. */
  readonly recipe: unknown
  /** Learning rates at 17 steps from first to last, by step. */
  readonly rates: Readonly<Record<string, number>>
  /** Hash of the compiled recipe. */
  readonly code: string
  readonly data: { readonly images: number; readonly hash: string }
  /** Version of Limpid. */
  readonly version: string
}

/** Recipe fields that may change when a training is resumed. */
const changeableFields = ['steps', 'saveEvery', 'logEvery', 'validate', 'card']

/** Computes the identity of a training from its recipe and images. */
export function identify(
  recipe: Recipe,
  images: OpenImages,
  { code, version }: Pick<TrainingIdentity, 'code' | 'version'>,
): TrainingIdentity {
  const points = Array.from({ length: 17 }, (_, i) => Math.floor((recipe.steps * i) / 16))
  const rates = Object.fromEntries(points.map((step) => [step, rateAt(recipe, step)]))
  return { recipe: toPlain(recipe), rates, code, data: hashImages(images), version }
}

/** Lists what must not change and has changed, such as `recipe.seed was 1, is 2`; of the learning rates the first. */
export function changesBetween(before: TrainingIdentity, now: TrainingIdentity): readonly string[] {
  const all = differences(fixedPart(before), fixedPart(now))
  const [firstRate, ...rates] = all.filter((change) => change.startsWith('rates.'))
  const more = rates.length === 0 ? '' : ` (and ${rates.length} later ones)`
  return all
    .filter((change) => !rates.includes(change))
    .map((change) => (change === firstRate ? `${change}${more}` : change))
}

/** Returns the parts that must not change. Data is identified by a hash, so its folder may move. */
function fixedPart({ recipe, rates, code, data }: TrainingIdentity): unknown {
  const kept = Object.entries(recipe as Readonly<Record<string, unknown>>).filter(
    ([name]) => !changeableFields.includes(name),
  )
  return { recipe: Object.fromEntries(kept), rates, code, data }
}

function toPlain(value: unknown): unknown {
  if (typeof value === 'function') return 'function'
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => toPlain(item))
  // The hash of the data stands for the location of the images.
  const entries = Object.entries(value).filter(([key]) => key !== 'root')
  return Object.fromEntries(entries.map(([key, item]) => [key, toPlain(item)]))
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function hashImages({ names, sizes }: OpenImages): TrainingIdentity['data'] {
  const listed = names.map((name, i) => `${name} ${sizes[i]?.width} ${sizes[i]?.height}\n`)
  return { images: names.length, hash: shortHash(listed.join('')) }
}

/** Lists the fields in which two plain values differ, as `path was a, is b`. */
function differences(before: unknown, now: unknown, path = ''): readonly string[] {
  if (isRecord(before) && isRecord(now)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(now)])]
    return names.flatMap((name) =>
      differences(before[name], now[name], path === '' ? name : `${path}.${name}`),
    )
  }
  const was = JSON.stringify(before) ?? 'missing'
  const is = JSON.stringify(now) ?? 'missing'
  return was === is ? [] : [`${path} was ${was}, is ${is}`]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
