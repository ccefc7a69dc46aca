// sRGB (IEC 61966-2-1) and linear light through tables: two passes over every pixel of a photo cost little.

import { srgbDecode, srgbEncode } from '../colors/curves.ts'

const steps = 4096

function table(curve: (value: number) => number): Float32Array {
  return Float32Array.from({ length: steps + 2 }, (_, i) => curve(Math.min(i / steps, 1)))
}

const linear = table(srgbDecode)

/** Over the square root of linear light, where the steps are fine enough for the dark. */
const encoded = table((root) => srgbEncode(root * root))

function read(curve: Float32Array, value: number): number {
  const at = value <= 0 ? 0 : value >= 1 ? steps : value * steps
  const i = Math.floor(at)
  const low = curve[i]!
  return low + (at - i) * (curve[i + 1]! - low)
}

/** Linear light of an sRGB value, both clamped to 0..1. */
export function toLight(value: number): number {
  return read(linear, value)
}

/** sRGB value of linear light, both clamped to 0..1. */
export function fromLight(light: number): number {
  return read(encoded, Math.sqrt(Math.max(light, 0)))
}
