// Resamples and blends pictures without a network.

import { RestoreError } from '../../core/errors.ts'
import { antialiasedTaps, type Taps } from '../../core/resample.ts'
import { type Image, type Pixels, peakOf, roundHalfEven } from '../../data/image.ts'
import type { Extent } from '../../data/parts.ts'

/** Upscales bicubically: [c h w] -> [c h·scale w·scale], not clamped. */
export function upscale(image: Image, scale: number): Image {
  if (scale === 1) return image
  return resizePlanes(image, { height: image.height * scale, width: image.width * scale })
}

/** Resizes bicubically with antialiasing: [c h w] -> [c height width], not clamped. */
export function resizePlanes(image: Image, size: Extent): Image {
  const { channels, data } = image
  const [before, after] = [image.height * image.width, size.height * size.width]
  const out = new Float32Array(channels * after)
  for (let c = 0; c < channels; c++) {
    const plane = { ...image, step: 1, data: data.subarray(c * before, (c + 1) * before) }
    resizeRows(plane, size, (row, y) => out.set(row, c * after + y * size.width))
  }
  return { ...size, channels, data: out }
}

/** Resizes bicubically with antialiasing, opacity included, to 16 or 8 bits per sample. */
export function resizePixels(pixels: Pixels, size: Extent, is16Bit: boolean): Pixels {
  const step = pixels.channels + (pixels.hasAlpha ? 1 : 0)
  const data = new (is16Bit ? Uint16Array : Uint8Array)(size.height * size.width * step)
  const peak = peakOf(data)
  const gain = peak / peakOf(pixels.data)
  resizeRows({ ...pixels, step }, size, (row, y) => {
    for (const [i, value] of row.entries())
      data[y * row.length + i] = roundHalfEven(Math.min(Math.max(value * gain, 0), peak))
  })
  return { ...pixels, ...size, data }
}

interface Rows extends Extent {
  /** Samples per pixel. */
  readonly step: number
  readonly data: Float32Array | Uint16Array | Uint8Array
}

/** Resizes interleaved samples, and hands each row on; the row is used again for the next. */
function resizeRows(
  from: Rows,
  { height, width }: Extent,
  onRow: (row: Float64Array, y: number) => void,
): void {
  const { step, data } = from
  const across = antialiasedTaps(from.width, width)
  const line = new Float64Array(from.width * step)
  const row = new Float64Array(width * step)
  for (const [y, { first, weights }] of antialiasedTaps(from.height, height).entries()) {
    line.fill(0)
    for (const [k, weight] of weights.entries()) {
      const start = (first + k) * line.length
      for (let i = 0; i < line.length; i++) line[i] = line[i]! + weight * data[start + i]!
    }
    for (const [x, taps] of across.entries())
      for (let c = 0; c < step; c++) row[x * step + c] = weightedSum(line, taps, step, c)
    onRow(row, y)
  }
}

function weightedSum(line: Float64Array, { first, weights }: Taps, step: number, c: number): number {
  let sum = 0
  for (let k = 0; k < weights.length; k++) sum += weights[k]! * line[(first + k) * step + c]!
  return sum
}

/** Blends output and input: `strength` (0..1) of the output, the rest of the input. */
export function blend(output: Image, input: Image, strength: number): Image {
  const data = output.data.map((value, i) => value * strength + input.data[i]! * (1 - strength))
  return { ...output, data }
}

/**
 * Blends pixels of a result with those of its input, which is resized to them: `strength` (0..1) of the result.
 * @throws RestoreError 'input' for an input with other channels
 */
export function blendPixels(result: Pixels, input: Pixels, strength: number): Pixels {
  const { width, height, channels, hasAlpha, data } = result
  const isWide = data instanceof Uint16Array
  if (input.channels !== channels || input.hasAlpha !== hasAlpha)
    throw new RestoreError(
      'input',
      `blend: expected an input of ${channels} channels, as the result has, got ${input.channels}`,
    )
  const isSameSize = input.width === width && input.height === height
  const original = isSameSize ? input : resizePixels(input, { width, height }, isWide)
  const gain = peakOf(data) / peakOf(original.data)
  const out = isWide ? new Uint16Array(data.length) : new Uint8Array(data.length)
  for (let i = 0; i < out.length; i++)
    out[i] = Math.round(strength * data[i]! + (1 - strength) * gain * original.data[i]!)
  return { ...result, data: out }
}
