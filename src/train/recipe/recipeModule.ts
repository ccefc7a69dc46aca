// A compiled recipe and the command line's changes to it, from which every thread imports the same value.

import { RestoreError } from '../../core/errors.ts'
import type { Recipe } from './recipe.ts'

export interface RecipeModule {
  /** URL of the compiled recipe. */
  readonly url: string
  /** Values from `--set` and its shorthand options, as text by dotted name. */
  readonly settings: readonly (readonly [key: string, text: string])[]
}

/**
 * Imports a compiled recipe and applies the settings.
 *
 * @throws RestoreError `usage` without an export named recipe, or for a setting that does not fit
 */
export async function importRecipe({ url, settings }: RecipeModule): Promise<Recipe> {
  const module = (await import(url)) as { readonly recipe?: Recipe }
  if (typeof module.recipe !== 'object') {
    throw new RestoreError(
      'usage',
      'recipe: expected an export named recipe in its file, got none; write export const recipe = defineRecipe({ … })',
    )
  }
  return withSettings(module.recipe, settings)
}

/** A copy of a recipe with its settings applied in order. */
export function withSettings(recipe: Recipe, settings: RecipeModule['settings']): Recipe {
  return settings.reduce((changed, [key, text]) => withSetting(changed, key, text), recipe)
}

/** Returns a copy of a recipe with one dotted field replaced by a value of the same type. */
export function withSetting<T extends object>(recipe: T, key: string, text: string): T {
  return replaced(recipe, key.split('.'), { key, text, path: '' }) as T
}

interface Setting {
  readonly key: string
  readonly text: string
  readonly path: string
}

/** Fields that recipes may omit, each with a value of its type. */
const optionalFields: Readonly<Record<string, unknown>> = {
  accumulate: 1,
  maxGradNorm: 1,
  maxGradNormEach: 1,
  precision: 'float32',
  'network.weights': '',
  'network.multipleOf': 1,
  'validate.crop': 1,
  'validate.pictures': 1,
}

function replaced(node: unknown, [name = '', ...rest]: readonly string[], setting: Setting): unknown {
  const path = setting.path === '' ? name : `${setting.path}.${name}`
  if (typeof node !== 'object' || node === null) throw unknownField(setting, [])
  const current: unknown = Object.hasOwn(node, name) ? Reflect.get(node, name) : optionalFields[path]
  if (current === undefined) throw unknownField(setting, Object.keys(node))
  const value = rest.length > 0 ? replaced(current, rest, { ...setting, path }) : parseLike(current, setting)
  if (Array.isArray(node)) return node.map((item, i) => (String(i) === name ? value : item))
  return { ...node, [name]: value }
}

function unknownField({ key, path }: Setting, names: readonly string[]): RestoreError {
  const expected = names.length > 0 ? `one of ${names.join(', ')}` : 'no more parts'
  return new RestoreError(
    'usage',
    `--set ${key}: expected ${expected}${path && ` after ${path}`}, got an unknown name`,
  )
}

/** Parses the text of a setting as a value of the same type as an example. */
function parseLike(example: unknown, { key, text }: Setting): unknown {
  // A constant rate may replace a schedule.
  const isRate = typeof example === 'function' && key === 'learningRate'
  if (typeof example === 'function' && !isRate) {
    throw new RestoreError(
      'usage',
      `--set ${key}: expected a field with a plain value, got a function; edit the recipe`,
    )
  }
  const value = typeof example === 'string' ? text : parseJson(text)
  const expected = isRate ? 1 : example
  if (isLike(value, expected)) return value
  throw new RestoreError(
    'usage',
    `--set ${key}: expected a value such as ${JSON.stringify(expected)}, got ${text}`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a value has the type of an example; lists may have any length, objects must have the same keys. */
function isLike(value: unknown, example: unknown): boolean {
  if (Array.isArray(example))
    return Array.isArray(value) && value.every((item) => isLike(item, example[0] ?? item))
  if (typeof example !== 'object' || example === null) return typeof value === typeof example
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const names = Object.keys(example)
  return (
    Object.keys(value).length === names.length &&
    names.every((name) => isLike(Reflect.get(value, name), Reflect.get(example, name)))
  )
}
