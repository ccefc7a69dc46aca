// Compares tensors in tests, and says where they differ.

import { toFloat32 } from '../src/checkpoints/convert.ts'
import { elementCount, type TensorData, viewAs } from '../src/core/data.ts'

export interface Tolerance {
  readonly absolute: number
  readonly relative: number
}

export const exact: Tolerance = { absolute: 0, relative: 0 }

/** Values of any dtype as numbers. */
export function numbersOf(data: TensorData): ArrayLike<number> {
  const { bytes } = data
  if (data.dtype === 'float64') return viewAs(bytes, Float64Array)
  if (data.dtype === 'int64') return Float64Array.from(viewAs(bytes, BigInt64Array), Number)
  return toFloat32(data)
}

/** What tells two tensors apart: undefined where dtype and shape are equal and values are within tolerance. */
export function difference(
  actual: TensorData,
  expected: TensorData,
  tolerance: Tolerance,
): string | undefined {
  if (actual.dtype !== expected.dtype) return `expected dtype ${expected.dtype}, got ${actual.dtype}`
  if (actual.shape.join() !== expected.shape.join())
    return `expected shape [${expected.shape}], got [${actual.shape}]`
  const got = numbersOf(actual)
  const wanted = numbersOf(expected)
  if (got.length !== elementCount(expected.shape))
    return `expected ${wanted.length} values, got ${got.length}`
  let worst = { excess: 0, at: -1 }
  for (let i = 0; i < wanted.length; i++) {
    const a = got[i]!
    const b = wanted[i]!
    if (Object.is(a, b) || a === b) continue
    const excess = Math.abs(a - b) - tolerance.absolute - tolerance.relative * Math.abs(b)
    // An infinity or a NaN on one side only never is within tolerance.
    const isFar = !Number.isFinite(a) || !Number.isFinite(b)
    if (isFar || excess > worst.excess) worst = { excess: isFar ? Number.POSITIVE_INFINITY : excess, at: i }
    if (isFar) break
  }
  if (worst.at < 0) return undefined
  return `expected ${wanted[worst.at]} at element ${worst.at} of [${expected.shape}], got ${got[worst.at]}`
}
