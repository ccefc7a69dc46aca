// Defines degradations: named pure functions with a source and parameters that declare units and ranges.

import { RestoreError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { nearestName, unknownName } from '../core/unknownName.ts'
import type { Image } from '../data/image.ts'

/**
 * Degrades an image ([c h w], values around [0, 1]) without modifying the input; all randomness comes from
 * `random`.
 */
export type Degrade = (image: Image, random: Random) => Image

/** A number, or a range to draw from uniformly for each image. */
export type Amount = number | readonly [low: number, high: number]

/** A parameter that is a number or a range. */
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

/** A parameter that is one of several words. */
export interface ChoiceParameter {
  readonly type: 'choice'
  readonly summary: string
  readonly choices: readonly string[]
  readonly default: string
}

/** A parameter of a degradation. */
export type Parameter = NumberParameter | ChoiceParameter
/** Parameters of a degradation by name. */
export type Parameters = Readonly<Record<string, Parameter>>

/** Parameter values as the caller passes them; omitted ones take their default. */
export type Settings<P extends Parameters> = {
  readonly [K in keyof P]?: P[K] extends ChoiceParameter ? P[K]['choices'][number] : Amount
}

/** Parameter values drawn for one image. */
export type Drawn<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends ChoiceParameter ? P[K]['choices'][number] : number
}

/** A degradation, usable from code or by name in a chain such as `noise:sigma=15 jpeg:quality=40`. */
export interface Degradation<P extends Parameters = Parameters> {
  readonly name: string
  readonly summary: string
  /** Origin: paper section or file@commit. */
  readonly source: string
  readonly parameters: P
  readonly apply: (image: Image, drawn: Drawn<P>, random: Random) => Image
}

/** A degradation whose settings are untyped, as they come from text or JSON. */
export interface NamedDegradation {
  readonly name: string
  readonly summary: string
  readonly source: string
  readonly parameters: Parameters
  /** Checks the settings and binds them; the error lists what is valid. */
  readonly configure: (settings: Readonly<Record<string, unknown>>) => Degrade
}

/** A degradation as a function of its settings: `noise({ sigma: [0, 50] })` is a {@link Degrade}. */
export interface CallableDegradation<P extends Parameters = Parameters>
  extends Degradation<P>,
    Omit<NamedDegradation, 'parameters'> {
  (settings?: Settings<P>): Degrade
}

/** Makes a degradation callable with its settings. */
export function defineDegradation<const P extends Parameters>(
  degradation: Degradation<P>,
): CallableDegradation<P> {
  const { name, parameters, apply } = degradation
  const configure = (settings: Readonly<Record<string, unknown>>): Degrade => {
    const complete = completeSettings(name, parameters, settings)
    return (image, random) => apply(image, drawSettings(complete, parameters, random), random)
  }
  const call = (settings: Settings<P> = {}) => configure(settings)
  // A function's `name` is read-only and can only be redefined.
  const properties = Object.entries({ ...degradation, configure }).map(([key, value]) => [
    key,
    { value, enumerable: true },
  ])
  return Object.defineProperties(call, Object.fromEntries(properties)) as CallableDegradation<P>
}

type CompleteSettings<P extends Parameters> = { readonly [K in keyof P]: Amount | string }

/** Checks settings and fills in defaults. */
function completeSettings<P extends Parameters>(
  name: string,
  parameters: P,
  settings: Readonly<Record<string, unknown>>,
): CompleteSettings<P> {
  for (const key of Object.keys(settings)) {
    if (!Object.hasOwn(parameters, key))
      throw unknownName(`parameter of ${name}`, key, Object.keys(parameters))
  }
  const entries = Object.entries(parameters).map(([key, parameter]) => {
    const value = settings[key] ?? parameter.default
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
  const near = nearestName(String(value), choices)
  throw new RestoreError('usage', `${where}: expected one of ${choices.join(', ')}, got ${value}${near}`)
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
    `${where}: expected ${kind} from ${minimum} to ${maximum}${scale}, or a range LOW..HIGH within, got ${got}`,
  )
}

function drawSettings<P extends Parameters>(
  complete: CompleteSettings<P>,
  parameters: P,
  random: Random,
): Drawn<P> {
  const entries = Object.entries(complete).map(([key, value]) => {
    if (typeof value === 'string' || typeof value === 'number') return [key, value]
    const [low, high] = value as readonly [number, number]
    const parameter = parameters[key]
    const isWhole = parameter?.type === 'number' && parameter.isWhole === true
    return [key, isWhole ? low + random.integer(high - low + 1) : low + (high - low) * random.uniform()]
  })
  return Object.fromEntries(entries)
}
