// Converts between sRGB and linear light: by the formulas, and by tables that are many times faster and accurate to 8 bits.

import { power } from '../../core/exactMath.ts'

/** Converts sRGB (IEC 61966-2-1) to linear light. */
export function toLinear(value: number): number {
  return value <= 0.04045 ? value / 12.92 : power((value + 0.055) / 1.055, 2.4)
}

/** Converts linear light to sRGB. */
export function fromLinear(value: number): number {
  return value <= 0.0031308 ? value * 12.92 : 1.055 * power(value, 1 / 2.4) - 0.055
}

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
