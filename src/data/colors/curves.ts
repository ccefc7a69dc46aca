// Tone curves: sRGB's (IEC 61966-2-1), and those of ICC profiles (ICC.1:2022, 10.6 curv and 10.18 para).

import { latin1, viewOf } from '../../core/data.ts'

/** Maps a sample to linear light, both in [0, 1]. */
export type Curve = (value: number) => number

/** sRGB's curve to linear light. */
export function srgbDecode(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
}

/** Inverse of {@link srgbDecode}. */
export function srgbEncode(linear: number): number {
  return linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055
}

/** Whether a curve stays within 0.75 of an 8-bit step of sRGB's everywhere. */
export function isSrgbCurve(curve: Curve | undefined): boolean {
  if (!curve) return false
  return Array.from({ length: 65 }, (_, i) => i / 64).every(
    (value) => Math.abs(srgbEncode(curve(value)) - value) < 0.75 / 255,
  )
}

/** Reads the curve of a tag; undefined if it is missing or malformed. */
export function curveOf(tag: Uint8Array | undefined): Curve | undefined {
  if (!tag || tag.length < 12) return undefined
  const view = viewOf(tag)
  const type = latin1(tag, 0, 4)
  if (type === 'para') return parametricCurve(view)
  if (type !== 'curv') return undefined
  const count = view.getUint32(8)
  if (count === 0) return (value) => value
  if (tag.length < 12 + count * 2) return undefined
  if (count === 1) return (value) => value ** (view.getUint16(12) / 256)
  const sample = (i: number) => view.getUint16(12 + i * 2) / 65535
  return (value) => {
    const position = value * (count - 1)
    const below = Math.min(Math.floor(position), count - 2)
    return sample(below) + (position - below) * (sample(below + 1) - sample(below))
  }
}

/** Parameters g a b c d e f by function type (table 68): y = (ax + b)^g + e for x ≥ d, cx + f below. */
function parametricCurve(view: DataView): Curve | undefined {
  const type = view.getUint16(8)
  const count = [1, 3, 4, 5, 7][type]
  if (count === undefined || view.byteLength < 12 + count * 4) return undefined
  const parameters = Array.from({ length: count }, (_, i) => view.getInt32(12 + i * 4) / 65536)
  const [g = 1, a = 1, b = 0, c = 0] = parameters
  const clamp = (value: number) => Math.min(Math.max(value, 0), 1)
  if (type === 0) return (x) => x ** g
  const power = (x: number) => Math.max(a * x + b, 0) ** g
  if (type === 1) return (x) => (x >= -b / a ? clamp(power(x)) : 0)
  if (type === 2) return (x) => clamp((x >= -b / a ? power(x) : 0) + c)
  const [d = 0, e = 0, f = 0] = parameters.slice(4)
  return (x) => clamp(x >= d ? power(x) + e : c * x + f)
}
