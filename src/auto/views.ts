// What light-inspect is shown of a photo: crops in native resolution, and an overview.

import { crop, type Image } from '../data/image.ts'
import { viewOf } from '../data/tone/view.ts'

/** Side of the overview and of the crops in pixels. */
export const inspectPx = 192

/** Where a crop starts. */
export interface Corner {
  readonly top: number
  readonly left: number
}

/** Sides of JPEG's blocks: crops start where blocks do. */
const blockPx = 8

/**
 * Starts of crops of a side that cover or sample a photo evenly: up to 3 × 3, fewer where they would overlap by
 * half. A side of the photo shorter than a crop gives one.
 */
export function cropCorners(
  { width, height }: { readonly width: number; readonly height: number },
  sidePx: number,
): readonly Corner[] {
  const starts = (length: number) => {
    const room = Math.max(length - sidePx, 0)
    const count = Math.min(1 + Math.ceil(room / (sidePx / 2)), 3)
    return Array.from({ length: count }, (_, i) => {
      const at = (room * i) / Math.max(count - 1, 1)
      return Math.floor(at / blockPx) * blockPx
    })
  }
  return starts(height).flatMap((top) => starts(width).map((left) => ({ top, left })))
}

/** The overview of a photo [3 h w]: mean colors. */
export function overview(photo: Image): Image {
  return viewOf(photo, inspectPx)
}

/** A crop of a photo; beyond the right and bottom edges the photo is mirrored. */
export function cropAt(photo: Image, { top, left }: Corner, sidePx = inspectPx): Image {
  if (top + sidePx <= photo.height && left + sidePx <= photo.width)
    return crop(photo, top, left, sidePx, sidePx)
  const { width, height, channels, data } = photo
  const out = new Float32Array(channels * sidePx * sidePx)
  const columns = Int32Array.from({ length: sidePx }, (_, x) => mirrored(left + x, width))
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < sidePx; y++) {
      const from = (c * height + mirrored(top + y, height)) * width
      const to = (c * sidePx + y) * sidePx
      for (let x = 0; x < sidePx; x++) out[to + x] = data[from + columns[x]!]!
    }
  }
  return { width: sidePx, height: sidePx, channels, data: out }
}

/** Index of a sample beyond the end of a line, mirrored with the last one repeated. */
function mirrored(at: number, length: number): number {
  const phase = at % (2 * length)
  return phase < length ? phase : 2 * length - 1 - phase
}
