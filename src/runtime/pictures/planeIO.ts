// Samples as files hold them, read as planes and written from planes part by part: the picture is never whole in float.

import { RestoreError } from '../../core/errors.ts'
import { type Image, type Pixels, peakOf, roundHalfEven } from '../../data/image.ts'
import { opacityCopier } from './opacity.ts'

export interface Extent {
  readonly height: number
  readonly width: number
}

/** Gives parts of a picture as planes. */
export type ReadPart = (top: number, left: number, height: number, width: number) => Image

/** A picture of which parts are read. */
export interface Picture extends Extent {
  readonly read: ReadPart
}

/** Parts of a picture, continued by reflection to `padded`, in as many planes as a network takes. */
export function planeReader(pixels: Pixels, wanted: number, padded: Extent): ReadPart {
  const step = pixels.channels + (pixels.hasAlpha ? 1 : 0)
  const layout = { pixelStep: step, channelStep: 1, peak: peakOf(pixels.data) }
  return partReader({ ...pixels, ...layout }, wanted, padded)
}

/** The same of planes. */
export function imageReader(image: Image, wanted: number, padded: Extent): ReadPart {
  const layout = { pixelStep: 1, channelStep: image.width * image.height, peak: 1 }
  return partReader({ ...image, ...layout }, wanted, padded)
}

/** Index into a line of `size` pixels that is continued to `padded`: mirrored, the edge not repeated. */
function reflectIndex(index: number, size: number, padded: number): number {
  if (index < size) return index
  // A mirror needs more pixels than it adds; a shorter line repeats its edge.
  return padded - size < size ? 2 * (size - 1) - index : size - 1
}

interface Layout extends Extent {
  readonly channels: number
  readonly data: Uint8Array | Uint16Array | Float32Array
  /** From a value to that of the next pixel, and to that of the next channel. */
  readonly pixelStep: number
  readonly channelStep: number
  /** The value of white. */
  readonly peak: number
}

function partReader(layout: Layout, wanted: number, padded: Extent): ReadPart {
  const { data, channels, pixelStep, channelStep, peak } = layout
  checkChannels(channels, wanted)
  return (top, left, height, width) => {
    const planes = new Float32Array(wanted * height * width)
    const columns = Int32Array.from({ length: width }, (_, x) =>
      reflectIndex(left + x, layout.width, padded.width),
    )
    for (let y = 0; y < height; y++) {
      const row = reflectIndex(top + y, layout.height, padded.height) * layout.width
      for (let c = 0; c < wanted; c++) {
        const from = channels === 1 ? 0 : c * channelStep
        const to = (c * height + y) * width
        for (let x = 0; x < width; x++)
          planes[to + x] = (data[(row + (columns[x] as number)) * pixelStep + from] as number) / peak
      }
    }
    return { width, height, channels: wanted, data: planes }
  }
}

/** Takes finished rows of a network's planes as they are, neither clamped nor rounded; gray pictures stay gray. */
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
    const averaged = channels === 1 ? rows.channels : 1
    const count = Math.min(rows.height, size.height - top)
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < count; y++) {
        const [from, to] = [c * plane + y * rows.width, (c * size.height + top + y) * size.width]
        for (let x = 0; x < size.width; x++) {
          let value = rows.data[from + x] as number
          for (let more = 1; more < averaged; more++) value += rows.data[more * plane + from + x] as number
          data[to + x] = value / averaged
        }
      }
    }
  }
  return { image: { ...size, channels, data }, emit }
}

function checkChannels(given: number, wanted: number): void {
  if (given === wanted || (given === 1 && wanted === 3)) return
  const advice =
    wanted === 1
      ? 'use weights for color, or a gray image'
      : 'this network takes more than one photo at once: give it tensors with limpid forward'
  throw new RestoreError(
    'input',
    `restore: expected an image with ${wanted} channel(s), got ${given}; ${advice}`,
  )
}

/** Takes finished rows of planes into samples: clamped, rounded half to even; gray pictures stay gray, opacity as it was. */
export function sampleWriter(
  pixels: Pixels,
  scale: number,
  is16Bit: boolean,
): { readonly pixels: Pixels; emit(top: number, rows: Image): void } {
  const { channels, hasAlpha } = pixels
  const [width, height] = [pixels.width * scale, pixels.height * scale]
  const step = channels + (hasAlpha ? 1 : 0)
  const size = width * height * step
  const data = is16Bit ? new Uint16Array(size) : new Uint8Array(size)
  const peak = peakOf(data)
  const out = { width, height, channels, hasAlpha, data }
  const copyOpacity = opacityCopier(pixels, out, scale)
  const emit = (top: number, rows: Image) => {
    const count = Math.min(rows.height, height - top)
    // A color network's three planes of a gray picture are averaged.
    const planes = rows.channels > channels ? [meanPlane(rows)] : planesOf(rows)
    for (const [c, plane] of planes.entries()) {
      for (let y = 0; y < count; y++) {
        const [from, to] = [y * rows.width, (top + y) * width * step + c]
        for (let x = 0; x < width; x++) {
          const value = Math.min(Math.max(plane[from + x] as number, 0), 1)
          data[to + x * step] = roundHalfEven(Math.fround(value * peak))
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
    for (let i = 0; i < mean.length; i++)
      mean[i] = (mean[i] as number) + (plane[i] as number) / image.channels
  return mean
}
