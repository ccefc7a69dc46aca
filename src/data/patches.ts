// Random crops of decoded images as float planes, turned and mirrored on the way: only the crop is converted.
// Restormer, basicsr/data/transforms.py: padding with the edge repeated (OpenCV's BORDER_REFLECT), random_crop, random_augmentation.

import { RestoreError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { type Image, type Pixels, peakOf } from './image.ts'

/** Numbered as in Restormer: 0 as it is, 1 upside down, 2 a quarter turn to the left, 4 a half turn, 6 a quarter to the right; odd ones upside down after that. */
export type Dihedral = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

export interface Place {
  readonly top: number
  readonly left: number
  /** Side of the square, in pixels. */
  readonly sidePx: number
  readonly mode: Dihedral
}

/** Draws where to crop an image, and one of the eight modes; with `isUpright` mode 0. A side too short starts at 0. */
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

/** The same place in an image `scale` times as large. */
export function scalePlace({ top, left, sidePx, mode }: Place, scale: number): Place {
  return { top: top * scale, left: left * scale, sidePx: sidePx * scale, mode }
}

/**
 * A crop as planes in [0, 1]: [channels side side], opacity left out. Beyond the right and bottom edges the image is mirrored,
 * the edge itself repeated. Gray fills as many channels as asked for.
 */
export function cutPatch(pixels: Pixels, place: Place, channels: number = pixels.channels): Image {
  if (channels !== pixels.channels && pixels.channels !== 1) {
    throw new RestoreError(
      'shape',
      `patch: expected an image of ${channels} channels, got ${pixels.channels}; convert it`,
    )
  }
  const { sidePx: side, mode } = place
  const plane = side * side
  const data = new Float32Array(channels * plane)
  const { width, height, data: samples } = pixels
  const step = pixels.channels + (pixels.hasAlpha ? 1 : 0)
  const rows = mirroredFrom(place.top, side, height, width * step)
  const columns = mirroredFrom(place.left, side, width, step)
  const { isTransposed, flipsRows, flipsColumns } = turns[mode]
  if (flipsRows) rows.reverse()
  if (flipsColumns) columns.reverse()
  // Along the patch's y the source goes down, or where it is transposed to the right.
  const [down, right] = isTransposed ? [columns, rows] : [rows, columns]
  const unit = unitsOf(samples)
  for (let c = 0; c < pixels.channels; c++) {
    let at = c * plane
    for (let y = 0; y < side; y++) {
      const from = down[y]! + c
      for (let x = 0; x < side; x++) data[at++] = unit[samples[from + right[x]!]!]!
    }
  }
  for (let c = pixels.channels; c < channels; c++) data.copyWithin(c * plane, 0, plane)
  return { width: side, height: side, channels, data }
}

interface Turn {
  /** Rows of the patch are columns of the image. */
  readonly isTransposed: boolean
  /** The image's rows and columns are taken backwards. */
  readonly flipsRows: boolean
  readonly flipsColumns: boolean
}

const turn = (isTransposed: boolean, flipsRows: boolean, flipsColumns: boolean): Turn => {
  return { isTransposed, flipsRows, flipsColumns }
}

const turns: Readonly<Record<Dihedral, Turn>> = {
  0: turn(false, false, false),
  1: turn(false, true, false),
  2: turn(true, false, true),
  3: turn(true, false, false),
  4: turn(false, true, true),
  5: turn(false, false, true),
  6: turn(true, true, false),
  7: turn(true, true, true),
}

/** Offsets of `count` rows or columns from `start` on, mirrored beyond `size`. */
function mirroredFrom(start: number, count: number, size: number, stride: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => {
    const at = (start + i) % (2 * size)
    return (at < size ? at : 2 * size - 1 - at) * stride
  })
}

const units = new Map<number, Float32Array>()

/** What each integer is in [0, 1]. */
function unitsOf(samples: Uint8Array | Uint16Array): Float32Array {
  const peak = peakOf(samples)
  let table = units.get(peak)
  if (!table) {
    table = Float32Array.from({ length: peak + 1 }, (_, value) => value / peak)
    units.set(peak, table)
  }
  return table
}
