// How a picture is cut: whole where it fits and the network gains from it, else in tiles that fit.

import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import type { Builder, Memory } from '../../models/networkDescriptor.ts'
import type { Tiling } from '../../registry/tiling.ts'
import { type Axis, averagedAxis, blendedAxis, checkOverlap, type TileOptions } from './tile.ts'

export interface TileRequest {
  /** Largest side of a tile in pixels; 'none' for the whole picture, 'auto' by the memory that is free. */
  readonly tile?: 'auto' | 'none' | number | undefined
  /** Pixels that neighbors share, at least. */
  readonly overlap?: number | undefined
  /** 'smooth': tiles fade into one another. 'official': as the authors of the network do it, for parity. */
  readonly blend?: 'smooth' | 'official' | undefined
}

export interface TilePlan {
  readonly rows: Axis
  readonly columns: Axis
  readonly batch: number
  /** Largest side of the tiles; undefined for the whole picture. */
  readonly tilePx: number | undefined
}

export interface TilePlanInput {
  readonly width: number
  readonly height: number
  readonly size: Builder['size']
  readonly memory: Memory
  /** What sides of tiles are multiples of; what the network takes unless given. */
  readonly tileMultipleOf?: number | undefined
  readonly tiling: Tiling
  /** The only side that the network takes, where there is one. */
  readonly window: number | undefined
  readonly scale: number
  readonly freeBytes: number
  /** The largest side that memory turned out to suffice for. */
  readonly maxTilePx?: number | undefined
}

/** Tiles below this are mostly overlap. */
const smallestPx = 64

/** Lays out the tiles for a picture; the axes are those of the picture padded to what the network takes. */
export function planTiles(planned: TilePlanInput, request: TileRequest): TilePlan {
  const { size, tiling, window, scale } = planned
  const { multipleOf, minimum } = size
  const [height, width] = [planned.height, planned.width].map((side) =>
    Math.max(roundUp(side, multipleOf), window ?? minimum),
  ) as [number, number]
  const tilePx = sideOf(request, { ...planned, width, height })
  if (tilePx === undefined) {
    const whole = (length: number) => averagedAxis(length, length, 0, scale)
    return { rows: whole(height), columns: whole(width), batch: 1, tilePx }
  }
  const shorter = Math.min(tilePx, width, height)
  const overlapPx =
    request.overlap ??
    (window ? Math.min(tiling.overlapPx, Math.floor(window / 3)) : defaultOverlap(shorter, tiling.overlapPx))
  checkOverlap({ tilePx, overlapPx }, shorter)
  const unit = planned.tileMultipleOf ?? multipleOf
  const axis = (length: number) => {
    if (request.blend === 'official') return averagedAxis(length, shorter, overlapPx, scale)
    if (window !== undefined) return blendedAxis(length, { tilePx: window, overlapPx }, { scale })
    return fittedAxis(length, { tilePx: Math.min(tilePx, length), overlapPx }, { scale, unit })
  }
  return { rows: axis(height), columns: axis(width), batch: tiling.batch, tilePx }
}

/**
 * Tiles that cover a line, as few as of a given side, and no larger than they then have to be: they share little more than the overlap.
 * Where that leaves room they start at multiples of what the network takes, and see its grid where the whole picture would.
 */
function fittedAxis(
  length: number,
  { tilePx, overlapPx }: TileOptions,
  { scale, unit }: { readonly scale: number; readonly unit: number },
): Axis {
  const count = Math.max(1, Math.ceil((length - overlapPx) / (tilePx - overlapPx)))
  const step = Math.ceil((length - overlapPx) / count)
  const aligned = roundUp(overlapPx + roundUp(step, unit), unit)
  const side = aligned <= tilePx ? aligned : Math.min(tilePx, roundUp(overlapPx + step, unit))
  return blendedAxis(length, { tilePx: side, overlapPx }, { scale, unit: aligned <= tilePx ? unit : 1 })
}

/** A side for what is left of the memory, or none for the whole picture. */
function sideOf({ tile = 'auto' }: TileRequest, planned: TilePlanInput): number | undefined {
  const { width, height, size, memory, tiling, freeBytes, maxTilePx = Number.POSITIVE_INFINITY } = planned
  const { window } = planned
  if (window !== undefined) {
    if (typeof tile !== 'number' || tile === window) return window
    throw new RestoreError('usage', `tile: expected ${window}, the only side of this network, got ${tile}`)
  }
  const multipleOf = planned.tileMultipleOf ?? size.multipleOf
  if (tile === 'none') return undefined
  if (tile !== 'auto') {
    if (Number.isInteger(tile) && tile > 0 && tile % multipleOf === 0) return tile
    throw new RestoreError('usage', `tile: expected a multiple of ${multipleOf} pixels, got ${tile}`)
  }
  // Half: the estimate is one, and others need memory too.
  const { fixedBytes, bytesPerPixel } = memory
  const pixels = Math.max(0, freeBytes / 2 - fixedBytes) / bytesPerPixel
  const fitting = Math.max(smallestPx, Math.floor(Math.min(Math.sqrt(pixels), tiling.tilePx, maxTilePx)))
  const side = Math.max(multipleOf, fitting - (fitting % multipleOf))
  const isSmall = width <= side && height <= side
  const isWhole = tiling.whole === 'preferred' && width * height <= Math.min(pixels, maxTilePx ** 2)
  return isSmall || isWhole ? undefined : side
}

/** The side to try where one took more memory than there is; undefined where it cannot get smaller. */
export function nextSmallerTile({ rows, columns }: TilePlan, multipleOf: number): number | undefined {
  const side = Math.max(rows.tile, columns.tile) / 2
  const smaller = Math.floor(side / multipleOf) * multipleOf
  return smaller < Math.max(smallestPx, multipleOf) ? undefined : smaller
}

/** Pixels that neighbors share where nobody says: a quarter of the tile in steps of 8, at most what the network gains from. */
export function defaultOverlap(tilePx: number, mostPx = 32): number {
  return Math.min(mostPx, 8 * Math.round(tilePx / 32), tilePx - 1)
}
