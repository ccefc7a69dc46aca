// Compares tensors in tests and reports where they differ.

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

/**
 * Describes the largest difference of two tensors; undefined if dtype and shape are
 * equal and values are within tolerance.
 */
export function difference(
  actual: TensorData,
  expected: TensorData,
  tolerance: Tolerance,
): string | undefined {
  if (actual.dtype !== expected.dtype) return `expected dtype ${expected.dtype}, got ${actual.dtype}`
  if (actual.shape.join() !== expected.shape.join())
    return `expected shape [${expected.shape}], got [${actual.shape}]`
  const actualValues = numbersOf(actual)
  const expectedValues = numbersOf(expected)
  if (actualValues.length !== elementCount(expected.shape))
    return `expected ${expectedValues.length} values, got ${actualValues.length}`
  let worst = { excess: 0, at: -1 }
  for (let i = 0; i < expectedValues.length; i++) {
    const a = actualValues[i]!
    const b = expectedValues[i]!
    if (Object.is(a, b) || a === b) continue
    const excess = Math.abs(a - b) - tolerance.absolute - tolerance.relative * Math.abs(b)
    // An infinity or a NaN on one side only never is within tolerance.
    const isFar = !Number.isFinite(a) || !Number.isFinite(b)
    if (isFar || excess > worst.excess) worst = { excess: isFar ? Number.POSITIVE_INFINITY : excess, at: i }
    if (isFar) break
  }
  if (worst.at < 0) return undefined
  return `expected ${expectedValues[worst.at]} at element ${worst.at} of [${expected.shape}], got ${actualValues[worst.at]}`
}
