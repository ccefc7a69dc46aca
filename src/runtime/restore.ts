// The one verb on planes: an image in, the restored image out, by a session of the caller's. Nothing of Node, for browsers too.

import { RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import type { Image } from '../data/image.ts'
import type { LoadedModel } from '../registry/builders.ts'
import { tilingOf } from '../registry/tiling.ts'
import { imageReader, imageWriter } from './pixels.ts'
import { isSampling } from './sampling/sampling.ts'
import { prepareNetwork, runBatch } from './tiles/networks.ts'
import { planTiles } from './tiles/plan.ts'
import { restoreInTiles, type TileOptions } from './tiles/tile.ts'

export interface RestoreOptions {
  /** Restore in overlapping tiles, each by itself; else the image as a whole, where the network takes it. */
  readonly tiles?: TileOptions | undefined
  readonly onTile?: ((done: number, total: number) => void) | undefined
}

/** Restores [c h w] of any size: [c h·scale w·scale], neither clamped nor rounded; grey through a colour network stays grey. */
export async function restoreImage(
  image: Image,
  { id, builder, options }: LoadedModel,
  session: Session,
  { tiles, onTile }: RestoreOptions = {},
): Promise<Image> {
  // Refuses a network that does not restore by itself.
  prepareNetwork(id)
  if (isSampling(id))
    throw new RestoreError(
      'usage',
      `restoreImage: expected a network that restores at once, got ${id}, which samples; use createRestorer in Node`,
    )
  const { width, height } = image
  const [scale, channels] = [builder.scale(options), builder.channels(options)]
  const { rows, columns, batch } = planTiles(
    {
      ...{ width, height, size: builder.size, memory: builder.memory(options) },
      ...{ tiling: tilingOf(id), window: builder.window?.(options), scale },
      freeBytes: Number.POSITIVE_INFINITY,
    },
    tiles ? { tile: tiles.tilePx, overlap: tiles.overlapPx, blend: 'official' } : { tile: 'none' },
  )
  const padded = { height: rows.length, width: columns.length }
  const { image: restored, emit } = imageWriter(image, scale, channels.output)
  await restoreInTiles({
    ...{ rows, columns, scale, batch, emit, onTile },
    read: imageReader(image, channels.input, padded),
    run: (parts) => runBatch(session, parts, {}, {}),
  })
  return restored
}
