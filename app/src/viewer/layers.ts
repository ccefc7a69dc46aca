// Pictures cut into pieces that every browser can draw: no canvas or bitmap of full size is kept.

import type { Rectangle, Size } from './view.ts'

/** A part of a picture; its place is in pixels of the original, its bitmap may have more. */
export interface Piece extends Rectangle {
  readonly bitmap: ImageBitmap
}

/** A picture, or the parts of it that there are. */
export interface Layer extends Size {
  readonly pieces: readonly Piece[]
  /** A small copy of the whole, for drawing it small. */
  readonly overview?: ImageBitmap | undefined
}

/** Samples of an 8-bit RGBA picture. */
export interface Samples extends Size {
  readonly data: Uint8ClampedArray<ArrayBuffer>
  readonly colorSpace: PredefinedColorSpace
}

const pieceSide = 2048
const overviewSide = 1024
/** Pictures up to this size stay in one piece. */
const wholePixels = 4e6

function* parts({ width, height }: Size): Generator<Rectangle> {
  const side = width * height <= wholePixels ? Number.POSITIVE_INFINITY : pieceSide
  for (let y = 0; y < height; y += side)
    for (let x = 0; x < width; x += side)
      yield { x, y, width: Math.min(side, width - x), height: Math.min(side, height - y) }
}

/** Cuts a picture; `original` is the size that places refer to. */
export async function layerOf(source: ImageBitmap | Samples, original: Size = source): Promise<Layer> {
  const scale = source.width / original.width
  const pieces: Piece[] = []
  for (const { x, y, width, height } of parts(source)) {
    const bitmap =
      source instanceof ImageBitmap
        ? await createImageBitmap(source, x, y, width, height)
        : await createImageBitmap(cut(source, { x, y, width, height }))
    const place = { x: x / scale, y: y / scale, width: width / scale, height: height / scale }
    pieces.push({ ...place, bitmap })
  }
  const overview = source instanceof ImageBitmap ? await overviewOf(source) : undefined
  return { width: original.width, height: original.height, pieces, overview }
}

async function overviewOf(bitmap: ImageBitmap): Promise<ImageBitmap | undefined> {
  const shrink = overviewSide / Math.max(bitmap.width, bitmap.height)
  if (shrink >= 0.5) return undefined
  return createImageBitmap(bitmap, {
    resizeWidth: Math.max(Math.round(bitmap.width * shrink), 1),
    resizeHeight: Math.max(Math.round(bitmap.height * shrink), 1),
    resizeQuality: 'high',
  })
}

/** Copies a part of samples. */
function cut({ data, width: across, colorSpace }: Samples, { x, y, width, height }: Rectangle): ImageData {
  const part = new ImageData(width, height, { colorSpace })
  for (let row = 0; row < height; row++) {
    const start = 4 * ((y + row) * across + x)
    part.data.set(data.subarray(start, start + 4 * width), 4 * row * width)
  }
  return part
}

/** Frees the memory of a layer at once, instead of whenever garbage is collected. */
export function closeLayer(layer: Layer | undefined): void {
  for (const { bitmap } of layer?.pieces ?? []) bitmap.close()
  layer?.overview?.close()
}
