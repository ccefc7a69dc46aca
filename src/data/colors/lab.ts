// CIELAB samples of TIFF to sRGB: TIFF 6.0, section 23; the ICC's coding of them, TIFF Technical Note 4. White is D50.

import type { LabCoding } from '../formats/tiffPages.ts'
import { type Pixels, peakOf } from '../image.ts'
import { srgbEncode } from './curves.ts'
import type { FileColors } from './fileColors.ts'
import { srgbMatrix } from './iccProfile.ts'
import { apply, invert } from './matrix.ts'
import { d50 } from './matrixProfile.ts'

/** Colors of a file whose samples have been converted. */
export const labColors: FileColors = {
  channels: 3,
  icc: undefined,
  pngColors: undefined,
  notes: ['CIELAB was converted to sRGB'],
}

const toSrgb = invert(srgbMatrix)

/** Converts samples of L*, a* and b* to sRGB of the same depth; colors outside it are clipped, alpha stays. */
export function labToSrgb(pixels: Pixels, coding: LabCoding): Pixels {
  const { data: from, hasAlpha } = pixels
  const peak = peakOf(from)
  const unit = peak === 255 ? 1 : 256
  const white = coding === 'raised' && unit === 256 ? 0xff00 : peak
  const half = 128 * unit
  const signed = (value: number) =>
    (coding === 'raised' ? value - half : value < half ? value : value - 2 * half) / unit
  const data = from.slice()
  for (let at = 0; at < from.length; at += hasAlpha ? 4 : 3) {
    const y = ((100 * from[at]!) / white + 16) / 116
    const [x, z] = [y + signed(from[at + 1]!) / 500, y - signed(from[at + 2]!) / 200]
    const linear = apply(
      toSrgb,
      [x, y, z].map((value, i) => d50[i]! * cubed(value)),
    )
    for (let c = 0; c < 3; c++) {
      const clipped = Math.min(Math.max(linear[c]!, 0), 1)
      data[at + c] = Math.round(srgbEncode(clipped) * peak)
    }
  }
  return { ...pixels, data }
}

/** The inverse of CIE's cube root with a straight end: CIE 15:2004, 8.2.1. */
function cubed(value: number): number {
  return value > 6 / 29 ? value ** 3 : 3 * (6 / 29) ** 2 * (value - 4 / 29)
}
