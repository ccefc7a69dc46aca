// What CLIP does to a picture before it looks at it: bytes, shorter side resized, centre cut out, normalised. Every bit as Pillow and
// torchvision have it: bicubic (a = −0.5) with antialiasing, in fixed point, with a rounding to bytes after each pass.

import { float32Data, type TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { antialiasedTaps } from '../../core/resample.ts'
import { type Image, roundHalfEven } from '../image.ts'

const mean = [0.48145466, 0.4578275, 0.40821073] as const
const deviation = [0.26862954, 0.26130258, 0.27577711] as const
const fractionBits = 22

/** Planes of bytes. */
export interface BytePlanes {
  readonly width: number
  readonly height: number
  readonly planes: readonly Uint8Array[]
}

/** Values of [0, 1] as bytes, cut off and not rounded, as the official code does. */
export function toBytes({ width, height, channels, data }: Image): BytePlanes {
  const size = width * height
  const planes = Array.from({ length: channels }, (_, c) => {
    const plane = new Uint8Array(size)
    for (let i = 0; i < size; i++) {
      const value = Math.min(Math.max(data[c * size + i] as number, 0), 1)
      plane[i] = Math.trunc(Math.fround(value * 255))
    }
    return plane
  })
  return { width, height, planes }
}

interface Pass {
  readonly lines: number
  readonly from: number
  readonly to: number
  /** Distance from one sample of a line to the next, and from one line to the next, in source and result. */
  readonly steps: readonly [sample: number, line: number, toSample: number, toLine: number]
}

function resamplePass(source: Uint8Array, { lines, from, to, steps }: Pass): Uint8Array {
  const out = new Uint8Array(lines * to)
  const [sample, line, toSample, toLine] = steps
  for (const [i, { first, weights }] of antialiasedTaps(from, to).entries()) {
    // All sums fit into 31 bits: 255 · 2^22 and a fifth of it, by which the weights overshoot.
    const fixed = Int32Array.from(weights, (weight) => weight * 2 ** fractionBits + (weight < 0 ? -0.5 : 0.5))
    for (let l = 0; l < lines; l++) {
      let at = l * line + first * sample
      let total = 1 << (fractionBits - 1)
      for (let k = 0; k < fixed.length; k++) {
        total += (source[at] as number) * (fixed[k] as number)
        at += sample
      }
      out[l * toLine + i * toSample] = Math.min(Math.max(total >> fractionBits, 0), 255)
    }
  }
  return out
}

/** Pillow's resize with BICUBIC. */
export function resizeBytes(
  { width, height, planes }: BytePlanes,
  toWidth: number,
  toHeight: number,
): BytePlanes {
  const resized = planes.map((plane) => {
    const wide =
      toWidth === width
        ? plane
        : resamplePass(plane, { lines: height, from: width, to: toWidth, steps: [1, width, 1, toWidth] })
    return toHeight === height
      ? wide
      : resamplePass(wide, { lines: toWidth, from: height, to: toHeight, steps: [toWidth, 1, toWidth, 1] })
  })
  return { width: toWidth, height: toHeight, planes: resized }
}

/** Shorter side of `side` pixels, then the square in the middle. */
export function resizeAndCrop(bytes: BytePlanes, side: number): BytePlanes {
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

/** What a CLIP with images of `side` pixels takes for a picture in colour or grey: [1 3 side side]. */
export function clipImage(image: Image, side: number): TensorData {
  if (image.channels !== 1 && image.channels !== 3) {
    throw new RestoreError(
      'input',
      `CLIP: expected an image with 1 or 3 channels, got ${image.channels}; remove its opacity first`,
    )
  }
  return clipBytes(toBytes(image), side)
}

/** The same for planes of bytes, a quarter of the memory. */
export function clipBytes(bytes: BytePlanes, side: number): TensorData {
  const { planes } = resizeAndCrop(bytes, side)
  const values = new Float32Array(3 * side * side)
  for (let c = 0; c < 3; c++) {
    const plane = planes[planes.length === 1 ? 0 : c] as Uint8Array
    const [average, scale] = [Math.fround(mean[c] as number), Math.fround(deviation[c] as number)]
    for (let i = 0; i < plane.length; i++) {
      const value = Math.fround((plane[i] as number) / 255)
      values[c * plane.length + i] = Math.fround(value - average) / scale
    }
  }
  return float32Data(values, [1, 3, side, side])
}
