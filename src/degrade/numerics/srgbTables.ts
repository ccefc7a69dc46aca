// Converts between sRGB and linear light by tables: many times faster than the formulas, accurate to 8 bits.

import { fromLinear, toLinear } from '../camera.ts'

const steps = 4096

/** Tabulates a curve over [0, 1] for linear interpolation. */
export function tabulate(curve: (value: number) => number): (value: number) => number {
  const table = Float64Array.from({ length: steps + 2 }, (_, i) => curve(Math.min(i / steps, 1)))
  return (value) => {
    const at = Math.min(Math.max(value, 0), 1) * steps
    const i = Math.floor(at)
    return table[i]! + (at - i) * (table[i + 1]! - table[i]!)
  }
}

/** Converts sRGB to linear light, both clipped to [0, 1]. */
export const decodeSrgb = tabulate(toLinear)

/** sRGB encoding of the square root of linear light, which gives dark values fine enough table steps. */
const encodeRoot = tabulate((root) => fromLinear(root * root))

/** Converts linear light to sRGB, both clipped to [0, 1]. */
export function encodeSrgb(value: number): number {
  return encodeRoot(Math.sqrt(Math.max(value, 0)))
}
