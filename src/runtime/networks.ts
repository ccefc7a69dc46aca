// How each network is run on the tiles of one picture.

import type { ModelId } from '../checkpoints/detect.ts'
import { float32Data, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../core/session.ts'
import { type Image, imageToTensor } from '../data/image.ts'

/** A session that also runs parts of its network by name. */
export interface PartedSession extends Session {
  part(name: string): Pick<Session, 'run'>
}

/** Tiles of one size to their restored ones. */
export type RunTiles = (tiles: readonly Image[]) => Promise<readonly Image[]>

export interface Picture {
  readonly width: number
  readonly height: number
  read(top: number, left: number, height: number, width: number): Image
}

type Prepare = (session: PartedSession, picture: Picture, options: RunOptions) => Promise<RunTiles>

/** DASR's encoder sees no more of a photo than this: its representation is a mean over pixels. */
const encodedPx = 512

const plain: Prepare = async (session, _, options) => (tiles) => runBatch(session, tiles, {}, options)

/** The degradation is that of the photo: found once, in its middle, and the same for all tiles. */
const dasr: Prepare = async (session, { width, height, read }, options) => {
  const [h, w] = [Math.min(height, encodedPx), Math.min(width, encodedPx)]
  const middle = read((height - h) >> 1, (width - w) >> 1, h, w)
  const { fea } = await session.part('encode').run({ x: imageToTensor(middle) }, options)
  if (!fea) throw new RestoreError('numeric', 'dasr: expected a representation of the photo, got none')
  return (tiles) => runBatch(session.part('restore'), tiles, { fea }, options)
}

const preparations: Readonly<Partial<Record<ModelId, Prepare>>> = {
  restormer: plain,
  light: plain,
  ipt: plain,
  dasr,
}

/** What the network has to know of a whole picture, and then how its tiles are run; not all networks restore by themselves. */
export function prepareNetwork(model: ModelId): Prepare {
  const prepare = preparations[model]
  if (prepare) return prepare
  const able = Object.keys(preparations).join(', ')
  throw new RestoreError(
    'usage',
    `restore: expected weights of ${able}, got ${model}, which runs by sampling or as a part of another; use limpid forward`,
  )
}

async function runBatch(
  session: Pick<Session, 'run'>,
  tiles: readonly Image[],
  more: NamedData,
  options: RunOptions,
): Promise<readonly Image[]> {
  const [first] = tiles
  if (!first) return []
  const { channels, height, width } = first
  const size = first.data.length
  const values = tiles.length === 1 ? first.data : new Float32Array(tiles.length * size)
  if (tiles.length > 1) for (const [i, { data }] of tiles.entries()) values.set(data, i * size)
  const x = float32Data(values, [tiles.length, channels, height, width])
  const { y } = await session.run({ x, ...more }, options)
  if (y?.dtype !== 'float32') {
    throw new RestoreError('numeric', `restore: expected a float32 result, got ${y?.dtype ?? 'none'}`)
  }
  const restored = viewAs(y.bytes, Float32Array)
  if (!restored.every(Number.isFinite)) {
    throw new RestoreError(
      'numeric',
      'restore: expected finite values, got NaN or infinity; the weights may be damaged',
    )
  }
  const [, c = 0, h = 0, w = 0] = y.shape
  return tiles.map((_, i) => {
    return { width: w, height: h, channels: c, data: restored.subarray(i * c * h * w, (i + 1) * c * h * w) }
  })
}
