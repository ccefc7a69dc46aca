// Converts images to the values that metrics compare: cropped planes of levels 0..255 in float64.

import { RestoreError } from '../core/errors.ts'
import { lumaWeights } from '../data/color.ts'
import type { Image } from '../data/image.ts'

/** Planes [h w] of levels 0..255. */
export interface Levels {
  readonly width: number
  readonly height: number
  readonly planes: readonly Float64Array[]
}

/** 'uint8' rounds to whole levels, as in a saved 8-bit file; 'float' only clamps. */
export type Depth = 'uint8' | 'float'

/** Weights of R, G and B and the offset of a luma in 0..255. */
export interface Luma {
  readonly weights: readonly [r: number, g: number, b: number]
  readonly offset: number
  /** Whether luma is rounded to whole levels, as MATLAB does for 8-bit images. */
  readonly isRounded: boolean
}

const [r, g, b, offset] = lumaWeights

/** BT.601 studio-range Y of a saved 8-bit image: rounded (MATLAB) or not (BasicSR, IR-SDE). */
export const matlabLuma: Luma = { weights: [r / 255, g / 255, b / 255], offset, isRounded: true }
export const floatLuma: Luma = { ...matlabLuma, isRounded: false }

/** Y that IPT and DASR apply to a difference: other weights, over 256, no offset. */
export const differenceLuma: Luma = {
  weights: [65.738 / 256, 129.057 / 256, 25.064 / 256],
  offset: 0,
  isRounded: false,
}

/** Y of DASR's SSIM: the weights of its PSNR, over 255 instead of 256. */
export const dasrLuma: Luma = {
  weights: [65.738 / 255, 129.057 / 255, 25.064 / 255],
  offset: 16,
  isRounded: false,
}

/** Float64 values this large are integers, so adding it rounds half to even. */
const integerBase = 1.5 * 2 ** 52

/** Rounds a level of 0..255 half to even; keeps NaN. */
function roundLevel(level: number): number {
  return level + integerBase - integerBase
}

/** Converts every channel to levels, without a border of `cropPx`. */
export function channelLevels(image: Image, depth: Depth, cropPx: number): Levels {
  const width = image.width - 2 * cropPx
  const height = image.height - 2 * cropPx
  const fill = depth === 'uint8' ? fillRounded : fillClamped
  const planes = Array.from({ length: image.channels }, (_, c) => {
    const plane = new Float64Array(width * height)
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + y + cropPx) * image.width + cropPx
      fill(image.data, from, plane, y * width, width)
    }
    return plane
  })
  return { width, height, planes }
}

/**
 * Scales by 255 and clamps, in float32 like NumPy. Keeps NaN, so that a broken output does not pass for a
 * dark one.
 */
function fillClamped(data: Float32Array, from: number, plane: Float64Array, to: number, count: number): void {
  for (let x = 0; x < count; x++) {
    const level = Math.fround(data[from + x]! * 255)
    plane[to + x] = level < 0 ? 0 : level > 255 ? 255 : level
  }
}

function fillRounded(data: Float32Array, from: number, plane: Float64Array, to: number, count: number): void {
  for (let x = 0; x < count; x++) {
    const level = Math.fround(data[from + x]! * 255)
    plane[to + x] = level < 0 ? 0 : level > 255 ? 255 : roundLevel(level)
  }
}

/** Computes luma as one plane; gray counts as RGB with equal channels. */
export function lumaOf({ width, height, planes }: Levels, { weights, offset, isRounded }: Luma): Levels {
  const [r, g = r, b = r] = planes as [Float64Array, Float64Array?, Float64Array?]
  const [weightR, weightG, weightB] = weights
  const plane = new Float64Array(width * height)
  for (let i = 0; i < plane.length; i++)
    plane[i] = weightR * r[i]! + weightG * g[i]! + weightB * b[i]! + offset
  if (isRounded) for (let i = 0; i < plane.length; i++) plane[i] = roundLevel(plane[i]!)
  return { width, height, planes: [plane] }
}

/** Throws unless a pair can be compared pixel by pixel with this crop. */
export function checkPair(metric: string, reference: Image, output: Image, cropPx: number): void {
  const size = ({ channels, height, width }: Image) => `${channels}×${height}×${width}`
  if (size(reference) !== size(output)) {
    throw new RestoreError(
      'shape',
      `${metric}: expected two images of equal size (channels×height×width), got a reference of ${size(reference)} and an output of ${size(output)}`,
    )
  }
  checkCrop(metric, output, cropPx)
}

export function checkCrop(metric: string, { width, height }: Image, cropPx: number): void {
  if (!Number.isInteger(cropPx) || cropPx < 0) {
    throw new RestoreError('usage', `${metric}: expected a crop of 0 or more whole pixels, got ${cropPx}`)
  }
  if (Math.min(width, height) > 2 * cropPx) return
  throw new RestoreError(
    'shape',
    `${metric}: expected more than ${2 * cropPx} pixels per side for a crop of ${cropPx}, got ${height}×${width}; reduce the crop`,
  )
}
