// YCbCr as in MATLAB's rgb2ycbcr and BasicSR: ITU-R BT.601, studio range (Y 16..235). JPEG's full-range YCbCr
// differs.

import { RestoreError } from '../core/errors.ts'
import { type Image, roundHalfEven } from './image.ts'

/** 'float' keeps converted values; 'uint8' rounds them to 8-bit levels (multiples of 1/255), half to even. */
export type Levels = 'float' | 'uint8'

/** Rows Y, Cb, Cr: weights of R, G, B in [0, 1], then the offset; result in 0..255. */
const toYcbcr = [
  [65.481, 128.553, 24.966, 16],
  [-37.797, -74.203, 112, 128],
  [112, -93.786, -18.214, 128],
] as const

/** Weights of R, G, B in [0, 1] and the offset that give Y in 0..255. */
export const lumaWeights = toYcbcr[0]

/** Rows R, G, B: weights of Y, Cb, Cr in [0, 1], then the offset; result in 0..255. */
const toRgb = [
  [0.00456621 * 65025, 0, 0.00625893 * 65025, -222.921],
  [0.00456621 * 65025, -0.00153632 * 65025, -0.00318811 * 65025, 135.576],
  [0.00456621 * 65025, 0.00791071 * 65025, 0, -276.836],
] as const

type Row = readonly [number, number, number, number]

/** Converts [3 h w] RGB to [3 h w] YCbCr, both in [0, 1]. */
export function rgbToYcbcr(image: Image, levels: Levels = 'float'): Image {
  return combineChannels('rgbToYcbcr', image, toYcbcr, levels)
}

/** Converts [3 h w] YCbCr to [3 h w] RGB, both in [0, 1]; clamps only with 'uint8'. */
export function ycbcrToRgb(image: Image, levels: Levels = 'float'): Image {
  return combineChannels('ycbcrToRgb', image, toRgb, levels)
}

/** Computes only the Y of {@link rgbToYcbcr}: [1 h w]. */
export function luma(image: Image, levels: Levels = 'float'): Image {
  return combineChannels('luma', image, [lumaWeights], levels)
}

/** Swaps the first and last of three channels: RGB to BGR and vice versa. */
export function swapRedBlue(image: Image): Image {
  requireRgb('swapRedBlue', image)
  const plane = image.width * image.height
  const data = new Float32Array(image.data.length)
  for (let c = 0; c < 3; c++) data.set(image.data.subarray(c * plane, (c + 1) * plane), (2 - c) * plane)
  return { ...image, data }
}

/** Weights of red, green and blue in gray: Rec. 601, as in JPEG and OpenCV. */
export const grayWeights = [0.299, 0.587, 0.114] as const

/** Converts color to gray as OpenCV does for 8-bit images, or gray to three equal channels. */
export function withChannels(image: Image, channels: 1 | 3): Image {
  if (image.channels === channels) return image
  const pixels = image.width * image.height
  const data = new Float32Array(channels * pixels)
  if (channels === 3) for (let c = 0; c < 3; c++) data.set(image.data, c * pixels)
  else {
    for (let i = 0; i < pixels; i++) {
      const r = image.data[i]! * 255
      const g = image.data[pixels + i]! * 255
      const b = image.data[2 * pixels + i]! * 255
      data[i] = roundHalfEven(grayWeights[0] * r + grayWeights[1] * g + grayWeights[2] * b) / 255
    }
  }
  return { ...image, channels, data }
}

function combineChannels(where: string, image: Image, rows: readonly Row[], levels: Levels): Image {
  requireRgb(where, image)
  const plane = image.width * image.height
  const [a, b, c] = [0, 1, 2].map((i) => image.data.subarray(i * plane, (i + 1) * plane))
  const data = new Float32Array(rows.length * plane)
  rows.forEach(([weightA, weightB, weightC, offset], row) => {
    for (let i = 0; i < plane; i++) {
      const value = weightA * a![i]! + weightB * b![i]! + weightC * c![i]! + offset
      const level = levels === 'float' ? value : Math.min(Math.max(roundHalfEven(value), 0), 255)
      data[row * plane + i] = level / 255
    }
  })
  return { ...image, channels: rows.length, data }
}

function requireRgb(where: string, { channels }: Image): void {
  if (channels === 3) return
  throw new RestoreError(
    'shape',
    `${where}: expected an image with 3 channels, got ${channels}; pass an RGB image`,
  )
}
