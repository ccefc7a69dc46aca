// Combines degradations: from text such as `blur:sigma=2.4 noise:sigma=0..50 jpeg:quality=40`, or in code by
// chain, oneOf, maybe and shuffled.

import { RestoreError } from '../core/errors.ts'
import { permutation, type Random, weightedIndex } from '../core/random.ts'
import { unknownName } from '../core/unknownName.ts'
import type { Image } from '../data/image.ts'
import type { Amount, Degrade, NamedDegradation } from './defineDegradation.ts'
import { degradations } from './degradationTable.ts'

function apply(image: Image, random: Random, steps: readonly Degrade[], order: readonly number[]): Image {
  // Each step has its own random stream, so changing one step does not affect the others.
  return order.reduce((current, step) => steps[step]!(current, random.fork(step)), image)
}

/**
 * Applies steps in order.
 *
 * @example
 * ```ts
 * const degrade = chain([blur({ sigma: [0.5, 2] }), maybe(0.5, noise({ sigma: 25 })), jpeg({ quality: 60 })])
 * const damaged = degrade(image, counterRandom(1))
 * ```
 */
export function chain(steps: readonly Degrade[]): Degrade {
  const order = [...steps.keys()]
  return (image, random) => apply(image, random, steps, order)
}

/** Applies all steps in an order drawn for each image. */
export function shuffled(steps: readonly Degrade[]): Degrade {
  return (image, random) => apply(image, random, steps, permutation(steps.length, random))
}

/**
 * Applies a step with the given probability.
 * @throws RestoreError `usage` for a probability outside [0, 1]
 */
export function maybe(probability: number, step: Degrade): Degrade {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RestoreError('usage', `maybe: expected a probability from 0 to 1, got ${probability}`)
  }
  return (image, random) => (random.uniform() < probability ? step(image, random.fork(0)) : image)
}

/**
 * Applies one step, drawn uniformly or by weight: `oneOf([[3, noise()], [1, jpeg()]])`.
 * @throws RestoreError `usage` without choices, or for weights that are negative or all 0
 */
export function oneOf(choices: readonly (Degrade | readonly [weight: number, step: Degrade])[]): Degrade {
  const weighted = choices.map((choice) => (typeof choice === 'function' ? ([1, choice] as const) : choice))
  const weights = weighted.map(([weight]) => weight)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  if (!(total > 0 && Number.isFinite(total)) || weights.some((weight) => weight < 0)) {
    throw new RestoreError(
      'usage',
      `oneOf: expected weights of at least 0, not all 0, got ${weights.join(', ') || 'no choices'}`,
    )
  }
  return (image, random) => {
    const index = weightedIndex(weights, random)
    return (weighted[index] as readonly [number, Degrade])[1](image, random.fork(index))
  }
}

const table: Readonly<Record<string, NamedDegradation>> = degradations

/** Parses a number, a range LOW..HIGH, or a word. */
function parseValue(text: string): Amount | string {
  const number = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i
  if (number.test(text)) return Number(text)
  const [low = '', high = '', ...more] = text.split('..')
  return more.length === 0 && number.test(low) && number.test(high) ? [Number(low), Number(high)] : text
}

function parseStep(text: string): Degrade {
  const colon = text.indexOf(':')
  const name = colon < 0 ? text : text.slice(0, colon)
  const degradation = Object.hasOwn(table, name) ? table[name] : undefined
  if (!degradation) throw unknownName('degradation', name, Object.keys(table))
  // Not an object, whose key __proto__ would be accepted and ignored.
  const settings = new Map<string, Amount | string>()
  for (const part of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const [key = '', value, ...more] = part.split('=')
    if (key === '' || value === undefined || value === '' || more.length > 0) {
      const example = Object.keys(degradation.parameters)[0] ?? 'name'
      throw new RestoreError('usage', `${name}: expected settings such as ${example}=VALUE, got '${part}'`)
    }
    if (settings.has(key))
      throw new RestoreError('usage', `${name}: expected each setting once, got ${key} twice`)
    settings.set(key, parseValue(value))
  }
  return degradation.configure(Object.fromEntries(settings))
}

/**
 * Parses a chain: steps separated by spaces, each `name` or `name:setting=value,…`; a value may be a range
 * such as `0..50`.
 * @throws RestoreError `usage` for an unknown name or an invalid setting
 * @example
 * ```ts
 * const degrade = parseChain('blur:sigma=2.4 resize:scale=0.25 noise:sigma=0..50 jpeg:quality=40')
 * ```
 */
export function parseChain(text: string): Degrade {
  const steps = text.split(/\s+/).filter((step) => step !== '')
  if (steps.length === 0) {
    throw new RestoreError('usage', 'degradations: expected at least one, such as noise:sigma=25, got none')
  }
  return chain(steps.map(parseStep))
}
