// Pseudorandom inputs, equal to those of the scripts in test/golden/metrics, so that they need not be stored.

import { crc32 } from '../src/core/crc32.ts'
import { elementCount } from '../src/core/data.ts'

/** Numbers in [0, 1), determined by `key` and their positions. */
export function hashed(key: string, shape: readonly number[]): Float32Array {
  const seed = crc32(new TextEncoder().encode(key))
  const values = new Float32Array(elementCount(shape))
  for (let i = 0; i < values.length; i++) {
    let x = Math.imul(i + seed, 0x9e3779b1)
    x = Math.imul(x ^ (x >>> 15), 0x85ebca77)
    values[i] = ((x ^ (x >>> 13)) >>> 0) / 2 ** 32
  }
  return values
}
