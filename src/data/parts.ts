// Pictures that are read in parts, so that a large one is never whole in floats.

import { crop, type Image } from './image.ts'

/** Size in pixels. */
export interface Extent {
  readonly height: number
  readonly width: number
}

/** Reads a part of a picture as planes [c h w]. */
export type ReadPart = (top: number, left: number, height: number, width: number) => Image

/** A picture whose planes are computed part by part. */
export interface PartedImage extends Extent {
  readonly channels: number
  /** Creates a reader of `planes` planes, reflect-padded to `padded`; a gray picture fills three planes. */
  reader(planes: number, padded: Extent): ReadPart
}

/** Pixels of a band. */
const bandPixels = 2 ** 19

/** Copies a region of `height` × `width` pixels whose upper left corner is (top, left). */
export function partOf(
  image: Image | PartedImage,
  ...[top, left, height, width]: Parameters<ReadPart>
): Image {
  if ('data' in image) return crop(image, top, left, height, width)
  return image.reader(image.channels, image)(top, left, height, width)
}

/** Reads a picture from the top down, in bands of rows. */
export function* bandsOf(
  image: Image | PartedImage,
): Generator<{ readonly top: number; readonly band: Image }> {
  const { width, height } = image
  const rows = Math.max(1, Math.floor(bandPixels / width))
  for (let top = 0; top < height; top += rows)
    yield { top, band: partOf(image, top, 0, Math.min(rows, height - top), width) }
}

/** All planes of a picture. */
export function wholeOf(image: Image | PartedImage): Image {
  return 'data' in image ? image : partOf(image, 0, 0, image.height, image.width)
}
