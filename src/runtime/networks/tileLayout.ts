// How a picture goes through a network: what it is continued to, how it is cut, and what then happens to it.

import type { RunOptions } from '../../core/session.ts'
import type { Image } from '../../data/image.ts'
import { builders } from '../../registry/networks.ts'
import { tilingOf } from '../../registry/tiling.ts'
import type { SamplingProgress } from '../jobs/progress.ts'
import type { Extent, Picture, ReadPart } from '../pictures/planeIO.ts'
import { blendTiles } from '../pictures/upscale.ts'
import type { LoadedNetwork } from '../session/networkSessions.ts'
import { chop } from '../tiles/chop.ts'
import { prepareEnsemble } from '../tiles/selfEnsemble.ts'
import { restoreInTiles, type TileJob } from '../tiles/tile.ts'
import { nextSmallerTile, planTiles, type TilePlanInput, type TileRequest } from '../tiles/tilePlan.ts'
import { prepareNetwork, windowRunner } from './prepareNetworks.ts'

/** Takes finished rows of a result, in their order. */
export type Emit = TileJob['emit']

/** Reads a picture and keeps its result, for one try. */
export interface Attempt {
  readonly read: ReadPart
  readonly emit: Emit
  /** The same for each of several samples, where their mean is the result. */
  readonly samples?: readonly { readonly emit: Emit }[]
}

export interface RestorationLayout {
  /** The picture, continued to what the network takes. */
  readonly padded: Extent
  /** Planes that it is read as. */
  readonly channels: number
  readonly tilePx: number | undefined
  /** The side to try next where memory did not suffice, if any. */
  readonly nextSmallerTilePx: number | undefined
  restore(attempt: Attempt): Promise<RestorationOutcome>
}

export interface RestorationOutcome {
  /** How many tiles it took, at each step where there are steps. */
  readonly tiles: number
  /** How far samples deviate from one another [1 h w], where there were several. */
  readonly deviation?: Image
}

/** What is to be done to a picture. */
export interface LayoutRequest {
  readonly network: LoadedNetwork
  readonly picture: Extent
  readonly tiles: TileRequest
  readonly budget: Pick<TilePlanInput, 'freeBytes' | 'maxTilePx'>
  readonly selfEnsemble: boolean
  readonly strength: number
  readonly run: RunOptions
  readonly onTile: (done: number, total: number, sampling?: SamplingProgress) => void
}

/** Tile by tile, each restored at once. */
export function layOutTiles(request: LayoutRequest): RestorationLayout {
  const { network, picture, tiles, budget, onTile } = request
  const { model, options } = network
  const builder = builders[model]
  const [scale, windowPx] = [builder.scale(options), builder.fixedSide?.(options)]
  const planned = { ...picture, ...budget, size: builder.size, memory: builder.memory(options) }
  const cut = { tiling: tilingOf(model, options), window: windowPx, scale }
  const plan = planTiles({ ...planned, ...cut }, tiles)
  const padded = { height: plan.rows.length, width: plan.columns.length }
  return {
    ...{ padded, channels: builder.channels(options).input, tilePx: plan.tilePx },
    nextSmallerTilePx: windowPx === undefined ? nextSmallerTile(plan, builder.size.multipleOf) : undefined,
    restore: async ({ read, emit }) => {
      let count = 0
      const counted = (done: number, total: number) => {
        count = total
        onTile(done, total)
      }
      const run = blendTiles(await prepareRun(request, { ...padded, read }), request.strength, scale)
      if (windowPx !== undefined && tiles.blend === 'official') {
        const whole = read(0, 0, padded.height, padded.width)
        emit(
          0,
          await chop(whole, windowRunner(run), { windowPx, scale, batch: plan.batch, onWindow: counted }),
        )
      } else {
        const { rows, columns, batch } = plan
        await restoreInTiles({ rows, columns, batch, scale, read, run, emit, onTile: counted })
      }
      return { tiles: count }
    },
  }
}

/** The network with what it has to know of the whole picture, over all its turns where they are asked for. */
export function prepareRun({ network, selfEnsemble, run }: LayoutRequest, picture: Picture) {
  const prepare = (one: Picture) => prepareNetwork(network.model)(network, one, run)
  return selfEnsemble ? prepareEnsemble(prepare, picture) : prepare(picture)
}
