// How each network is run on the tiles of one picture.

import { allFinite, float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../../core/session.ts'
import type { Image } from '../../data/image.ts'
import type { ModelId } from '../../registry/networkSignatures.ts'
import { builders } from '../../registry/networks.ts'
import type { Picture } from '../pictures/planeIO.ts'
import type { LoadedNetwork } from '../session/networkSessions.ts'
import type { RunWindows } from '../tiles/chop.ts'
import { encodePhoto } from './dasrRepresentation.ts'
import { embedPhoto } from './guideEmbeddings.ts'

/** Tiles of one size to what the network makes of them; `given` is what holds for this run alone, such as the time of a step. */
export type RunTiles = (tiles: readonly Image[], given?: NamedData) => Promise<readonly Image[]>

type Prepare = (network: LoadedNetwork, picture: Picture, options: RunOptions) => Promise<RunTiles>

const plain: Prepare =
  async ({ session }, _, options) =>
  (tiles) =>
    runBatch(session, tiles, {}, options)

/** The degradation is that of the photo: found once, and the same for all tiles. */
const dasr: Prepare = async ({ session }, picture, options) => {
  const fea = await encodePhoto(picture, async (x) => {
    const { fea: found } = await session.part('encode').run({ x }, options)
    if (found) return found
    throw new RestoreError('numeric', 'dasr: expected a representation of the photo, got none')
  })
  return (tiles) => runBatch(session.part('restore'), tiles, { fea }, options)
}

/**
 * Tiles of the state, with the planes of the degraded image behind its own where the network sees it -> the network's prediction. What
 * the guide sees in the photo is found once, and holds for all tiles and steps.
 */
const sampled: Prepare = async ({ session, model, options: network, guide }, picture, options) => {
  const taken = builders[model].inputNames(network)
  const seen = guide?.kind === 'daclip' ? await embedPhoto(guide, picture, options) : {}
  const contexts = Object.fromEntries(Object.entries(seen).filter(([name]) => taken.includes(name)))
  const conditioning =
    Object.keys(contexts).length > 0 ? await session.part('condition').run(contexts, options) : {}
  const names = ['state', 'degraded'].filter((name) => taken.includes(name))
  return async (tiles, time = {}) => {
    const images = names.map((name, i) => [name, stack(tiles.map((tile) => share(tile, i, names.length)))])
    const inputs = { ...Object.fromEntries(images), ...conditioning, ...time }
    const { prediction } = await session.part('predict').run(inputs, options)
    return restoredImages(prediction)
  }
}

/** The i-th of equal parts of the planes. */
function share({ channels, data, ...size }: Image, i: number, count: number): Image {
  const length = data.length / count
  return { ...size, channels: channels / count, data: data.subarray(i * length, (i + 1) * length) }
}

const preparations: Readonly<Partial<Record<ModelId, Prepare>>> = {
  restormer: plain,
  light: plain,
  ipt: plain,
  dasr,
  'conditional-unet': sampled,
  'conditional-nafnet': sampled,
  'light-diffusion': sampled,
}

/** What the network has to know of a whole picture, and then how its tiles are run; not all networks restore by themselves. */
export function prepareNetwork(model: ModelId): Prepare {
  const prepare = preparations[model]
  if (prepare) return prepare
  const able = Object.keys(preparations).join(', ')
  throw new RestoreError(
    'usage',
    `restore: expected weights of ${able}, got ${model}, which is a part of others; give it as the guide of one that samples`,
  )
}

/** Restores tiles of one size in one run, with what the network takes besides. */
export async function runBatch(
  session: Pick<Session, 'run'>,
  tiles: readonly Image[],
  more: NamedData,
  options: RunOptions,
): Promise<readonly Image[]> {
  if (tiles.length === 0) return []
  const { y } = await session.run({ x: stack(tiles), ...more }, options)
  return restoredImages(y)
}

/** Images of one size as [b c h w]. */
function stack(images: readonly Image[]): TensorData {
  const [first] = images
  if (!first) throw new RestoreError('numeric', 'restore: expected tiles to run, got none')
  const { channels, height, width } = first
  const size = first.data.length
  const values = images.length === 1 ? first.data : new Float32Array(images.length * size)
  if (images.length > 1) for (const [i, { data }] of images.entries()) values.set(data, i * size)
  return float32Data(values, [images.length, channels, height, width])
}

/** What a network gave [b c h w], as images; refuses what is not finite. */
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

/** The images of [b c h w]; not copies. */
function imagesOf({ bytes, shape }: TensorData): readonly Image[] {
  const [b = 0, channels = 0, height = 0, width = 0] = shape
  const [values, size] = [viewAs(bytes, Float32Array), channels * height * width]
  return Array.from({ length: b }, (_, i) => {
    return { channels, height, width, data: values.subarray(i * size, (i + 1) * size) }
  })
}

/** The same as `RunTiles` for windows in one tensor [b c p p], which all have one size. */
export function windowRunner(run: RunTiles): RunWindows {
  return async (windows) => stack(await run(imagesOf(windows)))
}
