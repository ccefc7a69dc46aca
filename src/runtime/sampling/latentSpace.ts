// Sampling in latents (Refusion, arXiv:2304.08291 §3.3). A compressor encodes the picture, and decodes
// latents together with features of the degraded picture. Features take many times the memory of the picture,
// so they are recomputed for each tile that is decoded.

import type { TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import { crop, type Image, imageToTensor } from '../../data/image.ts'
import type { ReadPart } from '../../data/parts.ts'
import type { NetworkDescription } from '../../models/networkDescriptor.ts'
import { restoredImages } from '../networks/prepareNetworks.ts'
import type { LayoutRequest } from '../networks/tileLayout.ts'
import { imageWriter } from '../pictures/planeIO.ts'
import type { SessionWithParts } from '../session/networkSessions.ts'
import { restoreInTiles, type TileJob } from '../tiles/tile.ts'
import { nextSmallerTile, planTiles, type TilePlanInput, type TileRequest } from '../tiles/tilePlan.ts'
import type { SamplingSpace } from './samplingSpace.ts'

/** Side of the compressor's tiles, in pixels of the picture. */
const defaultTilePx = 512
/** Overlap of the compressor's tiles, in pixels of the picture. */
const overlapPx = 64

/** A tile of latents with the part of the picture it covers. */
interface LatentTile extends Image {
  readonly photo: Image
}

/** An open latent compressor. */
interface Compressor {
  readonly session: SessionWithParts
  readonly network: NetworkDescription
  readonly unitPx: number
}

/** Creates the latent space of a picture, padded for the compressor. */
export function latentSpace(
  request: LayoutRequest,
  { session, network: compressor, unitPx }: Compressor,
): SamplingSpace {
  const { loaded, picture, budget, tiles, run } = request
  const { size, memory, tiling, channels } = loaded.network
  const { padToMultiple = 1 } = compressor.size
  const extent = {
    height: roundUp(picture.height, padToMultiple) / unitPx,
    width: roundUp(picture.width, padToMultiple) / unitPx,
  }
  const stateChannels = channels.input
  const maxTilePx = budget.maxTilePx && budget.maxTilePx / unitPx
  const limits = { ...extent, budgetBytes: budget.budgetBytes, maxTilePx }
  const latentTiles = latentRequest(tiles, padToMultiple, unitPx)
  const plan = planTiles({ ...limits, size, memory, tiling, scale: 1 }, latentTiles)
  const compressorPlan = (scale: number) =>
    planTiles({ ...limits, ...compressorTiling(compressor, unitPx), scale }, latentTiles)
  const encoding = compressorPlan(1)
  const decoding = compressorPlan(unitPx)
  const encode = (photo: Image) => session.part('encode').run({ x: imageToTensor(photo) }, run)
  // One that leaves any of the tilings as it is would run out of memory again, after all steps.
  const smaller = [plan, encoding, decoding].flatMap((one) => nextSmallerTile(one, 2) ?? [])
  return {
    plan,
    stateChannels,
    channels: compressor.channels.input,
    padded: { height: extent.height * unitPx, width: extent.width * unitPx },
    tilePx: encoding.tilePx && encoding.tilePx * unitPx,
    nextSmallerTilePx: smaller.length > 0 ? Math.min(...smaller) * unitPx : undefined,
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

/**
 * Tiling of the compressor, in latents: sides are even, because it pads pictures to a multiple of two
 * latents.
 */
function compressorTiling(
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

/**
 * Converts a request in pixels of the picture to latents.
 * @throws RestoreError 'usage' for an unaligned tile
 */
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

/** Runs a batch of tiles one at a time. */
function oneByOne<T extends Image>(run: (tile: T) => Promise<TensorData | undefined>): TileJob<T>['run'] {
  return async (tiles) => {
    const outputs: Image[] = []
    for (const tile of tiles) outputs.push(...restoredImages(await run(tile)))
    return outputs
  }
}
