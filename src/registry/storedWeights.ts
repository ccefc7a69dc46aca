// Stored tensors as loading needs them: their shapes, and values that are read on demand.

import { loadTensor, type StoredTensor } from '../checkpoints/checkpoint.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import type { StoredTensors } from '../models/networkDescriptor.ts'
import type { KeyShapes } from '../nn/keyShapes.ts'
import type { WeightSource } from '../nn/module.ts'

/** Shapes of a checkpoint's tensors by key. */
export function shapesOf(tensors: StoredTensors): KeyShapes {
  return new Map([...tensors].map(([key, { shape }]) => [key, shape]))
}

/** A tensor whose values are read and converted when it is loaded. */
export function weightSource(stored: StoredTensor): WeightSource {
  return { shape: stored.shape, floats: () => toFloat32(loadTensor(stored)) }
}

/** Sources of tensors, without keys that a network ignores. */
export function weightSources(
  tensors: StoredTensors,
  ignoredKeys: readonly string[],
): ReadonlyMap<string, WeightSource> {
  const isIgnored = (key: string) =>
    ignoredKeys.some((ignored) => key === ignored || key.endsWith(`.${ignored}`))
  const kept = [...tensors].filter(([key]) => !isIgnored(key))
  return new Map(kept.map(([key, stored]) => [key, weightSource(stored)]))
}
