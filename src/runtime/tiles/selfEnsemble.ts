// Self-ensemble ×8 (EDSR, arXiv:1707.02921 §4.2): averages over all flips and transposes of a picture.

import type { Image } from '../../data/image.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import type { RunTiles } from './tile.ts'

/** Orientation of a picture: transposed first, then flipped. */
interface Orientation {
  readonly transpose: boolean
  readonly flipRows: boolean
  readonly flipColumns: boolean
}

const either = [false, true] as const
const orientations: readonly Orientation[] = either.flatMap((transpose) =>
  either.flatMap((flipRows) => either.map((flipColumns) => ({ transpose, flipRows, flipColumns }))),
)

/**
 * Runs tiles in all eight orientations and averages the results, which takes eight times as long. The network
 * is prepared for each orientation, because features of the whole picture, such as blur, have a direction.
 */
export async function prepareEnsemble(
  prepare: (picture: ReadablePicture) => Promise<RunTiles>,
  picture: ReadablePicture,
): Promise<RunTiles> {
  const runs: RunTiles[] = []
  for (const orientation of orientations) runs.push(await prepare(orientedPicture(picture, orientation)))
  return async (tiles, inputs) => {
    let means: readonly Image[] = []
    for (const [i, orientation] of orientations.entries()) {
      const outputs =
        (await runs[i]?.(
          tiles.map((tile) => oriented(tile, orientation)),
          inputs,
        )) ?? []
      const back = outputs.map((output) => orientedBack(output, orientation))
      if (i === 0) means = back.map((image) => ({ ...image, data: new Float32Array(image.data.length) }))
      for (const [t, { data }] of means.entries()) {
        for (let j = 0; j < data.length; j++)
          data[j] = data[j]! + (back[t]?.data[j] as number) / orientations.length
      }
    }
    return means
  }
}

/** A picture in another orientation, whose parts are read from the original. */
function orientedPicture(
  { width, height, read }: ReadablePicture,
  orientation: Orientation,
): ReadablePicture {
  const { transpose, flipRows, flipColumns } = orientation
  const size = transpose ? { width: height, height: width } : { width, height }
  return {
    ...size,
    read: (top, left, rows, columns) => {
      const y = flipRows ? size.height - top - rows : top
      const x = flipColumns ? size.width - left - columns : left
      const part = transpose ? read(x, y, columns, rows) : read(y, x, rows, columns)
      return oriented(part, orientation)
    },
  }
}

function oriented(image: Image, { transpose, flipRows, flipColumns }: Orientation): Image {
  const { width, height } = image
  const size = transpose ? { width: height, height: width } : { width, height }
  return remapped(image, size, (y, x) => {
    const row = flipRows ? size.height - 1 - y : y
    const column = flipColumns ? size.width - 1 - x : x
    return transpose ? [column, row] : [row, column]
  })
}

/** Inverse of {@link oriented}. */
function orientedBack(image: Image, { transpose, flipRows, flipColumns }: Orientation): Image {
  const { width, height } = image
  const size = transpose ? { width: height, height: width } : { width, height }
  return remapped(image, size, (y, x) => {
    const [row, column] = transpose ? [x, y] : [y, x]
    return [flipRows ? height - 1 - row : row, flipColumns ? width - 1 - column : column]
  })
}

/** An image whose pixel (y, x) is `image`'s pixel `from(y, x)`. */
function remapped(
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
