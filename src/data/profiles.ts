// Reads ICC profiles: detects those equivalent to sRGB, and evaluates the tone curve of gray ones.
// ICC.1:2022 (profile version 4.4), sections 7, 10.6 (curv) and 10.18 (para). sharpRaster.ts converts RGB
// with libvips.

import { viewOf } from '../core/data.ts'

/**
 * Color space of a profile: sRGB, another RGB, gray with another curve, or anything else, invalid ones
 * included.
 */
export type ProfileKind = 'srgb' | 'rgb' | 'gray' | 'other'

type Curve = (value: number) => number

/** sRGB primaries in the profile connection space (D50): IEC 61966-2-1, Bradford-adapted. */
const srgbColorants = {
  rXYZ: [0.4361, 0.2225, 0.0139],
  gXYZ: [0.3851, 0.7169, 0.0971],
  bXYZ: [0.1431, 0.0606, 0.7141],
} as const

export function profileKind(profile: Uint8Array): ProfileKind {
  const tags = tagsOf(profile)
  if (!tags) return 'other'
  const space = latin1(profile, 16)
  if (space === 'GRAY') {
    const curve = curveOf(tags.get('kTRC'))
    if (!curve) return 'other'
    return isSrgbCurve(curve) ? 'srgb' : 'gray'
  }
  if (space !== 'RGB ') return 'other'
  const hasTable = tags.has('A2B0')
  const hasCurves = ['rTRC', 'gTRC', 'bTRC'].every((name) => isSrgbCurve(curveOf(tags.get(name))))
  const hasColorants = Object.entries(srgbColorants).every(([name, expected]) =>
    isNear(tags.get(name), expected),
  )
  return !hasTable && hasCurves && hasColorants ? 'srgb' : 'rgb'
}

/** Whether a profile is valid and fits images with this many color channels. */
export function profileFits(profile: Uint8Array, channels: number): boolean {
  return profileKind(profile) !== 'other' && latin1(profile, 16) === (channels === 1 ? 'GRAY' : 'RGB ')
}

/** Tables that map 16-bit samples of a gray profile to 16-bit sRGB and back; the curve must be monotone. */
export function grayTables(profile: Uint8Array): {
  readonly toSrgb: Uint16Array
  readonly fromSrgb: Uint16Array
} {
  const curve = curveOf(tagsOf(profile)?.get('kTRC')) ?? srgbDecode
  const toSrgb = Uint16Array.from({ length: 65536 }, (_, i) =>
    Math.round(srgbEncode(curve(i / 65535)) * 65535),
  )
  const fromSrgb = new Uint16Array(65536)
  let index = 0
  for (let value = 0; value < 65536; value++) {
    while (index < 65535 && distance(toSrgb, index + 1, value) <= distance(toSrgb, index, value)) index++
    fromSrgb[value] = index
  }
  return { toSrgb, fromSrgb }
}

function distance(table: Uint16Array, index: number, value: number): number {
  return Math.abs(table[index]! - value)
}

/** Maps tag names to their bytes; undefined if this is not a profile. */
function tagsOf(profile: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  if (profile.length < 132 || latin1(profile, 36) !== 'acsp') return undefined
  const view = viewOf(profile)
  const tags = new Map<string, Uint8Array>()
  const count = Math.min(view.getUint32(128), Math.floor((profile.length - 132) / 12))
  for (let i = 0; i < count; i++) {
    const entry = 132 + i * 12
    const start = view.getUint32(entry + 4)
    tags.set(latin1(profile, entry), profile.subarray(start, start + view.getUint32(entry + 8)))
  }
  return tags
}

function isNear(tag: Uint8Array | undefined, expected: readonly number[]): boolean {
  if (!tag || tag.length < 20 || latin1(tag, 0) !== 'XYZ ') return false
  const view = viewOf(tag)
  return expected.every((value, i) => Math.abs(view.getInt32(8 + i * 4) / 65536 - value) < 0.002)
}

/** Whether a curve stays within 0.75 of an 8-bit step of sRGB's everywhere. */
function isSrgbCurve(curve: Curve | undefined): boolean {
  if (!curve) return false
  return Array.from({ length: 65 }, (_, i) => i / 64).every(
    (value) => Math.abs(srgbEncode(curve(value)) - value) < 0.75 / 255,
  )
}

function curveOf(tag: Uint8Array | undefined): Curve | undefined {
  if (!tag || tag.length < 12) return undefined
  const view = viewOf(tag)
  const type = latin1(tag, 0)
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

function srgbDecode(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
}

function srgbEncode(linear: number): number {
  return linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055
}

function latin1(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4))
}
