// Restores a picture in overlapping tiles, from the top down. Rows are emitted once no further tile touches
// them, so memory holds only one row of tiles, however large the picture.

import { RestoreError } from '../../core/errors.ts'
import { inBands, nextTurn } from '../../core/rowBands.ts'
import type { NamedData } from '../../core/session.ts'
import { crop, type Image } from '../../data/image.ts'

/** Runs tiles of one size through a network; `inputs` are for this run only, such as the time of a step. */
export type RunTiles = (tiles: readonly Image[], inputs?: NamedData) => Promise<readonly Image[]>

/** Size and overlap of tiles. */
export interface TileOptions {
  /** Side of a tile in pixels, at most the shorter side of the image. */
  readonly tilePx: number
  /** Pixels that neighbors share. */
  readonly overlapPx: number
}

/** Tiles along one axis, in pixels of the input. */
export interface TileAxis {
  /** Length of the line to cover. */
  readonly length: number
  /** Side of every tile. */
  readonly tile: number
  readonly starts: readonly number[]
  /** For each tile, weights of the lines of its output [tile·scale]. */
  readonly weights: readonly Float32Array[]
}

/** Output of a tile, at its place in the result. */
export interface PlacedOutput {
  readonly left: number
  readonly top: number
  readonly image: Image
}

/** A picture to restore in tiles. */
export interface TileJob<T extends Image = Image> {
  readonly rows: TileAxis
  readonly columns: TileAxis
  /** Output side divided by input side. */
  readonly scale: number
  /** Tiles per run of the network, all from one row. */
  readonly batch: number
  /** Reads a part of the input [c h w]. */
  read(top: number, left: number, height: number, width: number): T
  run(tiles: readonly T[]): Promise<readonly Image[]>
  /** Receives finished rows of the output, from the top down; input rows above them are not read again. */
  emit(top: number, rows: Image): void
  /** Receives the number of tiles that are done, and the outputs of the last ones with their places. */
  readonly onTile?: ((done: number, total: number, last: readonly PlacedOutput[]) => void) | undefined
}

/** Starts of tiles that cover a line: every `tile − overlap` pixels, and the last at the end. */
export function tileOffsets(size: number, tile: number, overlap: number): number[] {
  const offsets: number[] = []
  for (let at = 0; at < size - tile; at += tile - overlap) offsets.push(at)
  return [...offsets, size - tile]
}

/** Lays out tiles like Restormer's authors (swz30/Restormer@df766d5 demo.py): overlaps are plain averages. */
export function averagedAxis(length: number, tile: number, overlap: number, scale: number): TileAxis {
  const starts = tileOffsets(length, tile, overlap)
  return { length, tile, starts, weights: starts.map(() => new Float32Array(tile * scale).fill(1)) }
}

/**
 * Lays out evenly spaced tiles that blend into each other: weights fall to zero at borders, so no seams show.
 * All but the last tile start at multiples of `unit`.
 */
export function blendedAxis(
  length: number,
  { tilePx: tile, overlapPx }: TileOptions,
  { scale, unit = 1 }: { readonly scale: number; readonly unit?: number },
): TileAxis {
  const gaps = Math.ceil((length - tile) / (tile - overlapPx))
  const starts = Array.from({ length: gaps + 1 }, (_, i) =>
    // Rounds up; otherwise the last gap, which ends off the grid, would be the widest.
    i === gaps ? length - tile : unit * Math.ceil((i * (length - tile)) / (gaps * unit)),
  )
  const shared = (i: number) => (tile - ((starts[i + 1] ?? 0) - (starts[i] ?? 0))) * scale
  const weights = starts.map((_, i) =>
    Float32Array.from({ length: tile * scale }, (_, line) => {
      const rise = i === 0 ? 1 : (line + 0.5) / shared(i - 1)
      const fall = i === gaps ? 1 : (tile * scale - line - 0.5) / shared(i)
      return Math.sin((Math.PI / 2) * Math.min(1, rise, fall)) ** 2
    }),
  )
  return { length, tile, starts, weights }
}

/** Tiles of one row that run together. */
interface TileBatch<T> {
  readonly row: number
  /** First column. */
  readonly first: number
  readonly tiles: readonly T[]
}

/**
 * Restores tile by tile; while the network runs, the previous outputs are blended and the next tiles read.
 */
export async function restoreInTiles<T extends Image>(job: TileJob<T>): Promise<void> {
  const { rows, columns, batch } = job
  const blender = new TileBlender(job)
  const firsts = columns.starts.flatMap((_, first) => (first % batch === 0 ? [first] : []))
  const places = rows.starts.flatMap((_, row) => firsts.map((first) => ({ row, first })))
  const read = (index: number): TileBatch<T> | undefined => {
    const place = places[index]
    if (!place) return undefined
    const lefts = columns.starts.slice(place.first, place.first + batch)
    const top = rows.starts[place.row]!
    return { ...place, tiles: lefts.map((left) => job.read(top, left, rows.tile, columns.tile)) }
  }
  const total = rows.starts.length * columns.starts.length
  let done = 0
  let index = 0
  let finished: { readonly batch: TileBatch<T>; readonly outputs: readonly Image[] } | undefined
  for (let current = read(0); current; ) {
    const running = job.run(current.tiles)
    // The error surfaces when the run is awaited.
    running.catch(() => {})
    await nextTurn()
    if (finished) await blender.add(finished.batch, finished.outputs)
    const next = read(++index)
    finished = { batch: current, outputs: await running }
    done += current.tiles.length
    job.onTile?.(done, total, placedOutputs(job, finished))
    current = next
  }
  if (finished) await blender.add(finished.batch, finished.outputs)
}

function placedOutputs<T extends Image>(
  { rows, columns, scale }: TileJob<T>,
  { batch: { row, first }, outputs }: { readonly batch: TileBatch<T>; readonly outputs: readonly Image[] },
): readonly PlacedOutput[] {
  const top = rows.starts[row]! * scale
  return outputs.map((image, i) => ({ left: columns.starts[first + i]! * scale, top, image }))
}

/** Blends outputs of tiles into rows. */
class TileBlender<T extends Image> {
  readonly #job: TileJob<T>
  readonly #rowTotals: Float32Array
  readonly #columnTotals: Float32Array
  #strip: Image | undefined

  constructor(job: TileJob<T>) {
    this.#job = job
    this.#rowTotals = totalWeights(job.rows, job.scale)
    this.#columnTotals = totalWeights(job.columns, job.scale)
  }

  async add({ row, first, tiles }: TileBatch<T>, outputs: readonly Image[]): Promise<void> {
    const { rows, columns, scale } = this.#job
    for (const [i, output] of outputs.entries()) {
      this.#strip ??= this.#begin(output)
      const weights = [rows.weights[row], columns.weights[first + i]] as const
      accumulate(this.#strip, output, columns.starts[first + i]! * scale, weights)
    }
    if (!this.#strip) throw new RestoreError('numeric', 'restore: expected a result of every tile, got none')
    if (first + tiles.length === columns.starts.length) await this.#emit(this.#strip, row)
  }

  #begin({ channels }: Image): Image {
    const { rows, columns, scale } = this.#job
    const height = rows.tile * scale
    const width = columns.length * scale
    return { width, height, channels, data: new Float32Array(channels * height * width) }
  }

  /** Emits rows that no further tile touches. */
  async #emit(strip: Image, row: number): Promise<void> {
    const { rows, scale, emit } = this.#job
    const top = rows.starts[row]! * scale
    const finished = (rows.starts[row + 1] ?? rows.length) * scale - top
    await inBands({ width: strip.width, height: finished }, (y, count) => {
      const band = crop(strip, y, 0, count, strip.width)
      divide(band, this.#rowTotals.subarray(top + y), this.#columnTotals)
      emit(top + y, band)
    })
    shiftUp(strip, finished)
  }
}

/** Total weight of all tiles of an axis on each line of the output. */
export function totalWeights(
  { length, starts, weights }: Pick<TileAxis, 'length' | 'starts' | 'weights'>,
  scale: number,
): Float32Array {
  const total = new Float32Array(length * scale)
  starts.forEach((start, i) => {
    weights[i]?.forEach((weight, line) => {
      const at = start * scale + line
      total[at] = total[at]! + weight
    })
  })
  return total
}

function accumulate(
  strip: Image,
  tile: Image,
  left: number,
  [rowWeights, columnWeights]: readonly [Float32Array | undefined, Float32Array | undefined],
): void {
  for (let c = 0; c < tile.channels; c++) {
    for (let y = 0; y < tile.height; y++) {
      const weight = rowWeights?.[y] as number
      const from = (c * tile.height + y) * tile.width
      const to = (c * strip.height + y) * strip.width + left
      for (let x = 0; x < tile.width; x++) {
        const value = weight * (columnWeights?.[x] as number) * tile.data[from + x]!
        strip.data[to + x] = strip.data[to + x]! + value
      }
    }
  }
}

function divide({ channels, height, width, data }: Image, rows: Float32Array, columns: Float32Array): void {
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const at = (c * height + y) * width
      for (let x = 0; x < width; x++) data[at + x] = data[at + x]! / (rows[y]! * columns[x]!)
    }
  }
}

/** Moves every plane up by `rows` rows and clears the rest. */
function shiftUp({ channels, height, width, data }: Image, rows: number): void {
  const plane = height * width
  for (let c = 0; c < channels; c++) {
    data.copyWithin(c * plane, c * plane + Math.min(rows, height) * width, (c + 1) * plane)
    data.fill(0, c * plane + Math.max(0, height - rows) * width, (c + 1) * plane)
  }
}

/** Checks that tiles advance. @throws RestoreError 'usage' for an overlap as large as the tile */
export function checkOverlap({ tilePx, overlapPx }: TileOptions, side: number): void {
  if (Number.isInteger(tilePx) && Number.isInteger(overlapPx) && overlapPx >= 0 && overlapPx < side) return
  const limit = side < tilePx ? `the image's shorter side ${side}` : `the tile ${tilePx}`
  throw new RestoreError(
    'usage',
    `tile: expected an overlap of whole pixels from 0 to below ${limit}, got ${overlapPx}`,
  )
}
