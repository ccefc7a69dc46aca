// Sets of tensors that share a file, told apart by the beginning of their keys: wrappers around a network, and the
// networks of a training state such as generator, discriminator and the running average of a generator.

import type { RestoreError } from '../core/errors.ts'
import { listNames } from '../core/text.ts'
import { nearestName } from '../core/unknownName.ts'
import { malformed } from './checkpoint.ts'

/**
 * Names of wrappers, which all keys may begin with: DataParallel, torch.compile, trainers that name the network they
 * restore with, and dictionaries that a conversion to safetensors has flattened.
 */
const wrappers = new Set([
  ...['module', '_orig_mod', 'net_g', 'netG', 'generator'],
  ...['params', 'state_dict', 'model_state_dict', 'model', 'network', 'net'],
])

/** Flattened dictionaries that hold the weights where other keys, such as an optimizer's, lie beside them. */
const weightSets = ['state_dict', 'params', 'model_state_dict']

/** Counter that PyTorch's AveragedModel stores beside the keys of its module. */
const averageCounter = 'n_averaged'

/** Limits prefixes of prefixes. */
const maxPrefixes = 4

/** Tensors under their network's own keys. */
export interface KeySet<T> {
  /** Prefix that was stripped from every key. */
  readonly prefix: string
  readonly tensors: ReadonlyMap<string, T>
  /** Prefixes of the other sets, without their dots. */
  readonly others: readonly string[]
}

/** Words in names of averaged weights: exponential moving averages, stochastic weight averaging. */
const averageWords = ['ema', 'swa', 'averaged', 'average', 'shadow']

/** Whether a name is that of averaged weights: `ema`, `params_ema`, `g_ema`, `modelEma`, `ema_state_dict`, … */
export function isAveraged(name: string): boolean {
  const words = name
    .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
    .toLowerCase()
    .split(/[._-]/)
  return words.some((word) => averageWords.includes(word))
}

/**
 * Selects tensors by the beginning of their keys: those under `wanted`, else the average of another set if there is
 * one, else a flattened dictionary of weights; then strips the prefixes of wrappers.
 * @param parents what names of other sets begin with
 * @throws RestoreError 'checkpoint' if no key begins with `wanted`, or several sets begin as those of adversaries do
 */
export function selectKeys<T>(tensors: ReadonlyMap<string, T>, wanted = '', parents = ''): KeySet<T> {
  const outer = wanted === '' ? stripWrappers(tensors, '') : { prefix: '', tensors }
  const groups = groupsOf(outer.tensors)
  const name = wanted === '' ? (averagedGroup(groups) ?? weightSet(groups)) : wanted
  const named = [...groups].flatMap(([group, ends]) =>
    group === name || ends.size === 0 ? [] : [parents + outer.prefix + group],
  )
  if (name === undefined) {
    if (areAdversaries(groups)) throw severalSets(named)
    return { ...outer, others: [] }
  }
  const start = `${name}.`
  const chosen = new Map(
    [...outer.tensors].flatMap(([key, tensor]) =>
      key.startsWith(start) && key.length > start.length ? [[key.slice(start.length), tensor] as const] : [],
    ),
  )
  if (chosen.size === 0)
    throw malformed(
      `expected keys that begin with '${start}', found ${listNames([...groups.keys()])}${nearestPath(name, [...groups.keys()])}`,
    )
  return { ...stripWrappers(chosen, outer.prefix + start), others: wanted === '' ? named : [] }
}

/** Whether keys begin with the names of a generator and a discriminator, trained against each other. */
function areAdversaries(groups: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const isAny = (pattern: RegExp) => [...groups].some(([name, ends]) => ends.size > 0 && pattern.test(name))
  return isAny(/^(?:(?:net_?)?g|gen(?:erator)?)$/i) && isAny(/^(?:(?:net_?)?d|disc(?:riminator)?|critic)$/i)
}

/** Suggests the path of a set that ends like one that does not exist, or is nearest to it, as the end of an error. */
export function nearestPath(wanted: string, paths: readonly string[]): string {
  const [end] = wanted.split('.').slice(-1)
  const same = paths.find((path) => path.endsWith(`.${end}`))
  return same ? `; did you mean ${same}?` : nearestName(wanted, paths)
}

function stripWrappers<T>(tensors: ReadonlyMap<string, T>, before: string): Omit<KeySet<T>, 'others'> {
  const keys = [...tensors.keys()].filter((key) => key !== averageCounter)
  let prefix = ''
  for (let count = 0; count < maxPrefixes; count++) {
    const next = wrapperOf(keys, prefix.length)
    if (next === undefined) break
    prefix += next
  }
  if (prefix === '') return { prefix: before, tensors }
  const stripped = new Map(keys.map((key) => [key.slice(prefix.length), tensors.get(key)!]))
  return { prefix: before + prefix, tensors: stripped }
}

/**
 * The wrapper that all keys begin with after `start`, its dot included. Before a number the name is the network's own:
 * `model.0.weight` is the first layer of a sequence.
 */
function wrapperOf(keys: readonly string[], start: number): string | undefined {
  const end = keys[0]?.indexOf('.', start) ?? -1
  if (end < 0) return undefined
  const prefix = keys[0]!.slice(start, end + 1)
  const name = prefix.slice(0, -1)
  if (!wrappers.has(name) && !isAveraged(name)) return undefined
  const isCommon = keys.every((key) => key.startsWith(prefix, start) && /^[^\d]/.test(key.slice(end + 1)))
  return isCommon ? prefix : undefined
}

/** Ends of keys by their first part. */
function groupsOf(tensors: ReadonlyMap<string, unknown>): ReadonlyMap<string, ReadonlySet<string>> {
  const groups = new Map<string, Set<string>>()
  for (const key of tensors.keys()) {
    const dot = key.indexOf('.')
    const name = dot < 0 ? key : key.slice(0, dot)
    const ends = groups.get(name) ?? new Set()
    groups.set(name, ends)
    if (dot >= 0) ends.add(key.slice(dot + 1))
  }
  return groups
}

/** The group that holds averages of another group's tensors: its keys are the same. */
function averagedGroup(groups: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const names = [...groups.keys()].filter((name) => {
    const ends = groups.get(name)
    if (!isAveraged(name) || !ends || ends.size === 0) return false
    return [...groups].some(([other, theirs]) => other !== name && isSame(ends, theirs))
  })
  return names.length === 1 ? names[0] : undefined
}

/** The flattened dictionary of weights among other groups. */
function weightSet(groups: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  return weightSets.find((name) => (groups.get(name)?.size ?? 0) > 0)
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one))
}

/** Error for sets that nothing distinguishes. */
export function severalSets(names: readonly string[]): RestoreError {
  return malformed(
    `contains several sets of tensors, ${listNames(names)}; choose one with tensors (--tensors)`,
  )
}
