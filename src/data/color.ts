// Color as MATLAB's rgb2ycbcr and BasicSR have it: ITU-R BT.601 in studio range (Y 16..235). JPEG's full-range YCbCr is another.

import { RestoreError } from '../core/errors.ts'
import { type Image, roundHalfEven } from './image.ts'

/** Whether converted values stay as they are or are rounded to 8-bit levels (multiples of 1/255), half to even. */
export type Levels = 'float' | 'uint8'

/** Rows Y, Cb, Cr: weights of R, G, B in [0, 1], then the offset; results in 0..255. */
const toYcbcr = [
  [65.481, 128.553, 24.966, 16],
  [-37.797, -74.203, 112, 128],
  [112, -93.786, -18.214, 128],
] as const

/** Weights of R, G, B in [0, 1], then the offset, of Y in 0..255. */
export const lumaWeights = toYcbcr[0]

/** Rows R, G, B: weights of Y, Cb, Cr in [0, 1], then the offset; results in 0..255. */
const toRgb = [
  [0.00456621 * 65025, 0, 0.00625893 * 65025, -222.921],
  [0.00456621 * 65025, -0.00153632 * 65025, -0.00318811 * 65025, 135.576],
  [0.00456621 * 65025, 0.00791071 * 65025, 0, -276.836],
] as const

type Row = readonly [number, number, number, number]

/** [3 h w] RGB to [3 h w] YCbCr, both in [0, 1]. */
export function rgbToYcbcr(image: Image, levels: Levels = 'float'): Image {
  return combineChannels('rgbToYcbcr', image, toYcbcr, levels)
}

/** [3 h w] YCbCr to [3 h w] RGB, both in [0, 1]; rounded values are clamped, float ones are not. */
export function ycbcrToRgb(image: Image, levels: Levels = 'float'): Image {
  return combineChannels('ycbcrToRgb', image, toRgb, levels)
}

/** The Y of {@link rgbToYcbcr} alone: [1 h w]. */
export function luma(image: Image, levels: Levels = 'float'): Image {
  return combineChannels('luma', image, [lumaWeights], levels)
}

/** Swaps the first and last of three channels: RGB to BGR and back. */
export function swapRedBlue(image: Image): Image {
  requireRgb('swapRedBlue', image)
  const plane = image.width * image.height
  const data = new Float32Array(image.data.length)
  for (let c = 0; c < 3; c++) data.set(image.data.subarray(c * plane, (c + 1) * plane), (2 - c) * plane)
  return { ...image, data }
}

/** Gray as OpenCV makes it of 8-bit color, or three equal channels of gray. */
export function withChannels(image: Image, channels: 1 | 3): Image {
  if (image.channels === channels) return image
  const pixels = image.width * image.height
  const data = new Float32Array(channels * pixels)
  if (channels === 3) for (let c = 0; c < 3; c++) data.set(image.data, c * pixels)
  else {
    for (let i = 0; i < pixels; i++) {
      const [r, g, b] = [0, 1, 2].map((c) => image.data[c * pixels + i]! * 255) as [number, number, number]
      data[i] = roundHalfEven(0.299 * r + 0.587 * g + 0.114 * b) / 255
    }
  }
  return { ...image, channels, data }
}

function combineChannels(where: string, image: Image, rows: readonly Row[], levels: Levels): Image {
  requireRgb(where, image)
  const plane = image.width * image.height
  const [a, b, c] = [0, 1, 2].map((channel) => image.data.subarray(channel * plane, (channel + 1) * plane))
  const data = new Float32Array(rows.length * plane)
  rows.forEach(([forA, forB, forC, offset], row) => {
    for (let i = 0; i < plane; i++) {
      const value = forA * a![i]! + forB * b![i]! + forC * c![i]! + offset
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
    `${where}: expected an image of 3 channels, got ${channels}; gray images have no color to convert`,
  )
}
