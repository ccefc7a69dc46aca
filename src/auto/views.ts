// What light-inspect is shown of a photo: crops in native resolution, and an overview.

import type { Image } from '../data/image.ts'
import { type PartedImage, partOf } from '../data/parts.ts'
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
export function overview(photo: Image | PartedImage): Image {
  return viewOf(photo, inspectPx)
}

/** A crop of a photo; beyond the right and bottom edges the photo is mirrored. */
export function cropAt(photo: Image | PartedImage, { top, left }: Corner, sidePx = inspectPx): Image {
  const { width, height, channels } = photo
  const inside = partOf(photo, top, left, Math.min(sidePx, height - top), Math.min(sidePx, width - left))
  if (inside.height === sidePx && inside.width === sidePx) return inside
  const out = new Float32Array(channels * sidePx * sidePx)
  const columns = Int32Array.from({ length: sidePx }, (_, x) => mirrored(x, inside.width))
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < sidePx; y++) {
      const from = (c * inside.height + mirrored(y, inside.height)) * inside.width
      const to = (c * sidePx + y) * sidePx
      for (let x = 0; x < sidePx; x++) out[to + x] = inside.data[from + columns[x]!]!
    }
  }
  return { width: sidePx, height: sidePx, channels, data: out }
}

/** Index of a sample beyond the end of a line, mirrored with the last one repeated. */
function mirrored(at: number, length: number): number {
  const phase = at % (2 * length)
  return phase < length ? phase : 2 * length - 1 - phase
}
