// What a network's encoder finds in a whole photo, shared by all its tiles: DASR's degradation representation, FBCNN's JPEG quality.

import { type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { type Image, imageToTensor } from '../../data/image.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'

/** Largest side to encode whole; the encoder's maps then take about 200 MB. */
const defaultSidePx = 512

/**
 * Encodes a photo to its representation [1 d]. Large photos are encoded in equal parts, whose mean is
 * returned: the encoder ends with a mean over all pixels, so only the borders between parts differ.
 */
export async function encodePhoto(
  photo: ReadablePicture,
  encode: (part: TensorData) => Promise<TensorData>,
  { sidePx = defaultSidePx }: { readonly sidePx?: number } = {},
): Promise<TensorData> {
  const parts = partsOf(photo, sidePx)
  let mean: Float32Array | undefined
  for (const read of parts) {
    const { bytes, shape } = await encode(imageToTensor(read()))
    if (shape.length !== 2 || shape[0] !== 1) {
      throw new RestoreError('shape', `representation: expected [1 d], got [${shape.join(' ')}]`)
    }
    const values = viewAs(bytes, Float32Array)
    mean ??= new Float32Array(values.length)
    for (let i = 0; i < values.length; i++) mean[i] = mean[i]! + values[i]! / parts.length
  }
  const values = mean ?? new Float32Array(0)
  return { dtype: 'float32', shape: [1, values.length], bytes: new Uint8Array(values.buffer) }
}

/**
 * Cuts a photo into as few parts of one size as cover it; neighbors overlap if the division leaves a
 * remainder.
 */
function partsOf(photo: ReadablePicture, sidePx: number): readonly (() => Image)[] {
  const divide = (size: number) => {
    const count = Math.ceil(size / sidePx)
    const length = Math.ceil(size / count)
    const step = (size - length) / Math.max(count - 1, 1)
    return { length, starts: Array.from({ length: count }, (_, i) => Math.round(i * step)) }
  }
  const rows = divide(photo.height)
  const columns = divide(photo.width)
  return rows.starts.flatMap((top) =>
    columns.starts.map((left) => () => photo.read(top, left, rows.length, columns.length)),
  )
}
