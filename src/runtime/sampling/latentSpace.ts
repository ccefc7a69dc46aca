// Sampling in latents (Refusion, arXiv:2304.08291 §3.3). A compression encodes the picture, and decodes latents with features of the
// degraded picture. Features take many times the memory of the picture, so they are recomputed for each tile when it is decoded.

import type { TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import { crop, type Image, imageToTensor } from '../../data/image.ts'
import type { NetworkDescription } from '../../models/networkDescriptor.ts'
import { restoredImages } from '../networks/prepareNetworks.ts'
import type { LayoutRequest } from '../networks/tileLayout.ts'
import { imageWriter, type ReadPart } from '../pictures/planeIO.ts'
import type { SessionWithParts } from '../session/networkSessions.ts'
import { restoreInTiles, type TileJob } from '../tiles/tile.ts'
import { nextSmallerTile, planTiles, type TilePlanInput, type TileRequest } from '../tiles/tilePlan.ts'
import type { Space } from './samplingSpace.ts'

/** Side and overlap of the tiles that are compressed, in pixels of the picture. */
const defaultTilePx = 512
const overlapPx = 64

/** A tile of latents with the part of the picture it stands for. */
interface LatentTile extends Image {
  readonly photo: Image
}

/** An open compression to latents. */
interface Compression {
  readonly session: SessionWithParts
  readonly network: NetworkDescription
  readonly unitPx: number
}

/** The latents of a picture, padded to what the compression takes. */
export function latentSpace(
  request: LayoutRequest,
  { session, network: compression, unitPx }: Compression,
): Space {
  const { loaded, picture, budget, tiles, run } = request
  const { size, memory, tiling, channels } = loaded.network
  const { padToMultiple = 1 } = compression.size
  const extent = {
    height: roundUp(picture.height, padToMultiple) / unitPx,
    width: roundUp(picture.width, padToMultiple) / unitPx,
  }
  const stateChannels = channels.input
  const maxTilePx = budget.maxTilePx && budget.maxTilePx / unitPx
  const planned = { ...extent, budgetBytes: budget.budgetBytes, maxTilePx }
  const inLatents = latentRequest(tiles, padToMultiple, unitPx)
  const plan = planTiles({ ...planned, size, memory, tiling, scale: 1 }, inLatents)
  const cut = (scale: number) =>
    planTiles({ ...planned, ...compressionTiling(compression, unitPx), scale }, inLatents)
  const encoding = cut(1)
  const decoding = cut(unitPx)
  const encode = (photo: Image) => session.part('encode').run({ x: imageToTensor(photo) }, run)
  const smaller = nextSmallerTile(plan, 2)
  return {
    plan,
    stateChannels,
    channels: compression.channels.input,
    padded: { height: extent.height * unitPx, width: extent.width * unitPx },
    tilePx: encoding.tilePx && encoding.tilePx * unitPx,
    nextSmallerTilePx: smaller && smaller * unitPx,
    enter: async (read) => {
      const { image, emit } = imageWriter({ ...extent, channels: stateChannels }, 1, stateChannels)
      const latentOf = async (photo: Image) => (await encode(photo)).latent
      const photoAt = inPixels(read, unitPx)
      await restoreInTiles({ ...encoding, scale: 1, emit, read: photoAt, run: oneByOne(latentOf) })
      return { ...extent, read: (...part) => crop(image, ...part) }
    },
    leave: (state, read, emit) => {
      const photoAt = inPixels(read, unitPx)
      const pictureOf = async ({ photo, ...latent }: LatentTile) => {
        const features = { ...(await encode(photo)), latent: imageToTensor(latent) }
        return (await session.part('decode').run(features, run)).y
      }
      return restoreInTiles<LatentTile>({
        ...decoding,
        scale: unitPx,
        emit,
        run: oneByOne(pictureOf),
        read: (...part) => ({ ...crop(state, ...part), photo: photoAt(...part) }),
      })
    },
  }
}

/** Tiling of the compression, in latents: sides are even, as it pads pictures to two of them. */
function compressionTiling(
  { memory, tiling }: NetworkDescription,
  unitPx: number,
): Pick<TilePlanInput, 'size' | 'memory' | 'tiling'> {
  const { fixedBytes, bytesPerPixel } = memory
  return {
    size: { multipleOf: 2, minimum: 2 },
    memory: { fixedBytes, bytesPerPixel: bytesPerPixel * unitPx ** 2 },
    tiling: { ...tiling, tilePx: defaultTilePx / unitPx, overlapPx: overlapPx / unitPx },
  }
}

/** A request in pixels of the picture, converted to latents. */
function latentRequest(
  { tile, overlap, blend }: TileRequest,
  padToMultiple: number,
  unitPx: number,
): TileRequest {
  if (typeof tile === 'number' && tile % padToMultiple !== 0)
    throw new RestoreError('usage', `tile: expected a multiple of ${padToMultiple} pixels, got ${tile}`)
  return {
    tile: typeof tile === 'number' ? tile / unitPx : tile,
    overlap: overlap === undefined ? undefined : Math.ceil(overlap / unitPx),
    blend,
  }
}

/** Reads parts of a picture by their position in latents. */
function inPixels(read: ReadPart, unitPx: number): ReadPart {
  return (...part) => read(...(part.map((value) => value * unitPx) as typeof part))
}

/** Runs tiles one at a time. */
function oneByOne<T extends Image>(run: (tile: T) => Promise<TensorData | undefined>): TileJob<T>['run'] {
  return async (tiles) => {
    const outputs: Image[] = []
    for (const tile of tiles) outputs.push(...restoredImages(await run(tile)))
    return outputs
  }
}
