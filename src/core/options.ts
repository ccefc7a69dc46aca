// Checks the options of public functions: callers in JavaScript have no compiler, and a misspelled option that is
// ignored gives another result than the one asked for.

import { RestoreError } from './errors.ts'
import { shownText } from './text.ts'
import { unknownName } from './unknownName.ts'

/** Returns what a value should be, as a phrase, or nothing if it is that. */
type Rule = (value: unknown) => string | undefined

/** A rule for every option of a type. */
export type OptionRules<T> = Readonly<Record<keyof T, Rule>>

function rule(expected: string, isValid: (value: unknown) => boolean): Rule {
  return (value) => (isValid(value) ? undefined : expected)
}

/** A whole number in a range. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): Rule {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  return rule(
    `a whole number ${range}`,
    (value) => typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most,
  )
}

/** A number in a range. */
export function decimal(least: number, most: number): Rule {
  return rule(
    `a number from ${least} to ${most}`,
    (value) => typeof value === 'number' && value >= least && value <= most,
  )
}

/** One of some words. */
export function oneOf(words: readonly string[]): Rule {
  const listed = [words.slice(0, -1).join(', '), ...words.slice(-1)].filter((part) => part !== '')
  return rule(listed.join(' or '), (value) => words.some((word) => word === value))
}

/** What one of two rules takes. */
export function either(first: Rule, second: Rule): Rule {
  return (value) => {
    const [one, other] = [first(value), second(value)]
    return one !== undefined && other !== undefined ? `${one}, or ${other}` : undefined
  }
}

export const flag = rule('true or false', (value) => typeof value === 'boolean')
export const text = rule('text', (value) => typeof value === 'string')
export const texts = rule(
  'a list of texts',
  (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
)
export const callback = rule('a function', (value) => typeof value === 'function')
export const signal = rule('an AbortSignal', (value) => value instanceof AbortSignal)
export const record = rule(
  'an object',
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
)
/** Anything: the function that uses the option checks it. */
export const anything: Rule = () => undefined

/**
 * Checks that options have known names and valid values; undefined ones are left out.
 * @param where function in errors
 * @throws RestoreError 'usage'
 */
export function checkOptions(where: string, options: object, rules: Readonly<Record<string, Rule>>): void {
  const problem = record(options)
  if (problem !== undefined)
    throw new RestoreError('usage', `${where}: expected options as ${problem}, got ${describeValue(options)}`)
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, name)) throw unknownName(`option of ${where}`, name, Object.keys(rules))
    const expected = value === undefined ? undefined : rules[name]?.(value)
    if (expected !== undefined)
      throw new RestoreError('usage', `${name}: expected ${expected}, got ${describeValue(value)}`)
  }
}

/** Describes any value in a few words, for messages. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `'${shownText(value, 80)}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return shownText(String(value), 80)
  if (Array.isArray(value)) return `a list of ${value.length}`
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && name !== 'Object' ? `a ${shownText(name, 80)}` : 'an object'
}
