// What the formats that Limpid decodes itself have in common: libvips is built without them.

import type { Pixels } from '../image.ts'
import type { Resolution } from './resolution.ts'

/** A profile, in the file or another one, or chromaticities of red, green and blue with the power of each. */
export type BitmapColors =
  | { readonly kind: 'embedded'; readonly icc: Uint8Array }
  | { readonly kind: 'linked' }
  | {
      readonly kind: 'calibrated'
      readonly primaries: readonly (readonly [x: number, y: number])[]
      readonly gammas: readonly number[]
    }

/** Header of a bitmap; `read` decodes its samples. */
export interface Bitmap {
  readonly format: 'bmp' | 'pnm'
  readonly width: number
  readonly height: number
  readonly depth: 8 | 16
  readonly resolution?: Resolution | undefined
  /** Colors that the header states; undefined for sRGB. */
  readonly colors?: BitmapColors | undefined
  readonly read: () => Pixels
}

export function checkSize(width: number, height: number): void {
  if (width < 1 || height < 1) throw new Error(`an image of ${width} × ${height} pixels; export it again`)
}

export function truncatedError(): Error {
  return new Error('a truncated file; download or export it again')
}
