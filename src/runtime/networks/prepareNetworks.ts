// Prepares an open network for one picture: computes what all tiles share, and returns how to run them.

import { allFinite, float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../../core/session.ts'
import type { Image } from '../../data/image.ts'
import type { Finding } from '../../models/daclip/wordRanking.ts'
import type { OncePerPhoto } from '../../models/networkDescriptor.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import type { LoadedNetwork } from '../session/networkSessions.ts'
import type { RunTiles } from '../tiles/tile.ts'
import { askGuide, type GuideAnswer } from './guideEmbeddings.ts'
import { photoNoise } from './photoNoise.ts'
import { encodePhoto } from './photoRepresentation.ts'

/** A network that is ready for a picture. */
export interface PreparedNetwork {
  readonly run: RunTiles
  /** What a guide sees in it, by words. */
  readonly seen?: readonly Finding[] | undefined
}

/**
 * Prepares a network for a picture.
 * @throws RestoreError 'usage' for a network that restores nothing by itself
 */
export async function prepareNetwork(
  loaded: LoadedNetwork,
  picture: ReadablePicture,
  options: RunOptions,
): Promise<PreparedNetwork> {
  const { role } = loaded.network
  switch (role.kind) {
    case 'restores':
      return role.oncePerPhoto
        ? { run: await prepareWithPhoto(loaded, picture, options, role.oncePerPhoto) }
        : { run: (tiles) => runBatch(loaded.session, tiles, {}, options) }
    case 'samples':
      return prepareSampling(loaded, picture, options)
    default:
      throw new RestoreError('usage', `restore: expected a network that restores, got ${loaded.network.id}`)
  }
}

/** Computes what all tiles share from the photo; every tile is restored with it. */
async function prepareWithPhoto(
  { session }: LoadedNetwork,
  picture: ReadablePicture,
  options: RunOptions,
  { encode, output, restore }: OncePerPhoto,
): Promise<RunTiles> {
  const shared =
    encode === 'noise level'
      ? float32Data(Float32Array.of(photoNoise(picture)), [1, 1])
      : await encodePhoto(picture, async (x) => {
          const { [output]: found } = await session.part(encode.part).run({ x }, options)
          if (found) return found
          throw new RestoreError('numeric', `${encode.part}: expected an output ${output}, got none`)
        })
  return (tiles) => runBatch(session.part(restore), tiles, { [output]: shared }, options)
}

/**
 * Embeds the photo once for all tiles and steps. Each tile holds the planes of the state, followed by those
 * of the degraded image if the network takes it; the result is the network's prediction.
 */
async function prepareSampling(
  { session, network, guide }: LoadedNetwork,
  picture: ReadablePicture,
  options: RunOptions,
): Promise<PreparedNetwork> {
  const takes = (name: string) => Object.hasOwn(network.inputs, name)
  const answer: GuideAnswer =
    guide?.guidance.kind === 'embeddings' ? await askGuide(guide, picture, options) : { embeddings: {} }
  const { embeddings, seen } = answer
  const contexts = Object.fromEntries(Object.entries(embeddings).filter(([name]) => takes(name)))
  const conditioning =
    Object.keys(contexts).length > 0 ? await session.part('condition').run(contexts, options) : {}
  const names = ['state', 'degraded'].filter(takes)
  const run: RunTiles = async (tiles, time = {}) => {
    const images = names.map((name, i) => [
      name,
      stack(tiles.map((tile) => planesPart(tile, i, names.length))),
    ])
    const inputs = { ...Object.fromEntries(images), ...conditioning, ...time }
    const { prediction } = await session.part('predict').run(inputs, options)
    return restoredImages(prediction)
  }
  return { run, seen }
}

/** The i-th of `count` equal parts of an image's planes. */
function planesPart({ channels, data, ...size }: Image, i: number, count: number): Image {
  const length = data.length / count
  return { ...size, channels: channels / count, data: data.subarray(i * length, (i + 1) * length) }
}

/** Restores tiles of one size in one run, with any other inputs of the network. */
async function runBatch(
  session: Pick<Session, 'run'>,
  tiles: readonly Image[],
  otherInputs: NamedData,
  options: RunOptions,
): Promise<readonly Image[]> {
  if (tiles.length === 0) return []
  const { y } = await session.run({ x: stack(tiles), ...otherInputs }, options)
  return restoredImages(y)
}

/** Stacks images of one size as [b c h w]. */
function stack(images: readonly Image[]): TensorData {
  const [first] = images
  if (!first) throw new RestoreError('numeric', 'restore: expected tiles to run, got none')
  const { channels, height, width } = first
  const size = first.data.length
  const values = images.length === 1 ? first.data : new Float32Array(images.length * size)
  if (images.length > 1) for (const [i, { data }] of images.entries()) values.set(data, i * size)
  return float32Data(values, [images.length, channels, height, width])
}

/** Images of a network's output [b c h w]. @throws RestoreError 'numeric' unless it is finite float32 */
export function restoredImages(output: TensorData | undefined): readonly Image[] {
  if (output?.dtype !== 'float32') {
    throw new RestoreError('numeric', `restore: expected a float32 result, got ${output?.dtype ?? 'none'}`)
  }
  if (!allFinite(viewAs(output.bytes, Float32Array))) {
    throw new RestoreError(
      'numeric',
      'restore: expected finite values, got NaN or infinity; the weights may be damaged',
    )
  }
  return imagesOf(output)
}

/** Images of [b c h w]; not copies. */
function imagesOf({ bytes, shape }: TensorData): readonly Image[] {
  const [b = 0, channels = 0, height = 0, width = 0] = shape
  const values = viewAs(bytes, Float32Array)
  const size = channels * height * width
  return Array.from({ length: b }, (_, i) => {
    return { channels, height, width, data: values.subarray(i * size, (i + 1) * size) }
  })
}

/** Adapts a runner of tiles to windows in one tensor [b c p p]. */
export function windowRunner(run: RunTiles): (windows: TensorData) => Promise<TensorData> {
  return async (windows) => stack(await run(imagesOf(windows)))
}
