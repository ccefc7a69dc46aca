// CLIP's image preprocessing: to bytes, shorter side resized, center crop, normalization. Matches Pillow and
// torchvision bit for bit: antialiased bicubic (a = −0.5) in fixed point, rounded to bytes after each pass.

import { float32Data, type TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { antialiasedTaps } from '../../core/resample.ts'
import { type Image, roundHalfEven } from '../image.ts'

/** Mean and deviation of CLIP's photos by channel. */
export const photoColors = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  deviation: [0.26862954, 0.26130258, 0.27577711],
} as const
const { mean, deviation } = photoColors
const fractionBits = 22

/** An image as one plane of bytes [h w] per channel. */
export interface BytePlanes {
  readonly width: number
  readonly height: number
  readonly planes: readonly Uint8Array[]
}

/** Converts [0, 1] to bytes, truncating rather than rounding, as the official code does. */
export function toBytes({ width, height, channels, data }: Image): BytePlanes {
  const size = width * height
  const planes = Array.from({ length: channels }, (_, c) => {
    const plane = new Uint8Array(size)
    for (let i = 0; i < size; i++) {
      const value = Math.fround(data[c * size + i]! * 255)
      plane[i] = value > 0 ? Math.min(value, 255) : 0
    }
    return plane
  })
  return { width, height, planes }
}

/** Converts bytes to [0, 1]. */
export function fromBytes({ width, height, planes }: BytePlanes): Image {
  const data = new Float32Array(planes.length * width * height)
  for (const [c, plane] of planes.entries())
    for (let i = 0; i < plane.length; i++) data[c * plane.length + i] = plane[i]! / 255
  return { width, height, channels: planes.length, data }
}

/** Fixed-point weights of one output sample, applied from input sample `first`. */
interface FixedTaps {
  readonly first: number
  readonly weights: Int32Array
}

function fixedTaps(from: number, to: number): readonly FixedTaps[] {
  return antialiasedTaps(from, to).map(({ first, weights }) => ({
    first,
    weights: new Int32Array(weights.map((weight) => weight * 2 ** fractionBits + (weight < 0 ? -0.5 : 0.5))),
  }))
}

const half = 1 << (fractionBits - 1)

/**
 * Converts a fixed-point sum to a byte. Sums fit in 31 bits: 255 · 2^22 plus a fifth for the weights'
 * overshoot.
 */
function toByte(total: number): number {
  return Math.min(Math.max(total >> fractionBits, 0), 255)
}

function resizeRows(source: Uint8Array, width: number, taps: readonly FixedTaps[]): Uint8Array {
  const rows = source.length / width
  const out = new Uint8Array(rows * taps.length)
  for (const [x, { first, weights }] of taps.entries()) {
    for (let y = 0; y < rows; y++) {
      const from = y * width + first
      let total = half
      for (let k = 0; k < weights.length; k++) total = (total + Math.imul(source[from + k]!, weights[k]!)) | 0
      out[y * taps.length + x] = toByte(total)
    }
  }
  return out
}

function resizeColumns(source: Uint8Array, width: number, taps: readonly FixedTaps[]): Uint8Array {
  const out = new Uint8Array(width * taps.length)
  // Whole rows at a time, since they are contiguous in memory.
  const totals = new Int32Array(width)
  for (const [y, { first, weights }] of taps.entries()) {
    totals.fill(half)
    for (let k = 0; k < weights.length; k++) {
      const from = (first + k) * width
      const weight = weights[k]!
      for (let x = 0; x < width; x++) totals[x] = totals[x]! + Math.imul(source[from + x]!, weight)
    }
    for (let x = 0; x < width; x++) out[y * width + x] = toByte(totals[x]!)
  }
  return out
}

/** Resizes like Pillow's BICUBIC. */
export function resizeBytes(
  { width, height, planes }: BytePlanes,
  toWidth: number,
  toHeight: number,
): BytePlanes {
  const columns = toWidth === width ? undefined : fixedTaps(width, toWidth)
  const rows = toHeight === height ? undefined : fixedTaps(height, toHeight)
  const resized = planes.map((plane) => {
    const wide = columns ? resizeRows(plane, width, columns) : plane
    return rows ? resizeColumns(wide, toWidth, rows) : wide
  })
  return { width: toWidth, height: toHeight, planes: resized }
}

/**
 * Resizes to CLIP's input: for a square, the shorter side is resized and the center cropped; otherwise, both
 * sides are resized, as in OpenCLIP.
 */
export function resizeAndCrop(bytes: BytePlanes, [toHeight, toWidth]: ClipSize): BytePlanes {
  if (toHeight !== toWidth) return resizeBytes(bytes, toWidth, toHeight)
  const side = toWidth
  const { width, height } = bytes
  const longer = Math.trunc((side * Math.max(width, height)) / Math.min(width, height))
  const resized = resizeBytes(bytes, width <= height ? side : longer, width <= height ? longer : side)
  const top = roundHalfEven((resized.height - side) / 2)
  const left = roundHalfEven((resized.width - side) / 2)
  const planes = resized.planes.map((plane) => {
    const square = new Uint8Array(side * side)
    for (let y = 0; y < side; y++) {
      const at = (top + y) * resized.width + left
      square.set(plane.subarray(at, at + side), y * side)
    }
    return square
  })
  return { width: side, height: side, planes }
}

/** Height and width of a CLIP's input in pixels. */
export type ClipSize = readonly [height: number, width: number]

/** Preprocesses a color or gray image for a CLIP with input of this size: [1 3 height width]. */
export function clipImage(image: Image, size: ClipSize): TensorData {
  if (image.channels !== 1 && image.channels !== 3) {
    throw new RestoreError(
      'input',
      `CLIP: expected an image with 1 or 3 channels, got ${image.channels}; remove its alpha channel first`,
    )
  }
  return clipBytes(toBytes(image), size)
}

/** Like {@link clipImage}, for byte planes, which take a quarter of the memory. */
export function clipBytes(bytes: BytePlanes, size: ClipSize): TensorData {
  const { planes, height, width } = resizeAndCrop(bytes, size)
  const values = new Float32Array(3 * height * width)
  for (let c = 0; c < 3; c++) {
    const plane = planes[planes.length === 1 ? 0 : c]!
    const average = Math.fround(mean[c]!)
    const scale = Math.fround(deviation[c]!)
    const normalized = Float32Array.from(
      { length: 256 },
      (_, value) => Math.fround(Math.fround(value / 255) - average) / scale,
    )
    const at = c * plane.length
    for (let i = 0; i < plane.length; i++) values[at + i] = normalized[plane[i]!]!
  }
  return float32Data(values, [1, 3, height, width])
}
