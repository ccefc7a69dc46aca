// Restormer's official tiling (swz30/Restormer@df766d5 demo.py): equal tiles, plain average where they overlap.

import { RestoreError } from '../core/errors.ts'
import { crop, type Image } from '../data/image.ts'
import type { Builder } from '../registry/builders.ts'

export interface TileOptions {
  /** Side of a tile in pixels; the image's shorter side where that is less. */
  readonly tilePx: number
  /** Pixels that neighbours share. */
  readonly overlapPx: number
}

/** Pixels that neighbours share where nobody says: a quarter of the tile in steps of 8, at most 32. */
export function usualOverlap(tilePx: number): number {
  return Math.min(32, 8 * Math.round(tilePx / 32))
}

/** The side of tiles for an image whose estimated peak exceeds half of the free memory; else none, for the whole image. */
export function chooseTile(
  { width, height }: Pick<Image, 'width' | 'height'>,
  { fixedBytes, bytesPerPixel }: Builder['memory'],
  freeBytes: number,
): number | undefined {
  const tilePx = 512
  const peak = fixedBytes + bytesPerPixel * width * height
  // An image no larger than a tile would take as much in tiles.
  return peak <= freeBytes / 2 || width * height <= tilePx ** 2 ? undefined : tilePx
}

/** Starts of tiles that cover a line: every tile − overlap pixels, the last one at the end. */
export function tileOffsets(size: number, tile: number, overlap: number): number[] {
  const offsets: number[] = []
  for (let at = 0; at < size - tile; at += tile - overlap) offsets.push(at)
  return [...offsets, size - tile]
}

/** Restores tile by tile and averages where tiles overlap; `onTile` hears how many are done. */
export async function restoreTiles(
  image: Image,
  { tilePx, overlapPx }: TileOptions,
  forward: (tile: Image) => Promise<Image>,
  onTile: (done: number, total: number) => void = () => {},
): Promise<Image> {
  const side = Math.min(tilePx, image.height, image.width)
  if (!(Number.isInteger(tilePx) && Number.isInteger(overlapPx) && overlapPx >= 0 && overlapPx < side)) {
    const limit = side < tilePx ? `the image's shorter side ${side}` : `the tile ${tilePx}`
    throw new RestoreError(
      'usage',
      `tile: expected an overlap of whole pixels from 0 to below ${limit}, got ${overlapPx}`,
    )
  }
  const rows = tileOffsets(image.height, side, overlapPx)
  const columns = tileOffsets(image.width, side, overlapPx)
  const total = rows.length * columns.length
  let sum: Image | undefined
  let done = 0
  const hits = new Float32Array(image.height * image.width)
  for (const top of rows) {
    for (const left of columns) {
      const restored = await forward(crop(image, top, left, side, side))
      sum ??= {
        ...image,
        channels: restored.channels,
        data: new Float32Array(restored.channels * hits.length),
      }
      accumulate(sum, hits, restored, top, left)
      onTile(++done, total)
    }
  }
  const result = sum ?? image
  for (let i = 0; i < result.data.length; i++)
    result.data[i] = (result.data[i] as number) / (hits[i % hits.length] as number)
  return result
}

function accumulate(sum: Image, hits: Float32Array, tile: Image, top: number, left: number): void {
  for (let y = 0; y < tile.height; y++) {
    const row = (top + y) * sum.width + left
    for (let x = 0; x < tile.width; x++) hits[row + x] = (hits[row + x] as number) + 1
    for (let c = 0; c < tile.channels; c++) {
      const from = (c * tile.height + y) * tile.width
      const to = c * hits.length + row
      for (let x = 0; x < tile.width; x++)
        sum.data[to + x] = (sum.data[to + x] as number) + (tile.data[from + x] as number)
    }
  }
}
