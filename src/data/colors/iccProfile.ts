// Reads ICC profiles: validates them, and tells how their samples relate to colors. ICC.1:2022 (profile
// version 4.4), sections 7.2 (header), 7.3 (tag table) and 9 (tags).

import { latin1, viewOf } from '../../core/data.ts'
import { type Curve, curveOf, isSrgbCurve } from './curves.ts'
import type { Matrix } from './matrix.ts'

/** A valid profile of gray or RGB samples. */
export interface IccProfile {
  /** How samples relate to colors: as in sRGB, by curves and a matrix, by a gray curve, or by tables. */
  readonly kind: 'srgb' | 'matrix' | 'gray' | 'table'
  /** Color channels it describes. */
  readonly channels: 1 | 3
  /** Curve of each channel to linear light; undefined if only tables tell. */
  readonly curves: readonly Curve[] | undefined
  /** From linear RGB to XYZ under D50; undefined for gray, and if only tables tell. */
  readonly matrix: Matrix | undefined
  /** The profile, without bytes that follow it in the file. */
  readonly bytes: Uint8Array
  readonly tags: ReadonlyMap<string, Uint8Array>
}

/** Why a profile cannot be used. */
export interface ProfileFault {
  readonly fault: string
}

/** From linear sRGB to XYZ under D50: IEC 61966-2-1, Bradford-adapted. */
export const srgbMatrix: Matrix = [0.4361, 0.3851, 0.1431, 0.2225, 0.7169, 0.0606, 0.0139, 0.0971, 0.7141]

/** Parses and validates a profile. */
export function readProfile(file: Uint8Array): IccProfile | ProfileFault {
  if (file.length < 132 || latin1(file, 36, 40) !== 'acsp') return { fault: 'not an ICC profile' }
  const size = viewOf(file).getUint32(0)
  if (size < 132 || size > file.length) return { fault: `${file.length} of ${size} bytes` }
  const bytes = file.subarray(0, size)
  const tags = tagsOf(bytes)
  if (!tags) return { fault: 'tags beyond its end' }
  const isOfDevice = ['scnr', 'mntr', 'prtr', 'spac'].includes(latin1(bytes, 12, 16))
  if (!isOfDevice || !['XYZ ', 'Lab '].includes(latin1(bytes, 20, 24)))
    return { fault: 'not of a device or color space' }
  const space = latin1(bytes, 16, 20)
  if (space === 'GRAY') return readGray(bytes, tags)
  if (space === 'RGB ') return readRgb(bytes, tags)
  return { fault: `made for ${space.trim()} samples` }
}

/** Maps tag names to their bytes; undefined if one lies outside the profile. */
function tagsOf(profile: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  const view = viewOf(profile)
  const tags = new Map<string, Uint8Array>()
  const count = view.getUint32(128)
  if (132 + count * 12 > profile.length) return undefined
  for (let entry = 132; entry < 132 + count * 12; entry += 12) {
    const start = view.getUint32(entry + 4)
    const end = start + view.getUint32(entry + 8)
    if (end > profile.length) return undefined
    tags.set(latin1(profile, entry, entry + 4), profile.subarray(start, end))
  }
  return tags
}

function readGray(bytes: Uint8Array, tags: IccProfile['tags']): IccProfile | ProfileFault {
  const curve = curveOf(tags.get('kTRC'))
  if (!curve) return { fault: 'no curve' }
  const kind = isSrgbCurve(curve) ? 'srgb' : 'gray'
  return { kind, channels: 1, curves: [curve], matrix: undefined, bytes, tags }
}

function readRgb(bytes: Uint8Array, tags: IccProfile['tags']): IccProfile | ProfileFault {
  const found = ['rTRC', 'gTRC', 'bTRC'].flatMap((name) => curveOf(tags.get(name)) ?? [])
  const curves = found.length === 3 ? found : undefined
  const rgb = { channels: 3, curves, bytes, tags } as const
  if (tags.has('A2B0') || tags.has('A2B1')) return { ...rgb, kind: 'table', matrix: undefined }
  const [red, green, blue] = ['rXYZ', 'gXYZ', 'bXYZ'].map((name) => xyzOf(tags.get(name)))
  if (!curves || !red || !green || !blue) return { fault: 'no curves or primaries' }
  const matrix = [0, 1, 2].flatMap((row) => [red[row]!, green[row]!, blue[row]!])
  const isSrgb = curves.every(isSrgbCurve) && matrix.every((v, i) => Math.abs(v - srgbMatrix[i]!) < 0.002)
  return { ...rgb, kind: isSrgb ? 'srgb' : 'matrix', matrix }
}

function xyzOf(tag: Uint8Array | undefined): readonly number[] | undefined {
  if (!tag || tag.length < 20 || latin1(tag, 0, 4) !== 'XYZ ') return undefined
  const view = viewOf(tag)
  return [8, 12, 16].map((at) => view.getInt32(at) / 65536)
}
