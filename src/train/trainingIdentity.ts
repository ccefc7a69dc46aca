// What makes a training the same one: its recipe by value, its code and its data.

import { createHash } from 'node:crypto'
import { type Recipe, rateAt } from './recipe/recipe.ts'
import type { OpenImages } from './samples/images.ts'

export interface TrainingIdentity {
  /** The recipe's plain values; its functions are in the code. */
  readonly recipe: unknown
  /** Learning rates at some steps. */
  readonly rates: Readonly<Record<string, number>>
  /** Hash of the compiled recipe. */
  readonly code: string
  readonly data: { readonly images: number; readonly hash: string }
  /** Of Limpid. */
  readonly version: string
}

/** Fields that may change from one part of a training to the next. */
const free = ['steps', 'saveEvery', 'logEvery', 'validate', 'card']

export function identify(
  recipe: Recipe,
  images: OpenImages,
  { code, version }: Pick<TrainingIdentity, 'code' | 'version'>,
): TrainingIdentity {
  const points = Array.from({ length: 17 }, (_, i) => Math.floor((recipe.steps * i) / 16))
  const rates = Object.fromEntries(points.map((step) => [step, rateAt(recipe, step)]))
  return { recipe: plain(recipe), rates, code, data: hashImages(images), version }
}

/** The parts that must not change, ready to be compared: data by content, so that its folder may move. */
export function steadyPart({ recipe, rates, code, data }: TrainingIdentity): unknown {
  const kept = Object.entries(recipe as Readonly<Record<string, unknown>>).filter(
    ([name]) => !free.includes(name),
  )
  return { recipe: Object.fromEntries(kept), rates, code, data }
}

function plain(value: unknown): unknown {
  if (typeof value === 'function') return 'function'
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => plain(item))
  // Where the pictures are is told by their hash.
  const entries = Object.entries(value).filter(([key]) => key !== 'root')
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]))
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function hashImages({ names, sizes }: OpenImages): TrainingIdentity['data'] {
  const listed = names.map((name, i) => `${name} ${sizes[i]?.width} ${sizes[i]?.height}\n`)
  return { images: names.length, hash: short(listed.join('')) }
}

/** Every field in which two plain values differ, as `path: a, now b`. */
export function differences(before: unknown, now: unknown, path = ''): readonly string[] {
  if (isRecord(before) && isRecord(now)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(now)])]
    return names.flatMap((name) =>
      differences(before[name], now[name], path === '' ? name : `${path}.${name}`),
    )
  }
  const [was, is] = [JSON.stringify(before) ?? 'nothing', JSON.stringify(now) ?? 'nothing']
  return was === is ? [] : [`${path} was ${was}, is ${is}`]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
