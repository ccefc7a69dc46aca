// Opacity of pictures: extracted or replaced, copied at the result's size, and colors of transparent pixels.

import { antialiasedTaps } from '../../core/resample.ts'
import { type Pixels, peakOf } from '../../data/image.ts'

/** Extracts the opacity as a gray picture; undefined if there is none or it is uniform. */
export function opacityOf({ width, height, channels, hasAlpha, data }: Pixels): Pixels | undefined {
  if (!hasAlpha) return undefined
  const step = channels + 1
  const opacity = new (data instanceof Uint16Array ? Uint16Array : Uint8Array)(width * height)
  for (let i = 0; i < opacity.length; i++) opacity[i] = data[i * step + channels]!
  if (opacity.every((value) => value === opacity[0])) return undefined
  return { width, height, channels: 1, hasAlpha: false, data: opacity }
}

/** Replaces the opacity with a gray picture of the same size and depth. */
export function setOpacity({ channels, data }: Pixels, opacity: Pixels): void {
  for (let i = 0; i < opacity.data.length; i++) data[i * (channels + 1) + channels] = opacity.data[i]!
}

/**
 * Opacity below which a color hardly shows, and is therefore often arbitrary: a sixteenth of the largest in
 * the picture.
 */
function faintOpacity({ channels, hasAlpha, data }: Pixels): number {
  let most = 0
  if (hasAlpha) for (let i = channels; i < data.length; i += channels + 1) most = Math.max(most, data[i]!)
  return Math.max(most / 16, 1)
}

/**
 * Returns a function that copies a row of opacity into a result, upscaled bicubically to its size. At scale
 * 1, pixels that hardly show also keep their color.
 */
export function opacityCopier(pixels: Pixels, out: Pixels, scale: number): (y: number) => void {
  const step = pixels.channels + 1
  const peak = peakOf(out.data)
  const inputPeak = peakOf(pixels.data)
  const faint = faintOpacity(pixels)
  const down = antialiasedTaps(pixels.height, out.height)
  const across = antialiasedTaps(pixels.width, out.width)
  const line = new Float32Array(pixels.width)
  const at = (row: number, x: number) => pixels.data[(row * pixels.width + x) * step + pixels.channels]!
  return (y) => {
    const { first, weights } =
      scale === 1 ? { first: y, weights: [1] } : (down[y] ?? { first: 0, weights: [] })
    for (let x = 0; x < pixels.width; x++)
      line[x] = weights.reduce((sum, weight, k) => sum + weight * at(first + k, x), 0)
    for (let x = 0; x < out.width; x++) {
      const taps = across[x]
      let value = 0
      if (scale === 1) value = line[x]!
      else
        taps?.weights.forEach((weight, k) => {
          value += weight * line[taps.first + k]!
        })
      const to = (y * out.width + x) * step + pixels.channels
      out.data[to] = Math.round(Math.min(Math.max(value / inputPeak, 0), 1) * peak)
      if (scale > 1 || value >= faint) continue
      for (let c = 1; c < step; c++) out.data[to - c] = Math.round((pixels.data[to - c]! / inputPeak) * peak)
    }
  }
}

/**
 * Gives pixels that hardly show the color of the nearest visible one, because the color in the file, often
 * black, would bleed into edges. Returns the picture itself if there are no such pixels, or no others.
 */
export function visibleColors(pixels: Pixels): Pixels {
  const { width, height, channels, hasAlpha, data } = pixels
  const step = channels + 1
  const faint = faintOpacity(pixels)
  const isHidden = (i: number) => data[i * step + channels]! < faint
  const count = width * height
  let hidden = 0
  if (hasAlpha) for (let i = 0; i < count; i++) if (isHidden(i)) hidden++
  if (hidden === 0 || hidden === count) return pixels
  const nearest = nearestVisible(width, height, isHidden)
  const filled = data.slice()
  for (let i = 0; i < count; i++) {
    const from = nearest[i]! * step
    for (let c = 0; c < channels; c++) filled[i * step + c] = data[from + c]!
  }
  return { ...pixels, data: filled }
}

/**
 * Index of the nearest visible pixel for every pixel, in two passes over neighbors (8SSED, Danielsson 1980).
 */
function nearestVisible(width: number, height: number, isHidden: (i: number) => boolean): Int32Array {
  const nearest = Int32Array.from({ length: width * height }, (_, i) => (isHidden(i) ? -1 : i))
  const distance = (i: number, j: number) =>
    (Math.floor(i / width) - Math.floor(j / width)) ** 2 + ((i % width) - (j % width)) ** 2
  const consider = (i: number, x: number, y: number) => {
    if (x < 0 || x >= width || y < 0 || y >= height) return
    const own = nearest[i]!
    const other = nearest[y * width + x]!
    if (other >= 0 && (own < 0 || distance(i, other) < distance(i, own))) nearest[i] = other
  }
  const sweep = (y: number, side: number) => {
    for (let x = 0; x < width; x++) {
      for (const across of [-1, 0, 1]) consider(y * width + x, x + across, y + side)
      consider(y * width + x, x - 1, y)
    }
    for (let x = width - 1; x >= 0; x--) consider(y * width + x, x + 1, y)
  }
  for (let y = 0; y < height; y++) sweep(y, -1)
  for (let y = height - 1; y >= 0; y--) sweep(y, 1)
  return nearest
}
