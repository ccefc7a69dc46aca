// The values that metrics compare: planes of levels 0..255 in double precision, without their border.

import { RestoreError } from '../core/errors.ts'
import { lumaWeights } from '../data/color.ts'
import type { Image } from '../data/image.ts'

/** Planes [h w] of levels 0..255. */
export interface Levels {
  readonly width: number
  readonly height: number
  readonly planes: readonly Float64Array[]
}

/** 'uint8': rounded to whole levels, as a saved 8-bit file has them; 'float': clamped only. */
export type Depth = 'uint8' | 'float'

/** Weights of R, G and B and the offset of a brightness in 0..255. */
export interface Luma {
  readonly weights: readonly [r: number, g: number, b: number]
  readonly offset: number
  /** Rounds the brightness to whole levels, as MATLAB does for 8-bit images. */
  readonly isRounded: boolean
}

const [r, g, b, offset] = lumaWeights

/** Y of BT.601 in studio range of a saved 8-bit image: rounded (MATLAB) or not (BasicSR, IR-SDE). */
export const matlabLuma: Luma = { weights: [r / 255, g / 255, b / 255], offset, isRounded: true }
export const floatLuma: Luma = { ...matlabLuma, isRounded: false }

/** IPT's and DASR's Y of a difference: other weights, over 256, no offset. */
export const differenceLuma: Luma = {
  weights: [65.738 / 256, 129.057 / 256, 25.064 / 256],
  offset: 0,
  isRounded: false,
}

/** Y of DASR's SSIM: the weights of its PSNR, but over 255. */
export const dasrLuma: Luma = {
  weights: [65.738 / 255, 129.057 / 255, 25.064 / 255],
  offset: 16,
  isRounded: false,
}

/** From here to its double, float64 holds whole numbers alone: adding it rounds, half to even. */
const wholeAbove = 1.5 * 2 ** 52

/** Half to even, of 0..255; NaN stays. */
function roundLevel(level: number): number {
  return level + wholeAbove - wholeAbove
}

/** Every channel without a border of `cropPx`. */
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

/** Clamped and times 255, in float32 as NumPy has it. A value that is no number stays so: a broken output must not look like a dark one. */
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

/** Brightness of channels as one plane; gray counts as RGB with three equal channels. */
export function lumaOf({ width, height, planes }: Levels, { weights, offset, isRounded }: Luma): Levels {
  const [r, g = r, b = r] = planes as [Float64Array, Float64Array?, Float64Array?]
  const [forR, forG, forB] = weights
  const plane = new Float64Array(width * height)
  for (let i = 0; i < plane.length; i++) plane[i] = forR * r[i]! + forG * g[i]! + forB * b[i]! + offset
  if (isRounded) for (let i = 0; i < plane.length; i++) plane[i] = roundLevel(plane[i]!)
  return { width, height, planes: [plane] }
}

/** Refuses a pair that cannot be compared pixel by pixel. */
export function checkPair(metric: string, reference: Image, output: Image, cropPx: number): void {
  const size = ({ channels, height, width }: Image) => `${channels}×${height}×${width}`
  if (size(reference) !== size(output)) {
    throw new RestoreError(
      'shape',
      `${metric}: expected two images of one size (channels×height×width), got a reference of ${size(reference)} and an output of ${size(output)}`,
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
    `${metric}: expected an image of more than ${2 * cropPx} pixels a side, as ${cropPx} are cropped, got ${height}×${width}`,
  )
}
