// Plans how a picture is tiled: whole if it fits and the network gains from that, else in tiles that fit.

import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import type { InputSize, Memory, Tiling } from '../../models/networkDescriptor.ts'
import { averagedAxis, blendedAxis, checkOverlap, type TileAxis, type TileOptions } from './tile.ts'

/** Options that control tiling. */
export interface TileRequest {
  /**
   * Largest side of a tile in pixels; 'none' for the whole picture, 'auto' by free memory.
   * @default 'auto'
   */
  readonly tile?: 'auto' | 'none' | number | undefined
  /**
   * Minimum overlap of neighboring tiles, in pixels.
   * @default a quarter of the tile, up to the network's limit
   */
  readonly overlap?: number | undefined
  /** 'smooth' blends tiles; 'official' tiles like the network's authors, for parity. @default 'smooth' */
  readonly blend?: 'smooth' | 'official' | undefined
}

/** Tiles of a picture. */
export interface TilePlan {
  readonly rows: TileAxis
  readonly columns: TileAxis
  readonly batch: number
  /** Side of the tiles; undefined for the whole picture. */
  readonly tilePx: number | undefined
}

/** Everything a plan depends on besides the caller's options. */
export interface TilePlanInput {
  readonly width: number
  readonly height: number
  readonly size: InputSize
  readonly memory: Memory
  /** Sides of tiles are multiples of this. @default size.multipleOf */
  readonly tileMultipleOf?: number | undefined
  readonly tiling: Tiling
  readonly scale: number
  /** Memory that a run of the network may take. */
  readonly budgetBytes: number
  /** Largest side to use, after larger ones ran out of memory. */
  readonly maxTilePx?: number | undefined
}

/** Smallest tile; smaller ones would be mostly overlap. */
const minTilePx = 64

/**
 * Plans the tiles of a picture; the axes cover the picture padded for the network.
 * @throws RestoreError 'usage' for a tile or an overlap that the network cannot use
 */
export function planTiles(input: TilePlanInput, request: TileRequest): TilePlan {
  const { size, tiling, scale } = input
  const { multipleOf, minimum, fixedSide } = size
  const [height, width] = [input.height, input.width].map((side) =>
    Math.max(roundUp(side, multipleOf), fixedSide ?? minimum),
  ) as [number, number]
  const tilePx = tileSide(request, { ...input, width, height })
  if (tilePx === undefined) {
    const whole = (length: number) => averagedAxis(length, length, 0, scale)
    return { rows: whole(height), columns: whole(width), batch: 1, tilePx }
  }
  const shorter = Math.min(tilePx, width, height)
  const overlapPx =
    request.overlap ??
    (fixedSide
      ? Math.min(tiling.overlapPx, Math.floor(fixedSide / 3))
      : defaultOverlap(shorter, tiling.overlapPx))
  checkOverlap({ tilePx, overlapPx }, shorter)
  const unit = input.tileMultipleOf ?? multipleOf
  const axis = (length: number) => {
    if (request.blend === 'official') return averagedAxis(length, shorter, overlapPx, scale)
    if (fixedSide !== undefined) return blendedAxis(length, { tilePx: fixedSide, overlapPx }, { scale })
    return fittedAxis(length, { tilePx: Math.min(tilePx, length), overlapPx }, { scale, unit })
  }
  return { rows: axis(height), columns: axis(width), batch: tiling.batch, tilePx }
}

/**
 * Covers a line with as few tiles as possible, no larger than needed, so that they share little more than the
 * overlap.
 * If there is room, they start at multiples of `unit`, aligned with the network's grid on the whole picture.
 */
function fittedAxis(
  length: number,
  { tilePx, overlapPx }: TileOptions,
  { scale, unit }: { readonly scale: number; readonly unit: number },
): TileAxis {
  const count = Math.max(1, Math.ceil((length - overlapPx) / (tilePx - overlapPx)))
  const step = Math.ceil((length - overlapPx) / count)
  const aligned = roundUp(overlapPx + roundUp(step, unit), unit)
  const side = aligned <= tilePx ? aligned : Math.min(tilePx, roundUp(overlapPx + step, unit))
  return blendedAxis(length, { tilePx: side, overlapPx }, { scale, unit: aligned <= tilePx ? unit : 1 })
}

/** Side of the tiles, as requested or by free memory; undefined for the whole picture. */
function tileSide({ tile = 'auto' }: TileRequest, input: TilePlanInput): number | undefined {
  const { width, height, size, memory, tiling, budgetBytes, maxTilePx = Number.POSITIVE_INFINITY } = input
  const { fixedSide } = size
  if (fixedSide !== undefined) {
    if (typeof tile !== 'number' || tile === fixedSide) return fixedSide
    throw new RestoreError('usage', `tile: expected ${fixedSide}, the only side of this network, got ${tile}`)
  }
  const multipleOf = input.tileMultipleOf ?? size.multipleOf
  if (tile === 'none') return undefined
  if (tile !== 'auto') {
    if (Number.isInteger(tile) && tile > 0 && tile % multipleOf === 0) return tile
    throw new RestoreError('usage', `tile: expected a multiple of ${multipleOf} pixels, got ${tile}`)
  }
  const { fixedBytes, bytesPerPixel } = memory
  const pixels = Math.max(0, budgetBytes - fixedBytes) / bytesPerPixel
  const fitting = Math.max(minTilePx, Math.floor(Math.min(Math.sqrt(pixels), tiling.tilePx, maxTilePx)))
  const side = Math.max(multipleOf, fitting - (fitting % multipleOf))
  const isSmall = width <= side && height <= side
  const isWhole =
    tiling.whole === 'preferred' && width * height <= pixels && Math.max(width, height) <= maxTilePx
  return isSmall || isWhole ? undefined : side
}

/** Tile side to try after running out of memory; undefined if tiles cannot get smaller. */
export function nextSmallerTile({ rows, columns }: TilePlan, multipleOf: number): number | undefined {
  const side = Math.max(rows.tile, columns.tile) / 2
  const smaller = Math.floor(side / multipleOf) * multipleOf
  return smaller < Math.max(minTilePx, multipleOf) ? undefined : smaller
}

/** Default overlap: a quarter of the tile in steps of 8, at most `maxPx`. */
export function defaultOverlap(tilePx: number, maxPx = 32): number {
  return Math.min(maxPx, 8 * Math.round(tilePx / 32), tilePx - 1)
}
