// Sizes that a network does not take: padded at the right and bottom before it, cropped after it.

import { roundUp } from '../core/functional.ts'
import { crop, type Image } from '../data/image.ts'

/** Index into a line of `size` pixels that is continued to `padded`: mirrored, the edge not repeated. */
export function continued(index: number, size: number, padded: number): number {
  if (index < size) return index
  // A mirror needs more pixels than it adds; a shorter line repeats its edge.
  return padded - size < size ? 2 * (size - 1) - index : size - 1
}

/** Reflects right and bottom up to the next multiple, each side on its own; a side that fits is left alone. */
export function padToMultiple(image: Image, multiple: number): Image {
  const width = roundUp(image.width, multiple)
  const height = roundUp(image.height, multiple)
  if (width === image.width && height === image.height) return image
  const data = new Float32Array(image.channels * height * width)
  for (let c = 0; c < image.channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + continued(y, image.height, height)) * image.width
      const to = (c * height + y) * width
      for (let x = 0; x < width; x++)
        data[to + x] = image.data[from + continued(x, image.width, width)] as number
    }
  }
  return { width, height, channels: image.channels, data }
}

/** Runs `forward` on the padded image and cuts the padding off its result. */
export async function withPadding(
  image: Image,
  multiple: number,
  forward: (padded: Image) => Promise<Image>,
): Promise<Image> {
  const result = await forward(padToMultiple(image, multiple))
  return crop(result, 0, 0, image.height, image.width)
}
