// JPEG compression without the lossless entropy coding; matches baseline libjpeg(-turbo) with its default
// 'islow' DCT and fancy upsampling bit for bit.

import { RestoreError } from '../core/errors.ts'
import {
  chromaSteps as chromaStepsOf,
  forwardDct,
  inverseDct,
  lumaSteps,
} from '../data/formats/jpegTransform.ts'
import { crop, type Image, quantize } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'

export type Subsampling = '4:2:0' | '4:4:4'

/** A plane of bytes [h w]. */
interface Plane {
  readonly width: number
  readonly height: number
  readonly values: Uint8Array
}

/**
 * Transforms, quantizes and inverts each 8x8 block; the right and bottom edges are repeated to fill blocks.
 */
function codePlane({ width, height, values }: Plane, table: Int32Array): Plane {
  const out = new Uint8Array(width * height)
  const block = new Int32Array(64)
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      for (let i = 0; i < 64; i++) {
        const y = Math.min(top + (i >> 3), height - 1)
        block[i] = values[y * width + Math.min(left + (i & 7), width - 1)]! - 128
      }
      codeBlock(block, table)
      const rows = Math.min(8, height - top)
      const columns = Math.min(8, width - left)
      for (let y = 0; y < rows; y++) {
        const at = (top + y) * width + left
        for (let x = 0; x < columns; x++) {
          const value = block[y * 8 + x]! + 128
          out[at + x] = value < 0 ? 0 : value > 255 ? 255 : value
        }
      }
    }
  }
  return { width, height, values: out }
}

function codeBlock(block: Int32Array, table: Int32Array): void {
  for (let y = 0; y < 8; y++) forwardDct(block, y * 8, 1, 11)
  for (let x = 0; x < 8; x++) forwardDct(block, x, 8, 15)
  for (let i = 0; i < 64; i++) {
    const value = block[i]!
    const step = table[i]!
    // The DCT is scaled by 8. Rounds half away from zero.
    const level = (((value < 0 ? -value : value) + (step << 2)) / (step << 3)) | 0
    block[i] = value < 0 ? -level * step : level * step
  }
  for (let x = 0; x < 8; x++) inverseDct(block, x, 8, 11)
  for (let y = 0; y < 8; y++) inverseDct(block, y * 8, 1, 18)
}

/** Converts interleaved RGB to Y, Cb and Cr in 16-bit fixed point. */
function toYcc(rgb: Uint8Array, width: number, height: number): [Plane, Plane, Plane] {
  const pixels = width * height
  const plane = (): Plane => ({ width, height, values: new Uint8Array(pixels) })
  const luma = plane()
  const cb = plane()
  const cr = plane()
  const chromaOffset = (128 << 16) + 32767
  for (let i = 0; i < pixels; i++) {
    const r = rgb[3 * i]!
    const g = rgb[3 * i + 1]!
    const b = rgb[3 * i + 2]!
    luma.values[i] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
    cb.values[i] = (-11059 * r - 21709 * g + 32768 * b + chromaOffset) >> 16
    cr.values[i] = (32768 * r - 27439 * g - 5329 * b + chromaOffset) >> 16
  }
  return [luma, cb, cr]
}

/** Averages 2x2 pixels, rounding down and up alternately; an odd last column or row is repeated. */
function halve({ width, height, values }: Plane): Plane {
  // As wide as whole blocks, since libjpeg repeats columns before halving, but rows after it.
  const halfWidth = Math.ceil(width / 16) * 8
  const halfHeight = Math.ceil(height / 2)
  const out = new Uint8Array(halfWidth * halfHeight)
  for (let y = 0; y < halfHeight; y++) {
    const upper = 2 * y * width
    const lower = Math.min(2 * y + 1, height - 1) * width
    for (let x = 0; x < halfWidth; x++) {
      const left = Math.min(2 * x, width - 1)
      const right = Math.min(2 * x + 1, width - 1)
      const sum =
        values[upper + left]! + values[upper + right]! + values[lower + left]! + values[lower + right]!
      out[y * halfWidth + x] = (sum + 1 + (x & 1)) >> 2
    }
  }
  return { width: halfWidth, height: halfHeight, values: out }
}

/** Doubles a plane with libjpeg's triangle filter (weights 9, 3, 3, 1 of 16), cropped to a size. */
function double(plane: Plane, width: number, height: number): Plane {
  const { values, width: stride } = plane
  const halfWidth = Math.ceil(width / 2)
  const out = new Uint8Array(width * height)
  // libjpeg repeats pixels of narrower planes instead of filtering.
  const isFiltered = halfWidth > 2
  const column = new Int32Array(halfWidth)
  for (let y = 0; y < height; y++) {
    const near = y >> 1
    const far = Math.min(Math.max(near + ((y & 1) === 0 ? -1 : 1), 0), plane.height - 1)
    for (let x = 0; x < halfWidth; x++) {
      column[x] = isFiltered
        ? 3 * values[near * stride + x]! + values[far * stride + x]!
        : 4 * values[near * stride + x]!
    }
    for (let x = 0; x < width; x++) {
      const center = column[x >> 1]!
      const isLeft = (x & 1) === 0
      const neighbor = Math.min(Math.max((x >> 1) + (isLeft ? -1 : 1), 0), halfWidth - 1)
      const other = isFiltered ? column[neighbor]! : center
      out[y * width + x] = (3 * center + other + (isLeft ? 8 : 7)) >> 4
    }
  }
  return { width, height, values: out }
}

/** Converts Y, Cb and Cr to RGB planes in [0, 1]. */
function fromYcc([luma, cb, cr]: readonly [Plane, Plane, Plane]): Float32Array {
  const pixels = luma.values.length
  const data = new Float32Array(3 * pixels)
  const clamp = (value: number) => (value < 0 ? 0 : value > 255 ? 255 : value) / 255
  for (let i = 0; i < pixels; i++) {
    const y = luma.values[i]!
    const u = cb.values[i]! - 128
    const v = cr.values[i]! - 128
    data[i] = clamp(y + ((91881 * v + 32768) >> 16))
    data[pixels + i] = clamp(y + ((-22554 * u - 46802 * v + 32768) >> 16))
    data[2 * pixels + i] = clamp(y + ((116130 * u + 32768) >> 16))
  }
  return data
}

/**
 * Compresses an image [1|3 h w] as a JPEG of quality 1..100 and decodes it; values are multiples of 1/255.
 */
export function compressJpeg(image: Image, quality: number, subsampling: Subsampling): Image {
  const { width, height, channels } = image
  if (channels !== 1 && channels !== 3) {
    throw new RestoreError('shape', `jpeg: expected a gray or RGB image, got ${channels} channels`)
  }
  const bytes = quantize(image, 255, new Uint8Array(image.data.length))
  const steps = lumaSteps(quality)
  if (channels === 1) {
    const { values } = codePlane({ width, height, values: bytes }, steps)
    const data = new Float32Array(values.length)
    for (let i = 0; i < data.length; i++) data[i] = values[i]! / 255
    return { width, height, channels, data }
  }
  const chromaSteps = chromaStepsOf(quality)
  const [luma, ...chroma] = toYcc(bytes, width, height)
  const [cb, cr] = chroma.map((plane) =>
    subsampling === '4:4:4'
      ? codePlane(plane, chromaSteps)
      : double(codePlane(halve(plane), chromaSteps), width, height),
  ) as [Plane, Plane]
  return { width, height, channels, data: fromYcc([codePlane(luma, steps), cb, cr]) }
}

const subsampling = {
  type: 'choice',
  summary: 'chroma at half resolution (4:2:0, as most cameras and websites use) or full resolution (4:4:4)',
  choices: ['4:2:0', '4:4:4'],
  default: '4:2:0',
} as const

const jpegParameters = {
  quality: {
    type: 'number',
    summary: 'quality on the scale of libjpeg and OpenCV',
    unit: '1..100',
    minimum: 1,
    maximum: 100,
    isWhole: true,
    default: [10, 80],
  },
  subsampling,
} as const satisfies Parameters

/** JPEG compression, bit-identical to libjpeg-turbo. */
export const jpeg = defineDegradation({
  name: 'jpeg',
  summary: 'JPEG compression, bit-identical to libjpeg-turbo',
  source: 'ITU-T T.81; DA-CLIP uses quality 10 (scripts/generate_LQ.py)',
  parameters: jpegParameters,
  apply: (image, drawn) => compressJpeg(image, drawn.quality, drawn.subsampling),
})

const blocksParameters = {
  quality: {
    type: 'number',
    summary: 'quality of the first compression, whose blocks are visible',
    unit: '1..100',
    minimum: 1,
    maximum: 100,
    isWhole: true,
    default: [4, 14],
  },
  second: {
    type: 'number',
    summary: 'quality of the second compression, on a grid shifted by 1..7 px in both directions',
    unit: '1..100',
    minimum: 1,
    maximum: 100,
    isWhole: true,
    default: [20, 50],
  },
  subsampling,
} as const satisfies Parameters

/** Strong JPEG blocks, compressed again on a shifted grid. */
export const jpegBlocks = defineDegradation({
  name: 'jpeg-blocks',
  summary: 'strong JPEG blocks, compressed again on a shifted grid, as in a cropped and reposted image',
  source: 'non-aligned double compression; Bianchi and Piva, IEEE TIFS 2012',
  parameters: blocksParameters,
  apply(image, drawn, random) {
    const { width, height } = image
    const first = compressJpeg(image, drawn.quality, drawn.subsampling)
    const left = 1 + random.integer(7)
    const top = 1 + random.integer(7)
    const recompressed = compressJpeg(padTopLeft(first, left, top), drawn.second, drawn.subsampling)
    return crop(recompressed, top, left, height, width)
  },
})

/** Pads an image on the left and top by repeating its first column and row. */
function padTopLeft({ width, height, channels, data }: Image, left: number, top: number): Image {
  const wide = width + left
  const high = height + top
  const out = new Float32Array(channels * wide * high)
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < high; y++) {
      const from = (c * height + Math.max(y - top, 0)) * width
      const to = (c * high + y) * wide
      out.fill(data[from]!, to, to + left)
      out.set(data.subarray(from, from + width), to + left)
    }
  }
  return { width: wide, height: high, channels, data: out }
}
