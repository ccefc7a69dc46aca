// Plans how a picture is tiled: whole if it fits and the network gains from that, else in tiles that fit.

import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import { either, type OptionRules, oneOf, whole } from '../../core/options.ts'
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

/** More pixels than any picture has. */
const maxSidePx = 2 ** 24

export const tileRules: OptionRules<TileRequest> = {
  tile: either(oneOf(['auto', 'none']), whole(8, maxSidePx)),
  overlap: whole(0, maxSidePx),
  blend: oneOf(['smooth', 'official']),
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
  const { multipleOf, minimum, fixedTile } = size
  const atLeast = (side: number, fixed: number | undefined) =>
    Math.max(roundUp(side, multipleOf), fixed ?? minimum)
  const [height, width] = [atLeast(input.height, fixedTile?.[0]), atLeast(input.width, fixedTile?.[1])]
  const fixedSide = fixedTile && Math.min(...fixedTile)
  const { tile, overlap } = request
  const largest = typeof tile === 'number' ? tile : (fixedSide ?? Math.max(tiling.tilePx, minTilePx))
  // Also for a picture that needs no tiles: the next one may.
  if (overlap !== undefined) checkOverlap({ tilePx: largest, overlapPx: overlap }, largest)
  const tilePx = tileSide(request, { ...input, width, height })
  if (tilePx === undefined) {
    const whole = (length: number) => averagedAxis(length, length, 0, scale)
    return { rows: whole(height), columns: whole(width), batch: 1, tilePx }
  }
  const shorter = fixedSide ?? Math.min(tilePx, width, height)
  const overlapPx =
    overlap ??
    (fixedSide
      ? Math.min(tiling.overlapPx, Math.floor(fixedSide / 3))
      : defaultOverlap(shorter, tiling.overlapPx))
  checkOverlap({ tilePx, overlapPx }, shorter)
  const unit = input.tileMultipleOf ?? size.padToMultiple ?? multipleOf
  const axis = (length: number, fixed: number | undefined) => {
    if (request.blend === 'official') return averagedAxis(length, fixed ?? shorter, overlapPx, scale)
    if (fixed !== undefined) return blendedAxis(length, { tilePx: fixed, overlapPx }, { scale })
    // Padded as the network pads the whole picture, so that the last tile lies on its grid too.
    const padded = roundUp(length, size.padToMultiple ?? 1)
    return fittedAxis(padded, { tilePx: Math.min(tilePx, padded), overlapPx }, { scale, unit })
  }
  return {
    rows: axis(height, fixedTile?.[0]),
    columns: axis(width, fixedTile?.[1]),
    batch: tiling.batch,
    tilePx,
  }
}

/**
 * Covers a line with as few tiles as possible, no larger than needed, so that they share little more than the
 * overlap.
 * If there is room, they start at multiples of `unit`, on the grid that strides and windows of the network have on the whole picture: off it,
 * denoisers that halve the sides differ visibly from tile to tile.
 */
function fittedAxis(
  length: number,
  { tilePx, overlapPx }: TileOptions,
  { scale, unit }: { readonly scale: number; readonly unit: number },
): TileAxis {
  if (length <= tilePx) return blendedAxis(length, { tilePx: length, overlapPx }, { scale })
  const fewest = Math.ceil((length - overlapPx) / (tilePx - overlapPx))
  const stepOf = (count: number) => Math.ceil((length - overlapPx) / count)
  const onGrid = (step: number) => roundUp(overlapPx + roundUp(step, unit), unit)
  let count = fewest
  while (onGrid(stepOf(count)) > tilePx && stepOf(count) > unit) count++
  const aligned = onGrid(stepOf(count))
  if (aligned <= tilePx) return blendedAxis(length, { tilePx: aligned, overlapPx }, { scale, unit })
  const side = Math.min(tilePx, roundUp(overlapPx + stepOf(fewest), unit))
  return blendedAxis(length, { tilePx: side, overlapPx }, { scale })
}

/** Side of the tiles, as requested or by free memory; undefined for the whole picture. */
function tileSide({ tile = 'auto' }: TileRequest, input: TilePlanInput): number | undefined {
  const { width, height, size, memory, tiling, budgetBytes, maxTilePx = Number.POSITIVE_INFINITY } = input
  const { fixedTile } = size
  if (fixedTile) {
    const [rows, columns] = fixedTile
    const largest = Math.max(rows, columns)
    if (typeof tile !== 'number' || (tile === rows && tile === columns)) return largest
    const only =
      rows === columns
        ? `${rows}, the only side of this network`
        : `auto, as this network takes ${rows}x${columns} alone`
    throw new RestoreError('usage', `tile: expected ${only}, got ${tile}`)
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
