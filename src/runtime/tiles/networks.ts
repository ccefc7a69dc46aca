// How each network is run on the tiles of one picture.

import type { ModelId } from '../../checkpoints/detect.ts'
import { float32Data, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../../core/session.ts'
import type { Image } from '../../data/image.ts'
import type { Picture } from '../pixels.ts'
import type { RunWindows } from './chop.ts'
import { encodePhoto } from './representation.ts'

/** A session that also runs parts of its network by name. */
export interface PartedSession extends Session {
  part(name: string): Pick<Session, 'run'>
}

/** Tiles of one size to their restored ones. */
export type RunTiles = (tiles: readonly Image[]) => Promise<readonly Image[]>

type Prepare = (session: PartedSession, picture: Picture, options: RunOptions) => Promise<RunTiles>

const plain: Prepare = async (session, _, options) => (tiles) => runBatch(session, tiles, {}, options)

/** The degradation is that of the photo: found once, and the same for all tiles. */
const dasr: Prepare = async (session, picture, options) => {
  const fea = await encodePhoto(picture, async (x) => {
    const { fea: found } = await session.part('encode').run({ x }, options)
    if (found) return found
    throw new RestoreError('numeric', 'dasr: expected a representation of the photo, got none')
  })
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

/** Restores tiles of one size in one run, with what the network takes besides. */
export async function runBatch(
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

/** The same for windows in one tensor [b c p p], which all have one size. */
export function windowRunner(run: RunTiles): RunWindows {
  return async ({ shape, bytes }) => {
    const [, channels = 0, height = 0, width = 0] = shape
    const [values, size] = [viewAs(bytes, Float32Array), channels * height * width]
    const windows = Array.from({ length: values.length / size }, (_, i) => {
      return { channels, height, width, data: values.subarray(i * size, (i + 1) * size) }
    })
    const outputs = await run(windows)
    const [first] = outputs
    if (!first) throw new RestoreError('numeric', 'restore: expected a result of every window, got none')
    const all = new Float32Array(outputs.length * first.data.length)
    for (const [i, { data }] of outputs.entries()) all.set(data, i * first.data.length)
    return float32Data(all, [outputs.length, first.channels, first.height, first.width])
  }
}
