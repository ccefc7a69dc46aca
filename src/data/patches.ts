// Cuts random crops from decoded images, rotated and mirrored; only the crop is converted to float planes.
// Restormer, basicsr/data/transforms.py: padding (OpenCV's BORDER_REFLECT), random_crop, random_augmentation.

import { RestoreError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { type Image, type Pixels, peakOf } from './image.ts'

/**
 * Rotation and flip, numbered as in Restormer: 0 unchanged, 2, 4 and 6 rotated counterclockwise by 90, 180
 * and 270 degrees; odd modes are the preceding one flipped upside down.
 */
export type Dihedral = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

/** Where to crop an image, and how to rotate and flip the crop. */
export interface Place {
  readonly top: number
  readonly left: number
  /** Side of the square, in pixels. */
  readonly sidePx: number
  /** Orientation: one of eight flips and rotations. */
  readonly mode: Dihedral
}

/** Draws a random position and mode (mode 0 if `isUpright`); a side shorter than the crop starts at 0. */
export function drawPlace(
  { width, height }: { readonly width: number; readonly height: number },
  sidePx: number,
  random: Random,
  { isUpright = false }: { readonly isUpright?: boolean } = {},
): Place {
  const top = random.integer(Math.max(height - sidePx, 0) + 1)
  const left = random.integer(Math.max(width - sidePx, 0) + 1)
  return { top, left, sidePx, mode: isUpright ? 0 : (random.integer(8) as Dihedral) }
}

/** Maps a place to an image `scale` times as large. */
export function scalePlace({ top, left, sidePx, mode }: Place, scale: number): Place {
  return { top: top * scale, left: left * scale, sidePx: sidePx * scale, mode }
}

/**
 * Cuts a crop as planes [channels side side] in [0, 1], without alpha. Beyond the right and bottom edges the
 * image is mirrored, including the edge pixel. Gray is repeated to fill `channels`.
 */
export function cutPatch(pixels: Pixels, place: Place, channels: number = pixels.channels): Image {
  if (channels !== pixels.channels && pixels.channels !== 1) {
    throw new RestoreError(
      'shape',
      `patch: expected an image with ${channels} channel(s), got ${pixels.channels}; convert it first`,
    )
  }
  const { sidePx: side, mode } = place
  const plane = side * side
  const data = new Float32Array(channels * plane)
  const { width, height, data: samples } = pixels
  const step = pixels.channels + (pixels.hasAlpha ? 1 : 0)
  const rows = mirroredOffsets(place.top, side, height, width * step)
  const columns = mirroredOffsets(place.left, side, width, step)
  const { isTransposed, flipsRows, flipsColumns } = orientations[mode]
  if (flipsRows) rows.reverse()
  if (flipsColumns) columns.reverse()
  // Source offsets for each patch row and column; transposing swaps the axes.
  const [down, right] = isTransposed ? [columns, rows] : [rows, columns]
  const toUnit = unitTable(samples)
  for (let c = 0; c < pixels.channels; c++) {
    let at = c * plane
    for (let y = 0; y < side; y++) {
      const from = down[y]! + c
      for (let x = 0; x < side; x++) data[at++] = toUnit[samples[from + right[x]!]!]!
    }
  }
  for (let c = pixels.channels; c < channels; c++) data.copyWithin(c * plane, 0, plane)
  return { width: side, height: side, channels, data }
}

interface Orientation {
  /** Whether patch rows are image columns. */
  readonly isTransposed: boolean
  /** Whether the image's rows and columns are read in reverse. */
  readonly flipsRows: boolean
  readonly flipsColumns: boolean
}

const orientation = (isTransposed: boolean, flipsRows: boolean, flipsColumns: boolean): Orientation => {
  return { isTransposed, flipsRows, flipsColumns }
}

const orientations: Readonly<Record<Dihedral, Orientation>> = {
  0: orientation(false, false, false),
  1: orientation(false, true, false),
  2: orientation(true, false, true),
  3: orientation(true, false, false),
  4: orientation(false, true, true),
  5: orientation(false, false, true),
  6: orientation(true, true, false),
  7: orientation(true, true, true),
}

/** Sample offsets of `count` rows or columns from `start`, mirrored beyond `size`. */
function mirroredOffsets(start: number, count: number, size: number, stride: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => {
    const at = (start + i) % (2 * size)
    return (at < size ? at : 2 * size - 1 - at) * stride
  })
}

const unitTables = new Map<number, Float32Array>()

/** Table that maps each integer sample to [0, 1]. */
function unitTable(samples: Uint8Array | Uint16Array): Float32Array {
  const peak = peakOf(samples)
  let table = unitTables.get(peak)
  if (!table) {
    table = Float32Array.from({ length: peak + 1 }, (_, value) => value / peak)
    unitTables.set(peak, table)
  }
  return table
}
