// Lays out a picture for a network that restores at once: padding, tiles, and the run over them.

import type { RunOptions } from '../../core/session.ts'
import type { Image } from '../../data/image.ts'
import type { SamplingProgress } from '../jobs/progress.ts'
import type { Extent, Picture, ReadPart } from '../pictures/planeIO.ts'
import { blend, upscale } from '../pictures/upscale.ts'
import type { LoadedNetwork } from '../session/networkSessions.ts'
import { chop } from '../tiles/chop.ts'
import { prepareEnsemble } from '../tiles/selfEnsemble.ts'
import { type RunTiles, restoreInTiles, type TileJob } from '../tiles/tile.ts'
import { nextSmallerTile, planTiles, type TilePlanInput, type TileRequest } from '../tiles/tilePlan.ts'
import { prepareNetwork, windowRunner } from './prepareNetworks.ts'

/** Receives finished rows of a result, in order. */
export type Emit = TileJob['emit']

/** One attempt at a picture: reads it and keeps the result. */
export interface Attempt {
  readonly read: ReadPart
  readonly emit: Emit
  /** Keep each of several samples whose mean is the result. */
  readonly samples?: readonly { readonly emit: Emit }[]
}

/** How a picture goes through a network. */
export interface RestorationLayout {
  /** Size of the picture padded for the network. */
  readonly padded: Extent
  /** Channels the picture is read as. */
  readonly channels: number
  /** Side of the tiles; undefined for the whole picture. */
  readonly tilePx: number | undefined
  /** Side to try next when memory runs out; undefined where tiles cannot get smaller. */
  readonly nextSmallerTilePx: number | undefined
  restore(attempt: Attempt): Promise<RestorationOutcome>
}

export interface RestorationOutcome {
  /** Number of tiles, of each step where there are steps. */
  readonly tiles: number
  /** Standard deviation of several samples from one another [1 h w]. */
  readonly deviation?: Image
}

export interface LayoutRequest {
  readonly loaded: LoadedNetwork
  readonly picture: Extent
  readonly tiles: TileRequest
  readonly budget: Pick<TilePlanInput, 'budgetBytes' | 'maxTilePx'>
  readonly selfEnsemble: boolean
  readonly strength: number
  readonly run: RunOptions
  readonly onTile: (done: number, total: number, sampling?: SamplingProgress) => void
}

/** Lays out a picture in tiles that are each restored at once. */
export function layOutTiles(request: LayoutRequest): RestorationLayout {
  const { loaded, picture, tiles, budget, strength, onTile } = request
  const { size, scale, memory, tiling, channels } = loaded.network
  const { multipleOf, fixedSide } = size
  const plan = planTiles({ ...picture, ...budget, size, memory, tiling, scale }, tiles)
  const padded = { height: plan.rows.length, width: plan.columns.length }
  return {
    padded,
    channels: channels.input,
    tilePx: plan.tilePx,
    nextSmallerTilePx: fixedSide === undefined ? nextSmallerTile(plan, multipleOf) : undefined,
    restore: async ({ read, emit }) => {
      let count = 0
      const onCountedTile = (done: number, total: number) => {
        count = total
        onTile(done, total)
      }
      const run = blendTiles(await prepareRun(request, { ...padded, read }), strength, scale)
      if (fixedSide !== undefined && tiles.blend === 'official') {
        const whole = read(0, 0, padded.height, padded.width)
        const options = { windowPx: fixedSide, scale, batch: plan.batch, onWindow: onCountedTile }
        emit(0, await chop(whole, windowRunner(run), options))
      } else {
        const { rows, columns, batch } = plan
        await restoreInTiles({ rows, columns, batch, scale, read, run, emit, onTile: onCountedTile })
      }
      return { tiles: count }
    },
  }
}

/** Blends restored tiles with the picture, upscaled where the network upscales: `strength` (0..1) of the restoration. */
function blendTiles(run: RunTiles, strength: number, scale: number): RunTiles {
  if (strength === 1) return run
  return async (tiles) => {
    const outputs = await run(tiles)
    return outputs.map((output, i) => blend(output, upscale(tiles[i] as Image, scale), strength))
  }
}

/** Prepares the network for a picture, in all eight orientations if asked. */
export function prepareRun(
  { loaded, selfEnsemble, run }: LayoutRequest,
  picture: Picture,
): Promise<RunTiles> {
  const prepare = (one: Picture) => prepareNetwork(loaded, one, run)
  return selfEnsemble ? prepareEnsemble(prepare, picture) : prepare(picture)
}
