// Finds the tensors in the object of a PyTorch file: a bare state dict, one of the sets of a training state, or a
// TorchScript module.

import { listNames } from '../core/text.ts'
import { TensorRef } from './allowedGlobals.ts'
import { malformed } from './checkpoint.ts'
import { isAveraged, nearestPath, severalSets } from './keySets.ts'
import { describe, PickleObject, type PickleValue } from './unpickle.ts'

/** Keys under which training programs store weights. */
const wellKnownKeys = ['state_dict', 'params', 'model_state_dict', 'model', 'network', 'net'] as const

// Limits against files whose objects refer to each other in cycles; real files stay far below.
const maxPathLength = 8
const maxModuleDepth = 64
const maxModuleEntries = 1_000_000
const maxKeyLength = 512

/** Tensors of a PyTorch file under their keys. */
export interface FoundTensors {
  /** Keys from the root object to the dictionary of tensors. */
  readonly path: readonly string[]
  readonly tensors: ReadonlyMap<string, TensorRef>
  /** Paths of the other dictionaries of tensors, which were not chosen. */
  readonly others: readonly string[]
  /** End of the requested path that names no dictionary, and may be the prefix of keys. */
  readonly rest: string
}

/**
 * Finds the tensors under `wanted`, keys joined by dots, or the best set: averaged weights restore better than those
 * they are averages of.
 * @throws RestoreError 'checkpoint' if there are none, or several that nothing distinguishes
 */
export function findTensors(root: PickleValue, wanted = ''): FoundTensors {
  const { value, path, rest } = follow(root, wanted)
  if (value instanceof PickleObject) {
    const tensors = scriptTensors(value)
    if (tensors.size === 0)
      throw malformed(
        `expected a dictionary of tensors, got ${describe(value)} without any (a frozen TorchScript module has none)`,
      )
    return { path, tensors, others: [], rest }
  }
  if (!(value instanceof Map)) throw malformed(`expected a dictionary of tensors, got ${describe(value)}`)
  const found = rest === '' ? descend(value, path) : { path, tensors: tensorsOf(value), others: [] }
  if (found.tensors.size > 0) return { ...found, rest }
  if (rest !== '')
    throw malformed(`expected a key '${rest}', found ${keysText(value)}${nearestPath(wanted, pathsOf(root))}`)
  throw malformed(`expected tensors, found ${keysText(value)}`)
}

/** Follows a path as far as dictionaries and modules go; keys may contain dots themselves. */
function follow(
  root: PickleValue,
  wanted: string,
): { readonly value: PickleValue; readonly path: readonly string[]; readonly rest: string } {
  const path: string[] = []
  let value = root
  let rest = wanted
  while (rest !== '') {
    const entries = entriesOf(value)
    const key = headsOf(rest).find((head) => {
      const child = entries?.get(head)
      return child instanceof Map || (child instanceof PickleObject && !(child instanceof TensorRef))
    })
    if (key === undefined) break
    path.push(key)
    value = entries?.get(key) ?? null
    rest = rest.slice(key.length + 1)
  }
  return { value, path, rest }
}

/** A path and its beginnings, longest first. */
function headsOf(path: string): readonly string[] {
  const parts = path.split('.', maxKeyLength)
  return parts.map((_, i) => parts.slice(0, parts.length - i).join('.'))
}

function descend(root: Map<PickleValue, PickleValue>, start: readonly string[]): Omit<FoundTensors, 'rest'> {
  const path = [...start]
  const others: string[] = []
  let value = root
  while (path.length < start.length + maxPathLength) {
    const sets = setsIn(value)
    const key = chooseSet(value, sets, path)
    if (key === undefined) break
    for (const other of sets) if (other !== key) others.push([...path, other].join('.'))
    path.push(key)
    value = value.get(key) as Map<PickleValue, PickleValue>
  }
  return { path, tensors: tensorsOf(value), others }
}

/** Selects the dictionary to descend into; undefined if the tensors are here, or nowhere. */
function chooseSet(
  value: Map<PickleValue, PickleValue>,
  sets: readonly string[],
  path: readonly string[],
): string | undefined {
  const averaged = sets.filter(isAveraged)
  if (averaged.length === 1) return averaged[0]
  const known = wellKnownKeys.find((name) => sets.includes(name))
  if (averaged.length === 0 && known !== undefined) return known
  if (averaged.length === 0 && tensorsOf(value).size > 0) return undefined
  if (sets.length > 1) throw severalSets(sets.map((name) => [...path, name].join('.')))
  return sets[0]
}

/** Keys of the dictionaries that hold tensors, directly or in dictionaries of their own. */
function setsIn(value: Map<PickleValue, PickleValue>): readonly string[] {
  const visited = new Set<PickleValue>()
  const holdsTensors = (child: PickleValue, depth: number): boolean => {
    if (!(child instanceof Map) || depth > maxPathLength || visited.has(child)) return false
    visited.add(child)
    if (tensorsOf(child).size > 0) return true
    return [...child].some(([key, inner]) => typeof key === 'string' && holdsTensors(inner, depth + 1))
  }
  return [...value].flatMap(([key, child]) =>
    typeof key === 'string' && holdsTensors(child, 0) ? [key] : [],
  )
}

/** Paths of all dictionaries with tensors, and of the beginnings of keys in them. */
function pathsOf(root: PickleValue, path: readonly string[] = []): readonly string[] {
  if (!(root instanceof Map) || path.length > maxPathLength) return []
  const beginnings = new Set([...tensorsOf(root).keys()].map((key) => key.split('.', 1).join()))
  return [
    ...[...setsIn(root), ...beginnings].map((name) => [...path, name].join('.')),
    ...setsIn(root).flatMap((name) => pathsOf(root.get(name) ?? null, [...path, name])),
  ]
}

/** Tensors of a state dict; other values are not weights. */
function tensorsOf(value: Map<PickleValue, PickleValue>): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>()
  for (const [key, child] of value) {
    if (typeof key === 'string' && child instanceof TensorRef) tensors.set(key, child)
  }
  return tensors
}

/**
 * Tensor attributes of a module and its submodules, with keys joined by dots:
 * `state_dict()` plus plain tensors.
 */
function scriptTensors(root: PickleObject): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>()
  const pending = [{ module: root, prefix: '', depth: 0 }]
  let entries = 0
  while (pending.length > 0) {
    const { module, prefix, depth } = pending.pop()!
    entries += module.attributes.size
    if (depth > maxModuleDepth || entries > maxModuleEntries || prefix.length > maxKeyLength) {
      throw malformed(
        `the modules of ${describe(root)} are nested too deep or refer to each other in a cycle`,
      )
    }
    const children = []
    for (const [name, child] of module.attributes) {
      if (typeof name !== 'string' || name.length > maxKeyLength) continue
      if (child instanceof TensorRef) tensors.set(prefix + name, child)
      else if (child instanceof PickleObject) {
        children.push({ module: child, prefix: `${prefix}${name}.`, depth: depth + 1 })
      }
    }
    for (const child of children.reverse()) pending.push(child)
  }
  return tensors
}

function entriesOf(value: PickleValue): ReadonlyMap<PickleValue, PickleValue> | undefined {
  if (value instanceof Map) return value
  return value instanceof PickleObject ? value.attributes : undefined
}

function keysText(value: PickleValue): string {
  const keys = [...(entriesOf(value)?.keys() ?? [])].filter((key) => typeof key === 'string')
  if (keys.length === 0) return `${describe(value)} without keys`
  return `the keys ${listNames(keys)}`
}
