// Colors that a BMP states in headers of version 4 and 5: Microsoft, BITMAPV4HEADER and BITMAPV5HEADER.

import type { Bitmap } from '../formats/bitmap.ts'
import { type FileColors, type IsEmbeddable, usableProfile } from './fileColors.ts'
import { type CurveParameters, rgbProfile } from './matrixProfile.ts'

/** Finds the profile of a bitmap: embedded, or built from its calibrated primaries, whose white is taken for D65. */
export async function bitmapColors(
  { colors }: Pick<Bitmap, 'colors'>,
  channels: 1 | 3,
  isEmbeddable?: IsEmbeddable,
): Promise<Pick<FileColors, 'icc' | 'notes'>> {
  if (!colors) return { icc: undefined, notes: [] }
  if (colors.kind === 'linked') return leftOut('it is in another file')
  const profile = colors.kind === 'embedded' ? colors.icc : calibrated(colors)
  const usable = profile ? await usableProfile(profile, channels, isEmbeddable) : { fault: 'no colors' }
  return 'fault' in usable ? leftOut(usable.fault) : { icc: usable.icc, notes: [] }
}

function leftOut(reason: string): Pick<FileColors, 'icc' | 'notes'> {
  return { icc: undefined, notes: [`its color profile cannot be used and was left out (${reason})`] }
}

function calibrated({ primaries, gammas }: Extract<Bitmap['colors'], { kind: 'calibrated' }>) {
  const [red, green, blue] = primaries
  const white = [0.3127, 0.329] as const
  const curves = gammas.map((gamma): CurveParameters => [gamma])
  return rgbProfile('Calibrated RGB', { red: red!, green: green!, blue: blue!, white }, curves)
}
