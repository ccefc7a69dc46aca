// The one verb: an image in, the restored image out.

import { RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import { type Image, imageToTensor, tensorToImage } from '../data/image.ts'
import type { LoadedModel } from '../registry/builders.ts'
import { withPadding } from './pad.ts'
import { restoreTiles, type TileOptions } from './tile.ts'

export interface RestoreOptions {
  /** Restore in overlapping tiles; else the image as a whole. */
  readonly tiles?: TileOptions | undefined
  readonly onTile?: ((done: number, total: number) => void) | undefined
}

/** Restores [c h w] of any size: padded to what the network takes, cut back, not clamped. */
export async function restoreImage(
  image: Image,
  { builder, options }: LoadedModel,
  session: Session,
  { tiles, onTile }: RestoreOptions = {},
): Promise<Image> {
  const { multipleOf } = builder.size
  if (tiles && tiles.tilePx % multipleOf !== 0) {
    throw new RestoreError('usage', `tile: expected a multiple of ${multipleOf} pixels, got ${tiles.tilePx}`)
  }
  const wanted = builder.channels(options)
  const fitted = fitChannels(image, wanted.input)
  const forward = (input: Image) => runImage(input, builder.inputs, session)
  const restored = await withPadding(fitted, multipleOf, (padded) =>
    tiles ? restoreTiles(padded, tiles, forward, onTile) : forward(padded),
  )
  return image.channels === 1 && wanted.output === 3 ? averageChannels(restored) : restored
}

async function runImage(
  image: Image,
  inputs: LoadedModel['builder']['inputs'],
  session: Session,
): Promise<Image> {
  const [name = 'x'] = Object.keys(inputs)
  const [result] = Object.values(await session.run({ [name]: imageToTensor(image) }))
  if (!result) throw new RestoreError('numeric', 'restore: expected a result, got none')
  const restored = tensorToImage(result)
  if (!restored.data.every(Number.isFinite)) {
    throw new RestoreError(
      'numeric',
      'restore: expected finite values, got NaN or infinity; the weights may be damaged',
    )
  }
  return restored
}

/** A grey image for a colour network is shown to it in three equal planes. */
function fitChannels(image: Image, wanted: number): Image {
  if (image.channels === wanted) return image
  if (image.channels === 1 && wanted === 3) {
    const data = new Float32Array(3 * image.data.length)
    for (let c = 0; c < 3; c++) data.set(image.data, c * image.data.length)
    return { ...image, channels: 3, data }
  }
  const advice =
    wanted === 1
      ? 'use weights for colour, or a grey image'
      : 'this network takes more than one photo at once: give it tensors with limpid forward'
  throw new RestoreError(
    'input',
    `restore: expected an image with ${wanted} channel(s), got ${image.channels}; ${advice}`,
  )
}

function averageChannels({ width, height, channels, data }: Image): Image {
  const pixels = width * height
  const mean = new Float32Array(pixels)
  for (let i = 0; i < data.length; i++)
    mean[i % pixels] = (mean[i % pixels] as number) + (data[i] as number) / channels
  return { width, height, channels: 1, data: mean }
}
