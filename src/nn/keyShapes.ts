// What the shapes of a checkpoint's keys tell of a network.

import { RestoreError } from '../core/errors.ts'

export type KeyShapes = ReadonlyMap<string, readonly number[]>

/** Reads the options of a network from shapes; its errors name the network. */
export function shapeReader(network: string, shapes: KeyShapes) {
  return {
    /** Size of a dimension of a key that must be there. */
    size: (key: string, dim: number): number => {
      const found = shapes.get(key)?.[dim]
      if (found !== undefined) return found
      throw new RestoreError('checkpoint', `${network}: expected a key ${key}, which is missing`)
    },
    /** Items of a list whose keys are `list`.0.`suffix`, `list`.1.`suffix` and so on. */
    count: (list: string, suffix: string): number => {
      let items = 0
      while (shapes.has(`${list}.${items}.${suffix}`)) items++
      return items
    },
  }
}
