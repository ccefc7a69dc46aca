// What a degradation is: a pure function with a name, parameters that say their units and ranges, and a source.

import { RestoreError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'

/** Changes an image ([c h w], values about [0, 1]) without touching its input; all chance comes from `random`. */
export type Degrade = (image: Image, random: Random) => Image

/** A number, or a range from which each image draws uniformly. */
export type Amount = number | readonly [low: number, high: number]

export interface NumberParameter {
  readonly type: 'number'
  readonly summary: string
  /** 'px', '0..255', 'degrees' …; empty for a plain ratio. */
  readonly unit: string
  readonly minimum: number
  readonly maximum: number
  readonly isWhole?: boolean
  readonly default: Amount
}

export interface ChoiceParameter {
  readonly type: 'choice'
  readonly summary: string
  readonly choices: readonly string[]
  readonly default: string
}

export type Parameter = NumberParameter | ChoiceParameter
export type Parameters = Readonly<Record<string, Parameter>>

/** Values of a schema's parameters as a caller gives them: those left out take their default. */
export type Settings<P extends Parameters> = {
  readonly [K in keyof P]?: P[K] extends ChoiceParameter ? P[K]['choices'][number] : Amount
}

/** Values drawn for one image. */
export type Drawn<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends ChoiceParameter ? P[K]['choices'][number] : number
}

/** One kind of damage: callable in code with settings, and by name in a chain such as `noise:sigma=15 jpeg:quality=40`. */
export interface Degradation<P extends Parameters = Parameters> {
  readonly name: string
  readonly summary: string
  /** Where it comes from: paper section or file@commit. */
  readonly source: string
  readonly parameters: P
  readonly apply: (image: Image, drawn: Drawn<P>, random: Random) => Image
}

/** A degradation whose settings come as text or JSON: what chains and shells need of one. */
export interface NamedDegradation {
  readonly name: string
  readonly summary: string
  readonly source: string
  readonly parameters: Parameters
  /** Checks the settings; the error says what is valid. */
  readonly configure: (given: Readonly<Record<string, unknown>>) => Degrade
}

/** A degradation that can be called: `noise({ sigma: [0, 50] })` is a {@link Degrade}. */
export interface CallableDegradation<P extends Parameters = Parameters>
  extends Degradation<P>,
    Omit<NamedDegradation, 'parameters'> {
  (settings?: Settings<P>): Degrade
}

/** Makes a degradation callable. */
export function defineDegradation<const P extends Parameters>(
  degradation: Degradation<P>,
): CallableDegradation<P> {
  const { name, parameters, apply } = degradation
  const configure = (given: Readonly<Record<string, unknown>>): Degrade => {
    const complete = completeSettings(name, parameters, given)
    return (image, random) => apply(image, drawSettings(complete, parameters, random), random)
  }
  const call = (settings: Settings<P> = {}) => configure(settings)
  // A function's own `name` cannot be assigned, only defined.
  const properties = Object.entries({ ...degradation, configure }).map(([key, value]) => [
    key,
    { value, enumerable: true },
  ])
  return Object.defineProperties(call, Object.fromEntries(properties)) as CallableDegradation<P>
}

type Complete<P extends Parameters> = { readonly [K in keyof P]: Amount | string }

/** The settings with defaults in, checked. */
function completeSettings<P extends Parameters>(
  name: string,
  parameters: P,
  given: Readonly<Record<string, unknown>>,
): Complete<P> {
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(parameters, key))
      throw unknownName(`parameter of ${name}`, key, Object.keys(parameters))
  }
  const entries = Object.entries(parameters).map(([key, parameter]) => {
    const value = given[key] ?? parameter.default
    return [
      key,
      parameter.type === 'choice'
        ? checkChoice(`${name}: ${key}`, parameter, value)
        : checkAmount(`${name}: ${key}`, parameter, value),
    ]
  })
  return Object.fromEntries(entries)
}

function checkChoice(where: string, { choices }: ChoiceParameter, value: unknown): string {
  if (typeof value === 'string' && choices.includes(value)) return value
  throw new RestoreError('usage', `${where}: expected one of ${choices.join(', ')}, got ${value}`)
}

function checkAmount(where: string, parameter: NumberParameter, value: unknown): Amount {
  const { minimum, maximum, unit, isWhole = false } = parameter
  const isValid = (x: unknown) =>
    typeof x === 'number' && x >= minimum && x <= maximum && (!isWhole || Number.isInteger(x))
  if (isValid(value)) return value as number
  if (Array.isArray(value) && value.length === 2 && value.every(isValid) && value[0] <= value[1])
    return [value[0], value[1]]
  const kind = isWhole ? 'a whole number' : 'a number'
  const scale = unit && ` (unit: ${unit})`
  const got = Array.isArray(value) ? value.join('..') : String(value)
  throw new RestoreError(
    'usage',
    `${where}: expected ${kind} from ${minimum} to ${maximum}${scale}, or a range LOW..HIGH in it, got ${got}`,
  )
}

function drawSettings<P extends Parameters>(complete: Complete<P>, parameters: P, random: Random): Drawn<P> {
  const entries = Object.entries(complete).map(([key, value]) => {
    if (typeof value === 'string' || typeof value === 'number') return [key, value]
    const [low, high] = value as readonly [number, number]
    const parameter = parameters[key]
    const isWhole = parameter?.type === 'number' && parameter.isWhole === true
    return [key, isWhole ? low + random.integer(high - low + 1) : low + (high - low) * random.uniform()]
  })
  return Object.fromEntries(entries)
}

/** Edits that turn one word into another. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, replaced))
    }
    row = next
  }
  return row[b.length] as number
}

/** The error for a name that is not there, with the nearest one and all. */
export function unknownName(what: string, name: string, valid: readonly string[]): RestoreError {
  const [nearest] = [...valid].sort((a, b) => editDistance(name, a) - editDistance(name, b))
  const isNear = nearest !== undefined && editDistance(name, nearest) <= Math.max(2, name.length / 3)
  const hint = isNear ? `; did you mean ${nearest}?` : ''
  const all = valid.length > 0 ? `expected one of ${valid.join(', ')}` : 'there is none'
  return new RestoreError('usage', `unknown ${what} '${name}': ${all}${hint}`)
}
