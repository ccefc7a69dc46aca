// Reads samples as planes and writes planes as samples, part by part, so a picture is never whole in floats.

import { RestoreError } from '../../core/errors.ts'
import { sampleAt, type ToneTable } from '../../data/colors/toneTables.ts'
import { ditherAt } from '../../data/dither.ts'
import { type Image, type Pixels, peakOf, roundHalfEven } from '../../data/image.ts'
import type { Extent, PartedImage, ReadPart } from '../../data/parts.ts'
import { opacityCopier } from './opacity.ts'

/** A picture that is read in parts. */
export interface ReadablePicture extends Extent {
  readonly read: ReadPart
}

/**
 * Reads parts of pixels as `planes` planes, reflect-padded to `padded`; gray pixels fill three planes.
 * @param tones table of values for each channel, for samples without sRGB's curve
 * @throws RestoreError 'input' for another number of channels
 */
export function planeReader(
  pixels: Pixels,
  planes: number,
  padded: Extent,
  tones?: readonly ToneTable[] | undefined,
): ReadPart {
  const step = pixels.channels + (pixels.hasAlpha ? 1 : 0)
  const strides = { pixelStep: step, channelStep: 1, peak: peakOf(pixels.data) }
  return partReader({ ...pixels, ...strides, tones }, planes, padded)
}

/** Like {@link planeReader}, for an image that consists of planes, or is read as such. */
export function imageReader(image: Image | PartedImage, planes: number, padded: Extent): ReadPart {
  if (!('data' in image)) return image.reader(planes, padded)
  const strides = { pixelStep: 1, channelStep: image.width * image.height, peak: 1 }
  return partReader({ ...image, ...strides }, planes, padded)
}

/** Index into a line of `size` pixels, reflected up to `padded` without repeating the edge. */
function reflectIndex(index: number, size: number, padded: number): number {
  if (index < size) return index
  // Reflection needs more pixels than it adds; a shorter line repeats its edge.
  return padded - size < size ? 2 * (size - 1) - index : size - 1
}

/** Samples of any layout. */
interface StridedSamples extends Extent {
  readonly channels: number
  readonly data: Uint8Array | Uint16Array | Float32Array
  /** Distance from a value to that of the next pixel. */
  readonly pixelStep: number
  /** Distance from a value to that of the next channel. */
  readonly channelStep: number
  /** Value of white. */
  readonly peak: number
  readonly tones?: readonly ToneTable[] | undefined
}

function partReader(samples: StridedSamples, planeCount: number, padded: Extent): ReadPart {
  const { data, channels, pixelStep, channelStep, peak, tones } = samples
  checkChannels(channels, planeCount)
  return (top, left, height, width) => {
    const planes = new Float32Array(planeCount * height * width)
    const columns = Int32Array.from({ length: width }, (_, x) =>
      reflectIndex(left + x, samples.width, padded.width),
    )
    for (let y = 0; y < height; y++) {
      const row = reflectIndex(top + y, samples.height, padded.height) * samples.width
      for (let c = 0; c < planeCount; c++) {
        const from = channels === 1 ? 0 : c * channelStep
        const to = (c * height + y) * width
        const tone = tones?.[channels === 1 ? 0 : c]
        for (let x = 0; x < width; x++) {
          const sample = data[(row + columns[x]!) * pixelStep + from]!
          planes[to + x] = tone ? tone[sample]! : sample / peak
        }
      }
    }
    return { width, height, channels: planeCount, data: planes }
  }
}

/** Collects finished rows of planes, neither clamped nor rounded; gray pictures stay gray. */
export function imageWriter(
  picture: Omit<Image, 'data'>,
  scale: number,
  planes: number,
): { readonly image: Image; emit(top: number, rows: Image): void } {
  const { width, height } = picture
  const channels = picture.channels === 1 ? 1 : planes
  const size = { width: width * scale, height: height * scale }
  const data = new Float32Array(channels * size.width * size.height)
  const emit = (top: number, rows: Image) => {
    const plane = rows.width * rows.height
    const averagedPlanes = channels === 1 ? rows.channels : 1
    const count = Math.min(rows.height, size.height - top)
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < count; y++) {
        const from = c * plane + y * rows.width
        const to = (c * size.height + top + y) * size.width
        for (let x = 0; x < size.width; x++) {
          let value = rows.data[from + x]!
          for (let i = 1; i < averagedPlanes; i++) value += rows.data[i * plane + from + x]!
          data[to + x] = value / averagedPlanes
        }
      }
    }
  }
  return { image: { ...size, channels, data }, emit }
}

function checkChannels(channels: number, expected: number): void {
  if (channels === expected || (channels === 1 && expected === 3)) return
  const advice =
    expected === 1
      ? 'use weights for color, or a gray image'
      : 'this network takes several photos at once: pass tensors to limpid forward'
  throw new RestoreError(
    'input',
    `restore: expected an image with ${expected} channel(s), got ${channels}; ${advice}`,
  )
}

interface WriterOptions {
  readonly is16Bit: boolean
  readonly dithers?: boolean
  readonly tones?: readonly ToneTable[] | undefined
}

/**
 * Collects finished rows of planes as samples, clamped and rounded half to even; gray pictures stay gray,
 * and opacity is copied.
 * @param dithers whether 8 bits are rounded up or down by a fixed pattern, which hides the steps of
 * stretched skies; values on a level stay there
 * @param tones table of values for each channel, for samples without sRGB's curve
 */
export function sampleWriter(
  pixels: Pixels,
  scale: number,
  { is16Bit, dithers = false, tones }: WriterOptions,
): { readonly pixels: Pixels; emit(top: number, rows: Image): void } {
  const { channels, hasAlpha } = pixels
  const width = Math.round(pixels.width * scale)
  const height = Math.round(pixels.height * scale)
  const step = channels + (hasAlpha ? 1 : 0)
  const size = width * height * step
  const data = is16Bit ? new Uint16Array(size) : new Uint8Array(size)
  const peak = peakOf(data)
  const out = { width, height, channels, hasAlpha, data }
  const copyOpacity = opacityCopier(pixels, out, scale)
  // Less than half a level, so that levels stay.
  const offset = dithers && !is16Bit ? (x: number, y: number) => 0.98 * ditherAt(x, y) : () => 0
  const emit = (top: number, rows: Image) => {
    const count = Math.min(rows.height, height - top)
    // For a gray picture, the three planes of a color network are averaged.
    const planes = rows.channels > channels ? [meanPlane(rows)] : planesOf(rows)
    for (const [c, plane] of planes.entries()) {
      const tone = tones?.[c]
      for (let y = 0; y < count; y++) {
        const from = y * rows.width
        const to = (top + y) * width * step + c
        for (let x = 0; x < width; x++) {
          const value = Math.min(Math.max(plane[from + x]!, 0), 1)
          const sample = tone ? sampleAt(tone, value) : Math.fround(value * peak)
          data[to + x * step] = roundHalfEven(sample + offset(x, top + y))
        }
      }
    }
    if (hasAlpha) for (let y = top; y < top + count; y++) copyOpacity(y)
  }
  return { pixels: out, emit }
}

function planesOf({ channels, data }: Image): readonly Float32Array[] {
  const size = data.length / channels
  return Array.from({ length: channels }, (_, c) => data.subarray(c * size, (c + 1) * size))
}

function meanPlane(image: Image): Float32Array {
  const mean = new Float32Array(image.width * image.height)
  for (const plane of planesOf(image))
    for (let i = 0; i < mean.length; i++) mean[i] = mean[i]! + plane[i]! / image.channels
  return mean
}
