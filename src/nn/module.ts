// A module is any object whose fields hold tensors, modules or lists of them; the field
// names form the checkpoint keys.

import { allFinite, float32Data } from '../core/data.ts'
import { formatShape, sameShape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import { hostTensor } from '../core/hostBackend.ts'
import { Tensor } from '../core/tensor.ts'
import { listNames } from '../core/text.ts'

/** Visits every tensor of a module in field order; an aliased tensor is visited under each of its keys. */
function walk(
  node: unknown,
  path: string,
  visit: (key: string, tensor: Tensor, replace: (to: Tensor) => void) => void,
): void {
  if (typeof node !== 'object' || node === null || ArrayBuffer.isView(node)) return
  for (const [name, child] of Object.entries(node)) {
    const key = path === '' ? name : `${path}.${name}`
    if (child instanceof Tensor) {
      visit(key, child, (to) => {
        ;(node as Record<string, unknown>)[name] = to
      })
    } else walk(child, key, visit)
  }
}

/** Tensors by checkpoint key, in the official order. */
export function stateDict(module: object): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>()
  walk(module, '', (key, tensor) => tensors.set(key, tensor))
  return tensors
}

/** Trainable tensors by key; an aliased tensor is listed once. */
export function parameters(module: object): Map<string, Tensor> {
  const trainable = new Map<string, Tensor>()
  const visited = new Set<Tensor>()
  for (const [key, tensor] of stateDict(module)) {
    if (tensor.isTrainable && !visited.has(tensor)) trainable.set(key, tensor)
    visited.add(tensor)
  }
  return trainable
}

/** Total number of values in trainable tensors. */
export function parameterCount(module: object): number {
  let count = 0
  for (const tensor of parameters(module).values())
    count += tensor.shape.reduce<number>((n, size) => n * Number(size), 1)
  return count
}

/** Replaces every tensor with the result of `to`, to move or cast a model. Aliases stay aliases. */
export function mapTensors(module: object, to: (tensor: Tensor, key: string) => Tensor): void {
  const replaced = new Map<Tensor, Tensor>()
  walk(module, '', (key, tensor, replace) => {
    let next = replaced.get(tensor)
    if (!next) {
      next = to(tensor, key)
      next.key = key
      next.isTrainable = tensor.isTrainable
      replaced.set(tensor, next)
      // An aliased module is visited again after its tensors have been replaced.
      replaced.set(next, next)
    }
    replace(next)
  })
}

/** A tensor to load; its values are read on demand. */
export interface WeightSource {
  readonly shape: readonly number[]
  /** Reads the values as float32. */
  floats(): Float32Array
}

/**
 * Fills a module with a checkpoint's weights, as float32 in host memory. Strict: keys
 * and shapes must match exactly, and one error reports missing, unexpected and misshaped
 * keys together. An aliased tensor may be stored under any of its keys.
 * @param name file name for errors
 */
export function loadWeights(
  module: object,
  weights: ReadonlyMap<string, WeightSource>,
  name = 'weights',
): void {
  const expected = stateDict(module)
  const keys = keysOf(expected)
  checkKeys(name, expected, { keysOf: keys, weights })
  mapTensors(module, (tensor) => {
    const [first, ...aliases] = (keys.get(tensor) ?? []).flatMap((key) => {
      const source = weights.get(key)
      return source ? [{ key, values: finite(name, key, source) }] : []
    })
    if (!first) throw new RestoreError('checkpoint', `${name}: key ${keys.get(tensor)} is missing`)
    for (const { key, values } of aliases) {
      if (values.some((value, i) => value !== first.values[i])) {
        throw new RestoreError(
          'checkpoint',
          `${name}: expected equal values in keys ${first.key} and ${key}, which share one tensor, got different ones`,
        )
      }
    }
    return hostTensor(float32Data(first.values, tensor.shape as readonly number[]))
  })
}

/** Keys of every tensor; several if modules are aliased. */
function keysOf(tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<Tensor, readonly string[]> {
  const keys = new Map<Tensor, string[]>()
  for (const [key, tensor] of tensors) keys.set(tensor, [...(keys.get(tensor) ?? []), key])
  return keys
}

function finite(name: string, key: string, source: WeightSource): Float32Array {
  const values = source.floats()
  if (allFinite(values)) return values
  throw new RestoreError(
    'numeric',
    `${name}: expected finite values, got NaN or infinity in key ${key}; the file is damaged or its training failed`,
  )
}

interface LoadedKeys {
  readonly keysOf: ReadonlyMap<Tensor, readonly string[]>
  readonly weights: ReadonlyMap<string, WeightSource>
}

function checkKeys(
  name: string,
  expected: ReadonlyMap<string, Tensor>,
  { keysOf, weights }: LoadedKeys,
): void {
  const missing = [...keysOf.values()].flatMap((keys) =>
    keys.some((key) => weights.has(key)) ? [] : keys.join(' or '),
  )
  const unexpected = [...weights.keys()].filter((key) => !expected.has(key))
  const misshaped = [...expected].flatMap(([key, tensor]) => {
    const found = weights.get(key)
    if (!found || sameShape(found.shape, tensor.shape)) return []
    return [`${key} expected ${formatShape(tensor.shape)}, got ${formatShape(found.shape)}`]
  })
  const problems = [
    ...(missing.length > 0 ? [`missing ${list(missing)}`] : []),
    ...(unexpected.length > 0 ? [`unexpected ${list(unexpected)}`] : []),
    ...(misshaped.length > 0 ? [`misshaped ${list(misshaped)}`] : []),
  ]
  if (problems.length > 0) {
    throw new RestoreError(
      'checkpoint',
      `${name}: expected exactly the ${expected.size} keys of this network; ${problems.join('; ')}`,
    )
  }
}

function list(items: readonly string[]): string {
  return `${items.length}: ${listNames(items)}`
}
