// Sampling in latents (Refusion, arXiv:2304.08291 §3.3): a compression makes them of the picture, and a picture of them with features
// of the degraded one. Those take many times the memory of the picture, so every tile has its own computed when it is decoded.

import type { TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import { crop, type Image, imageToTensor } from '../../data/image.ts'
import { builders } from '../../registry/networks.ts'
import { tilingOf } from '../../registry/tiling.ts'
import { restoredImages } from '../networks/prepareNetworks.ts'
import type { LayoutRequest } from '../networks/tileLayout.ts'
import { imageWriter, type ReadPart } from '../pictures/planeIO.ts'
import type { Guide } from '../session/networkSessions.ts'
import { restoreInTiles, type TileJob } from '../tiles/tile.ts'
import { nextSmallerTile, planTiles, type TilePlanInput, type TileRequest } from '../tiles/tilePlan.ts'
import type { Space } from './samplingSpace.ts'

/** Side of the tiles that are compressed, in pixels of the picture, and what they share. */
const [usualTilePx, overlapPx] = [512, 64]

/** A tile of latents with the part of the picture that it stands for. */
interface LatentTile extends Image {
  readonly photo: Image
}

/** The latents of a picture, whose sides are continued to what the compression takes. */
export function latentSpace(request: LayoutRequest, guide: Guide): Space {
  const { network, picture, budget, tiles, run } = request
  const [builder, compression] = [builders[network.model], builders['latent-unet']]
  const padsTo = compression.padToMultiple?.(guide.options) ?? 1
  // It halves once less than it pads for.
  const unitPx = padsTo / 2
  const extent = {
    height: roundUp(picture.height, padsTo) / unitPx,
    width: roundUp(picture.width, padsTo) / unitPx,
  }
  const stateChannels = builder.channels(network.options).input
  const maxTilePx = budget.maxTilePx && budget.maxTilePx / unitPx
  const own = { size: builder.size, memory: builder.memory(network.options) }
  const planned = { ...extent, freeBytes: budget.freeBytes, maxTilePx, window: undefined }
  const asked = inUnits(tiles, padsTo, unitPx)
  const plan = planTiles({ ...planned, ...own, tiling: tilingOf(network.model), scale: 1 }, asked)
  const cut = (scale: number) =>
    planTiles({ ...planned, ...compressing(guide.options, unitPx), scale }, asked)
  const [encoding, decoding] = [cut(1), cut(unitPx)]
  const encode = (photo: Image) => guide.session.part('encode').run({ x: imageToTensor(photo) }, run)
  const smaller = nextSmallerTile(plan, 2)
  return {
    ...{ plan, stateChannels, channels: compression.channels(guide.options).input },
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
        return (await guide.session.part('decode').run(features, run)).y
      }
      return restoreInTiles<LatentTile>({
        ...{ ...decoding, scale: unitPx, emit, run: oneByOne(pictureOf) },
        read: (...part) => ({ ...crop(state, ...part), photo: photoAt(...part) }),
      })
    },
  }
}

/** How the compression is cut, in latents: their sides are even, as it pads pictures to two of them. */
function compressing(options: object, unitPx: number): Pick<TilePlanInput, 'size' | 'memory' | 'tiling'> {
  const { fixedBytes, bytesPerPixel } = builders['latent-unet'].memory(options)
  return {
    size: { multipleOf: 2, minimum: 2 },
    memory: { fixedBytes, bytesPerPixel: bytesPerPixel * unitPx ** 2 },
    tiling: {
      ...tilingOf('latent-unet'),
      ...{ tilePx: usualTilePx / unitPx, overlapPx: overlapPx / unitPx },
    },
  }
}

/** What was asked for in pixels of the picture. */
function inUnits({ tile, overlap, blend }: TileRequest, padsTo: number, unitPx: number): TileRequest {
  if (typeof tile === 'number' && tile % padsTo !== 0)
    throw new RestoreError('usage', `tile: expected a multiple of ${padsTo} pixels, got ${tile}`)
  return {
    tile: typeof tile === 'number' ? tile / unitPx : tile,
    overlap: overlap === undefined ? undefined : Math.ceil(overlap / unitPx),
    blend,
  }
}

/** Parts of a picture by their places among the latents. */
function inPixels(read: ReadPart, unitPx: number): ReadPart {
  return (...part) => read(...(part.map((value) => value * unitPx) as typeof part))
}

/** Tiles each in a run of its own. */
function oneByOne<T extends Image>(run: (tile: T) => Promise<TensorData | undefined>): TileJob<T>['run'] {
  return async (tiles) => {
    const outputs: Image[] = []
    for (const tile of tiles) outputs.push(...restoredImages(await run(tile)))
    return outputs
  }
}
