// Parts of a result to be shown while the rest is computed.

import type { Image } from '../../data/image.ts'
import type { Extent } from '../../data/parts.ts'

/** A part of a result, as 8-bit RGBA for a canvas. */
export interface RestoredTile {
  /** Place in the result, in pixels. */
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  readonly data: Uint8ClampedArray<ArrayBuffer>
}

/** Converts planes for a canvas, without what reaches beyond the result. */
export function restoredTile(
  { left, top, image }: { readonly left: number; readonly top: number; readonly image: Image },
  { width, height }: Extent,
): RestoredTile {
  const size = { width: Math.min(image.width, width - left), height: Math.min(image.height, height - top) }
  const data = new Uint8ClampedArray(4 * size.width * size.height).fill(255)
  const plane = image.width * image.height
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const [from, to] = [y * image.width + x, 4 * (y * size.width + x)]
      for (let c = 0; c < 3; c++) data[to + c] = 255 * image.data[(c % image.channels) * plane + from]!
    }
  }
  return { left, top, ...size, data }
}
