// Where a network samples: in the picture itself, or in latents of it (latents.ts).

import { inBands } from '../../core/rowBands.ts'
import { crop } from '../../data/image.ts'
import type { Planes } from '../../diffusion/samplers.ts'
import { builders } from '../../registry/networks.ts'
import { tilingOf } from '../../registry/tiling.ts'
import type { Emit, LayoutRequest, RestorationLayout } from '../networks/tileLayout.ts'
import type { Picture, ReadPart } from '../pictures/planeIO.ts'
import { nextSmallerTile, planTiles, type TilePlan } from '../tiles/tilePlan.ts'

/** Where a network samples: in the picture itself, or in latents of it. */
export interface Space extends Omit<RestorationLayout, 'restore'> {
  /** Tiles of the state. */
  readonly plan: TilePlan
  /** Planes of the state. */
  readonly stateChannels: number
  /** The degraded picture as the network sees it. */
  enter(read: ReadPart): Promise<Picture>
  /** Hands on the picture that a state stands for, in rows from the top down. */
  leave(state: Planes, read: ReadPart, emit: Emit): Promise<void>
}

/** The picture itself, continued only where it is smaller than the network can do itself. */
export function pixelSpace({ network: { model, options }, picture, budget, tiles }: LayoutRequest): Space {
  const builder = builders[model]
  const padsTo = builder.padToMultiple?.(options) ?? 1
  const plan = planTiles(
    {
      ...{
        ...picture,
        ...budget,
        memory: builder.memory(options),
        tiling: tilingOf(model, options),
        window: undefined,
        scale: 1,
      },
      // A mirror needs more pixels than it adds.
      size: { multipleOf: 1, minimum: Math.floor(padsTo / 2) + 1 },
      tileMultipleOf: padsTo,
    },
    tiles,
  )
  const padded = { height: plan.rows.length, width: plan.columns.length }
  const channels = builder.channels(options).input
  return {
    ...{ plan, padded, channels, stateChannels: channels },
    ...{ tilePx: plan.tilePx, nextSmallerTilePx: nextSmallerTile(plan, padsTo) },
    enter: async (read) => ({ ...padded, read }),
    leave: async (state, _, emit) =>
      inBands(padded, (top, rows) => emit(top, crop(state, top, 0, rows, padded.width))),
  }
}
