// Turns pixels upright by EXIF's orientation, where a decoder does not. Exif 3.0 (CIPA DC-008), section 4.6.5.

import type { Pixels } from './image.ts'

/** Whether rows of the stored picture are columns of the upright one. */
export const isTurned = (orientation: number) => orientation >= 5

/** Pixels upright; orientation 1 to 8, of which 1 and unknown ones change nothing. */
export function uprightPixels(pixels: Pixels, orientation: number): Pixels {
  if (!(orientation >= 2 && orientation <= 8)) return pixels
  const { width: across, height: down, channels, hasAlpha, data } = pixels
  const step = channels + (hasAlpha ? 1 : 0)
  const [width, height] = isTurned(orientation) ? [down, across] : [across, down]
  const out = data instanceof Uint16Array ? new Uint16Array(data.length) : new Uint8Array(data.length)
  const indexOf = (x: number, y: number) => {
    const [column, row] = storedPlace(orientation, x, y, across, down)
    return (row * across + column) * step
  }
  // The place is linear in x and y.
  const start = indexOf(0, 0)
  const [right, below] = [indexOf(1, 0) - start, indexOf(0, 1) - start]
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = start + y * below; x < width; x++, from += right, to += step)
      for (let c = 0; c < step; c++) out[to + c] = data[from + c]!
  }
  return { width, height, channels, hasAlpha, data: out }
}

/** A rectangle by its center and size, as shares of a picture's sides. */
interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** A rectangle of the stored picture as one of the upright picture. */
export function uprightBox(orientation: number, { x, y, width, height }: Box): Box {
  const [right, bottom] = [1 - x, 1 - y]
  const centers = [
    [x, y],
    [right, y],
    [right, bottom],
    [x, bottom],
    [y, x],
    [bottom, x],
    [bottom, right],
    [y, right],
  ] as const
  const [across, down] = centers[orientation - 1] ?? [x, y]
  return isTurned(orientation)
    ? { x: across, y: down, width: height, height: width }
    : { x: across, y: down, width, height }
}

/** Where the pixel of the upright picture is stored. */
function storedPlace(
  orientation: number,
  ...[x, y, across, down]: readonly [number, number, number, number]
): readonly [column: number, row: number] {
  const [right, bottom] = [across - 1, down - 1]
  switch (orientation) {
    case 2:
      return [right - x, y]
    case 3:
      return [right - x, bottom - y]
    case 4:
      return [x, bottom - y]
    case 5:
      return [y, x]
    case 6:
      return [y, bottom - x]
    case 7:
      return [right - y, bottom - x]
    default:
      return [right - y, x]
  }
}
