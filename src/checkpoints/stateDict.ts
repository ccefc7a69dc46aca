// Finds the tensors in what a PyTorch file holds: a bare state dict, one under a well-known key, or a TorchScript module.

import { TensorRef } from './allowedGlobals.ts'
import { malformed } from './stored.ts'
import { describe, PickleObject, type PickleValue } from './unpickle.ts'

/** Where training programs keep the weights; where there are averaged ones (`params_ema`), they restore better. */
const wellKnownKeys = [
  'state_dict',
  'params_ema',
  'params',
  'model_state_dict',
  'model',
  'network',
  'net',
] as const

/** What wrappers of a network put before every key: DataParallel, and torch.compile. */
const wrapperPrefixes = ['module.', '_orig_mod.']

const maxDepth = 64
const maxScriptTensors = 200_000

export interface NamedTensors {
  readonly path: readonly string[]
  readonly tensors: ReadonlyMap<string, TensorRef>
}

/** The tensors under `path`, or where they are usually found. */
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
      throw malformed(`expected a dictionary of tensors, got ${describe(value)} without any`)
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
  while (path.length < maxDepth) {
    const key = wellKnownKeys.find((name) => value.get(name) instanceof Map) ?? onlyKeyWithTensors(value)
    if (key === undefined) break
    path.push(key)
    value = value.get(key) as Map<PickleValue, PickleValue>
  }
  return { path, tensors: tensorsOf(value) }
}

/** The one key whose dictionary holds tensors, in a dictionary without tensors of its own. */
function onlyKeyWithTensors(value: Map<PickleValue, PickleValue>): string | undefined {
  const keys: string[] = []
  for (const [key, child] of value) {
    if (child instanceof TensorRef) return undefined
    if (typeof key === 'string' && child instanceof Map && tensorsOf(child).size > 0) keys.push(key)
  }
  if (keys.length > 1) {
    throw malformed(`holds several sets of tensors, under ${keys.join(', ')}; choose one by its path`)
  }
  return keys[0]
}

/** The tensors of a state dict; values of other kinds are no weights. */
function tensorsOf(value: Map<PickleValue, PickleValue>): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>()
  for (const [key, child] of value) {
    if (typeof key === 'string' && child instanceof TensorRef) tensors.set(key, child)
  }
  return tensors
}

/** Tensor attributes of a module and of those in it, keys joined by dots: what `state_dict()` gives, plus plain tensors. */
function scriptTensors(root: PickleObject): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>()
  const pending = [{ module: root, prefix: '', depth: 0 }]
  for (let visited = 0; pending.length > 0; visited++) {
    const { module, prefix, depth } = pending.pop()!
    if (depth > maxDepth || visited > maxScriptTensors || tensors.size > maxScriptTensors) {
      throw malformed(`${describe(root)} has modules nested ${maxDepth} deep or in too many places`)
    }
    const children = []
    for (const [name, child] of module.attributes) {
      if (typeof name !== 'string') continue
      if (child instanceof TensorRef) tensors.set(prefix + name, child)
      else if (child instanceof PickleObject) {
        children.push({ module: child, prefix: `${prefix}${name}.`, depth: depth + 1 })
      }
    }
    pending.push(...children.reverse())
  }
  return tensors
}

/** Strips what wrappers put before every key. */
export function stripPrefix<T>(tensors: ReadonlyMap<string, T>): { prefix: string; tensors: Map<string, T> } {
  const keys = [...tensors.keys()]
  let prefix = ''
  for (;;) {
    const next = wrapperPrefixes.find((wrapper) =>
      keys.every((key) => key.startsWith(prefix + wrapper) && key.length > prefix.length + wrapper.length),
    )
    if (next === undefined || keys.length === 0) break
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
  return `the keys ${keys.slice(0, 8).join(', ').slice(0, 400)}${keys.length > 8 ? ', …' : ''}`
}
