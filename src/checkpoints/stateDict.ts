// Finds the tensors in the object of a PyTorch file: a bare state dict, one under a
// well-known key, or a TorchScript module.

import { TensorRef } from './allowedGlobals.ts'
import { malformed } from './checkpoint.ts'
import { describe, PickleObject, type PickleValue } from './unpickle.ts'

/**
 * Keys under which training programs store weights; averaged ones (`params_ema`) come
 * before `params` as they restore better.
 */
const wellKnownKeys = [
  'state_dict',
  'params_ema',
  'params',
  'model_state_dict',
  'model',
  'network',
  'net',
] as const

/** Key prefixes of network wrappers: DataParallel and torch.compile. */
const wrapperPrefixes = ['module.', '_orig_mod.']

// Limits against files whose objects refer to each other in cycles; real files stay far below.
const maxPathLength = 8
const maxPrefixes = 4
const maxModuleDepth = 64
const maxModuleEntries = 1_000_000
const maxKeyLength = 512

export interface NamedTensors {
  readonly path: readonly string[]
  readonly tensors: ReadonlyMap<string, TensorRef>
}

/** Finds the tensors under `path`, or under well-known keys. */
export function findTensors(root: PickleValue, path?: readonly string[]): NamedTensors {
  let value = root
  for (const key of path ?? []) {
    const next = entriesOf(value)?.get(key)
    if (next === undefined) throw malformed(`expected a key '${key}', found ${keysText(value)}`)
    value = next
  }
  if (value instanceof PickleObject) {
    const tensors = scriptTensors(value)
    if (tensors.size === 0)
      throw malformed(
        `expected a dictionary of tensors, got ${describe(value)} without any (a frozen TorchScript module has none)`,
      )
    return { path: path ?? [], tensors }
  }
  if (!(value instanceof Map)) throw malformed(`expected a dictionary of tensors, got ${describe(value)}`)
  const found = path ? { path, tensors: tensorsOf(value) } : descend(value)
  if (found.tensors.size === 0) throw malformed(`expected tensors, found ${keysText(value)}`)
  return found
}

function descend(root: Map<PickleValue, PickleValue>): NamedTensors {
  const path: string[] = []
  let value = root
  while (path.length < maxPathLength) {
    const key = wellKnownKeys.find((name) => value.get(name) instanceof Map) ?? onlyKeyWithTensors(value)
    if (key === undefined) break
    path.push(key)
    value = value.get(key) as Map<PickleValue, PickleValue>
  }
  return { path, tensors: tensorsOf(value) }
}

/** The only key whose dictionary contains tensors, in a dictionary without tensors of its own. */
function onlyKeyWithTensors(value: Map<PickleValue, PickleValue>): string | undefined {
  const keys: string[] = []
  const visited = new Set<PickleValue>()
  for (const [key, child] of value) {
    if (child instanceof TensorRef) return undefined
    if (typeof key !== 'string' || !(child instanceof Map) || visited.has(child)) continue
    visited.add(child)
    if (tensorsOf(child).size > 0) keys.push(key)
  }
  if (keys.length > 1) {
    throw malformed(`contains several sets of tensors, under ${listKeys(keys)}; choose one by its path`)
  }
  return keys[0]
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

/** Strips wrapper prefixes that all keys share. */
export function stripPrefix<T>(tensors: ReadonlyMap<string, T>): { prefix: string; tensors: Map<string, T> } {
  const keys = [...tensors.keys()]
  let prefix = ''
  for (let count = 0; count < maxPrefixes && keys.length > 0; count++) {
    const next = wrapperPrefixes.find((wrapper) =>
      keys.every((key) => key.startsWith(prefix + wrapper) && key.length > prefix.length + wrapper.length),
    )
    if (next === undefined) break
    prefix += next
  }
  return { prefix, tensors: new Map([...tensors].map(([key, tensor]) => [key.slice(prefix.length), tensor])) }
}

function entriesOf(value: PickleValue): ReadonlyMap<PickleValue, PickleValue> | undefined {
  if (value instanceof Map) return value
  return value instanceof PickleObject ? value.attributes : undefined
}

function keysText(value: PickleValue): string {
  const keys = [...(entriesOf(value)?.keys() ?? [])].filter((key) => typeof key === 'string')
  if (keys.length === 0) return `${describe(value)} without keys`
  return `the keys ${listKeys(keys)}`
}

function listKeys(keys: readonly string[]): string {
  return keys.slice(0, 8).join(', ').slice(0, 400) + (keys.length > 8 ? ', …' : '')
}
