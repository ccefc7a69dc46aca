// Infers a network's options from the shapes of checkpoint keys.

import { RestoreError } from '../core/errors.ts'

export type KeyShapes = ReadonlyMap<string, readonly number[]>

/** Reads sizes and counts from key shapes; errors name the network. */
export function shapeReader(network: string, shapes: KeyShapes) {
  return {
    /** Size of one dimension of a required key. */
    size: (key: string, dim: number): number => {
      const found = shapes.get(key)?.[dim]
      if (found !== undefined) return found
      throw new RestoreError('checkpoint', `${network}: expected a key ${key}, found none`)
    },
    /** Number of keys `list`.0.`suffix`, `list`.1.`suffix` and so on. */
    count: (list: string, suffix: string): number => {
      let items = 0
      while (shapes.has(`${list}.${items}.${suffix}`)) items++
      return items
    },
  }
}
