// Lays out a picture for a network that restores in one pass: padding, tiles, and how to run them.

import type { RunOptions } from '../../core/session.ts'
import type { Image } from '../../data/image.ts'
import type { Extent, ReadPart } from '../../data/parts.ts'
import type { Finding } from '../../models/daclip/wordRanking.ts'
import type { SamplingProgress } from '../jobs/progress.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import { blend, upscale } from '../pictures/resample.ts'
import type { LoadedNetwork } from '../session/networkSessions.ts'
import { chop } from '../tiles/chop.ts'
import { prepareEnsemble } from '../tiles/selfEnsemble.ts'
import { type PlacedOutput, type RunTiles, restoreInTiles, type TileJob } from '../tiles/tile.ts'
import { nextSmallerTile, planTiles, type TilePlanInput, type TileRequest } from '../tiles/tilePlan.ts'
import { type PreparedNetwork, prepareNetwork, windowRunner } from './prepareNetworks.ts'

/** Receives finished rows of a result, from the top down. */
export type Emit = TileJob['emit']

/** One attempt at a picture: where it is read from and where results go. */
export interface Attempt {
  readonly read: ReadPart
  readonly emit: Emit
  /** Receive each of several samples, whose mean is the result. */
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
  /** Tile side to try next when memory runs out; undefined if tiles cannot get smaller. */
  readonly nextSmallerTilePx: number | undefined
  restore(attempt: Attempt): Promise<RestorationOutcome>
}

/** Facts about a completed restoration. */
export interface RestorationOutcome {
  /** Number of tiles, per step for networks that sample. */
  readonly tiles: number
  /** Standard deviation of several samples from one another [1 h w]. */
  readonly deviation?: Image
  /** What a guide saw in the picture, by words. */
  readonly seen?: readonly Finding[] | undefined
}

/** Everything a layout depends on. */
export interface LayoutRequest {
  readonly loaded: LoadedNetwork
  readonly picture: Extent
  readonly tiles: TileRequest
  readonly budget: Pick<TilePlanInput, 'budgetBytes' | 'maxTilePx'>
  readonly selfEnsemble: boolean
  readonly strength: number
  readonly run: RunOptions
  readonly onTile: (done: number, total: number, sampling?: SamplingProgress) => void
  /** Receives parts of the result, to be shown. */
  readonly onPart?: ((part: PlacedOutput) => void) | undefined
}

/** Lays out a picture in tiles, each restored in one run. */
export function layOutTiles(request: LayoutRequest): RestorationLayout {
  const { loaded, picture, tiles, budget, strength, onTile, onPart } = request
  const { size, scale, memory, tiling, channels } = loaded.network
  const { multipleOf, fixedTile } = size
  const plan = planTiles({ ...picture, ...budget, size, memory, tiling, scale }, tiles)
  const padded = { height: plan.rows.length, width: plan.columns.length }
  return {
    padded,
    channels: channels.input,
    tilePx: plan.tilePx,
    nextSmallerTilePx: fixedTile === undefined ? nextSmallerTile(plan, multipleOf) : undefined,
    restore: async ({ read, emit }) => {
      let count = 0
      const onCountedTile = (done: number, total: number, last: readonly PlacedOutput[] = []) => {
        count = total
        onTile(done, total)
        if (onPart) for (const part of last) onPart(part)
      }
      const prepared = await prepareRun(request, { ...padded, read })
      const run = blendTiles(prepared.run, strength, scale)
      if (fixedTile && fixedTile[0] === fixedTile[1] && tiles.blend === 'official') {
        const whole = read(0, 0, padded.height, padded.width)
        const options = { windowPx: fixedTile[0], scale, batch: plan.batch, onWindow: onCountedTile }
        emit(0, await chop(whole, windowRunner(run), options))
      } else {
        const { rows, columns, batch } = plan
        await restoreInTiles({ rows, columns, batch, scale, read, run, emit, onTile: onCountedTile })
      }
      return { tiles: count }
    },
  }
}

/**
 * Blends `strength` (0..1) of restored tiles with the rest of the picture, upscaled to the network's scale.
 */
function blendTiles(run: RunTiles, strength: number, scale: number): RunTiles {
  if (strength === 1) return run
  return async (tiles) => {
    const outputs = await run(tiles)
    return outputs.map((output, i) => blend(output, upscale(tiles[i]!, scale), strength))
  }
}

/** Prepares the network for a picture, in all eight orientations for a self-ensemble. */
export async function prepareRun(
  { loaded, selfEnsemble, run }: LayoutRequest,
  picture: ReadablePicture,
): Promise<PreparedNetwork> {
  const prepare = (one: ReadablePicture) => prepareNetwork(loaded, one, run)
  if (!selfEnsemble) return prepare(picture)
  if (loaded.network.role.kind !== 'samples')
    return { run: await prepareEnsemble(async (one) => (await prepare(one)).run, picture) }
  // A guide knows photos upright only, and the damage it finds has no direction.
  const upright = await prepare(picture)
  return { ...upright, run: await prepareEnsemble(async () => upright.run, picture) }
}
