// Self-ensemble ×8 (EDSR, arXiv:1707.02921 §4.2): the mean over all flips and transposes of a picture, each turned back.

import type { Image } from '../../data/image.ts'
import type { Picture } from '../pictures/planeIO.ts'
import type { RunTiles } from './tile.ts'

/** Orientation of a picture: transposed first, then flipped. */
interface Turn {
  readonly transpose: boolean
  readonly flipRows: boolean
  readonly flipColumns: boolean
}

const either = [false, true] as const
const turns: readonly Turn[] = either.flatMap((transpose) =>
  either.flatMap((flipRows) => either.map((flipColumns) => ({ transpose, flipRows, flipColumns }))),
)

/**
 * Runs tiles in all eight orientations and averages the results, in eight times the time. The network is prepared for each turned
 * picture, because what it finds in the whole has a direction, such as blur.
 */
export async function prepareEnsemble(
  prepare: (picture: Picture) => Promise<RunTiles>,
  picture: Picture,
): Promise<RunTiles> {
  const runs: RunTiles[] = []
  for (const turn of turns) runs.push(await prepare(turnedPicture(picture, turn)))
  return async (tiles, given) => {
    let means: readonly Image[] = []
    for (const [i, turn] of turns.entries()) {
      const outputs =
        (await runs[i]?.(
          tiles.map((tile) => turned(tile, turn)),
          given,
        )) ?? []
      const back = outputs.map((output) => turnBack(output, turn))
      if (i === 0) means = back.map((image) => ({ ...image, data: new Float32Array(image.data.length) }))
      for (const [t, { data }] of means.entries()) {
        for (let j = 0; j < data.length; j++)
          data[j] = (data[j] as number) + (back[t]?.data[j] as number) / turns.length
      }
    }
    return means
  }
}

/** A turned picture, whose parts are read from where they were before the turn. */
function turnedPicture({ width, height, read }: Picture, turn: Turn): Picture {
  const size = turn.transpose ? { width: height, height: width } : { width, height }
  return {
    ...size,
    read: (top, left, rows, columns) => {
      const y = turn.flipRows ? size.height - top - rows : top
      const x = turn.flipColumns ? size.width - left - columns : left
      const part = turn.transpose ? read(x, y, columns, rows) : read(y, x, rows, columns)
      return turned(part, turn)
    },
  }
}

function turned(image: Image, { transpose, flipRows, flipColumns }: Turn): Image {
  const { width, height } = image
  const size = transpose ? { width: height, height: width } : { width, height }
  return moved(image, size, (y, x) => {
    const row = flipRows ? size.height - 1 - y : y
    const column = flipColumns ? size.width - 1 - x : x
    return transpose ? [column, row] : [row, column]
  })
}

function turnBack(image: Image, { transpose, flipRows, flipColumns }: Turn): Image {
  const { width, height } = image
  const size = transpose ? { width: height, height: width } : { width, height }
  return moved(image, size, (y, x) => {
    const [row, column] = transpose ? [x, y] : [y, x]
    return [flipRows ? height - 1 - row : row, flipColumns ? width - 1 - column : column]
  })
}

/** A picture whose pixel (y, x) is `image`'s pixel `from(y, x)`. */
function moved(
  image: Image,
  { width, height }: Pick<Image, 'width' | 'height'>,
  from: (y: number, x: number) => readonly [number, number],
): Image {
  const data = new Float32Array(image.data.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [row, column] = from(y, x)
      for (let c = 0; c < image.channels; c++)
        data[(c * height + y) * width + x] = image.data[
          (c * image.height + row) * image.width + column
        ] as number
    }
  }
  return { ...image, width, height, data }
}
