// Estimates the noise of a picture: the median absolute deviation of the finest diagonal wavelet coefficients, which hold little but noise
// (Donoho & Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81, 1994).

import type { Image } from '../../data/image.ts'

/** High-pass filter of Daubechies' wavelet with two vanishing moments, so that slopes do not count as noise. */
const highPass = [
  (1 - Math.sqrt(3)) / (4 * Math.SQRT2),
  -(3 - Math.sqrt(3)) / (4 * Math.SQRT2),
  (3 + Math.sqrt(3)) / (4 * Math.SQRT2),
  -(1 + Math.sqrt(3)) / (4 * Math.SQRT2),
] as const

/** Median of the absolute values of a standard normal distribution. */
const normalMedian = 0.6744897501960817

/**
 * Standard deviation of the noise of images in 0..1, of 255: the mean over the channels. Coefficients of 0, as in
 * clipped or synthetic areas, do not count. 0 for images smaller than 4 pixels.
 */
export function noiseLevel(images: readonly Image[]): number {
  const channels = images[0]?.channels ?? 0
  let sum = 0
  for (let c = 0; c < channels; c++) {
    sum += median(images.map((image) => diagonalDetails(image, c)))
  }
  return channels === 0 ? 0 : (255 * sum) / (channels * normalMedian)
}

/** Absolute values of the diagonal coefficients of a channel that are not 0. */
function diagonalDetails({ data, width, height }: Image, channel: number): Float32Array {
  const plane = data.subarray(channel * width * height, (channel + 1) * width * height)
  const details = new Float32Array((width >> 1) * (height >> 1))
  let count = 0
  for (let y = 0; y + 4 <= height; y += 2)
    for (let x = 0; x + 4 <= width; x += 2) {
      let sum = 0
      for (let v = 0; v < 4; v++) {
        const at = (y + v) * width + x
        const [a, b, c, d] = highPass
        sum += highPass[v]! * (a * plane[at]! + b * plane[at + 1]! + c * plane[at + 2]! + d * plane[at + 3]!)
      }
      if (sum !== 0) details[count++] = Math.abs(sum)
    }
  return details.subarray(0, count)
}

function median(parts: readonly Float32Array[]): number {
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    values.set(part, at)
    at += part.length
  }
  if (values.length === 0) return 0
  const middle = values.length >> 1
  const upper = orderStatistic(values, middle)
  if (values.length % 2 === 1) return upper
  let lower = values[0]!
  for (let i = 1; i < middle; i++) if (values[i]! > lower) lower = values[i]!
  return (lower + upper) / 2
}

/** The value at `rank` in ascending order; smaller ones are moved before it (Hoare, Algorithm 65: find, 1961). */
function orderStatistic(values: Float32Array, rank: number): number {
  let [first, last] = [0, values.length - 1]
  while (first < last) {
    const pivot = values[(first + last) >> 1]!
    let [i, j] = [first, last]
    while (i <= j) {
      while (values[i]! < pivot) i++
      while (values[j]! > pivot) j--
      if (i > j) break
      const value = values[i]!
      values[i++] = values[j]!
      values[j--] = value
    }
    if (rank <= j) last = j
    else if (rank >= i) first = i
    else break
  }
  return values[rank]!
}
