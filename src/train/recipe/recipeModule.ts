// A recipe as a module that can be imported, with what the command line changes in it: the same value on every thread.

import { RestoreError } from '../../core/errors.ts'
import type { Recipe } from './recipe.ts'

export interface RecipeModule {
  /** Compiled recipe, as a URL. */
  readonly url: string
  /** `--set` and the options that are short for it: dotted names with their text. */
  readonly settings: readonly (readonly [key: string, text: string])[]
}

/** Imports a compiled recipe and applies the settings. */
export async function importRecipe({ url, settings }: RecipeModule): Promise<Recipe> {
  const module = (await import(url)) as { readonly recipe?: Recipe }
  if (typeof module.recipe !== 'object') {
    throw new RestoreError(
      'usage',
      'recipe: expected an export named recipe in its file, found none; write export const recipe = defineRecipe({ … })',
    )
  }
  return settings.reduce((recipe, [key, text]) => withSetting(recipe, key, text), module.recipe)
}

/** A copy of a recipe with one dotted field replaced; the new value must be of the old one's kind. */
export function withSetting<T extends object>(recipe: T, key: string, text: string): T {
  return replaced(recipe, key.split('.'), { key, text, path: '' }) as T
}

interface Setting {
  readonly key: string
  readonly text: string
  readonly path: string
}

/** Fields that recipes may leave out, with the kind of value they take. */
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
  const usual: unknown = Object.hasOwn(node, name) ? Reflect.get(node, name) : optionalFields[path]
  if (usual === undefined) throw unknownField(setting, Object.keys(node))
  const value = rest.length > 0 ? replaced(usual, rest, { ...setting, path }) : parseLike(usual, setting)
  if (Array.isArray(node)) return node.map((item, i) => (String(i) === name ? value : item))
  return { ...node, [name]: value }
}

function unknownField({ key, path }: Setting, names: readonly string[]): RestoreError {
  const known = names.length > 0 ? `one of ${names.join(', ')}` : 'no more parts'
  return new RestoreError(
    'usage',
    `--set ${key}: expected ${known}${path && ` after ${path}`}, got a name that is none`,
  )
}

function parseLike(usual: unknown, { key, text }: Setting): unknown {
  // A schedule can be replaced by one rate.
  const isRate = typeof usual === 'function' && key === 'learningRate'
  if (typeof usual === 'function' && !isRate) {
    throw new RestoreError(
      'usage',
      `--set ${key}: expected a field with a plain value, got a function; edit the recipe`,
    )
  }
  const value = typeof usual === 'string' ? text : parseJson(text)
  const wanted = isRate ? 1 : usual
  if (isLike(value, wanted)) return value
  const example = JSON.stringify(wanted)
  throw new RestoreError('usage', `--set ${key}: expected a value of the kind ${example}, got ${text}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a value has the type of another; lists may be of any length, objects need the same names. */
function isLike(value: unknown, usual: unknown): boolean {
  if (Array.isArray(usual))
    return Array.isArray(value) && value.every((item) => isLike(item, usual[0] ?? item))
  if (typeof usual !== 'object' || usual === null) return typeof value === typeof usual
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const names = Object.keys(usual)
  return (
    Object.keys(value).length === names.length &&
    names.every((name) => isLike(Reflect.get(value, name), Reflect.get(usual, name)))
  )
}
