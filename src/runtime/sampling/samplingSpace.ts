// The space a network samples in: the picture itself, or its latents (latentSpace.ts).

import { inBands } from '../../core/rowBands.ts'
import { crop } from '../../data/image.ts'
import type { ReadPart } from '../../data/parts.ts'
import type { Planes } from '../../diffusion/samplers.ts'
import type { Emit, LayoutRequest, RestorationLayout } from '../networks/tileLayout.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import { nextSmallerTile, planTiles, type TilePlan } from '../tiles/tilePlan.ts'

/** The space a network samples in. */
export interface SamplingSpace extends Omit<RestorationLayout, 'restore'> {
  /** Tiles of the state. */
  readonly plan: TilePlan
  /** Channels of the state. */
  readonly stateChannels: number
  /** Maps the degraded picture into the space. */
  enter(read: ReadPart): Promise<ReadablePicture>
  /** Maps a state back to a picture, whose rows are emitted from the top down. */
  leave(state: Planes, read: ReadPart, emit: Emit): Promise<void>
}

/** Creates the space of the picture itself, padded only if it is too small for the network to pad. */
export function pixelSpace({ loaded, picture, budget, tiles }: LayoutRequest): SamplingSpace {
  const { size, memory, tiling, channels } = loaded.network
  const { padToMultiple = 1 } = size
  // Reflection needs more pixels than it adds.
  const reflectable = { multipleOf: 1, minimum: Math.floor(padToMultiple / 2) + 1 }
  const limits = { ...picture, ...budget, size: reflectable, tileMultipleOf: padToMultiple }
  const plan = planTiles({ ...limits, memory, tiling, scale: 1 }, tiles)
  const padded = { height: plan.rows.length, width: plan.columns.length }
  return {
    plan,
    padded,
    channels: channels.input,
    stateChannels: channels.input,
    tilePx: plan.tilePx,
    nextSmallerTilePx: nextSmallerTile(plan, padToMultiple),
    enter: async (read) => ({ ...padded, read }),
    leave: async (state, _, emit) =>
      inBands(padded, (top, rows) => emit(top, crop(state, top, 0, rows, padded.width))),
  }
}
