// Samples as files hold them, read as planes and written from planes part by part: the picture is never whole in float.

import { RestoreError } from '../core/errors.ts'
import { type Image, type Pixels, peakOf, roundHalfEven } from '../data/image.ts'
import { continued } from './pad.ts'

export interface Extent {
  readonly height: number
  readonly width: number
}

/** Parts of a picture, continued by reflection to `padded`, in as many planes as a network takes. */
export function planeReader(
  pixels: Pixels,
  wanted: number,
  padded: Extent,
): (top: number, left: number, height: number, width: number) => Image {
  checkChannels(pixels.channels, wanted)
  const { data, channels, hasAlpha } = pixels
  const step = channels + (hasAlpha ? 1 : 0)
  const peak = peakOf(data)
  return (top, left, height, width) => {
    const planes = new Float32Array(wanted * height * width)
    const columns = Int32Array.from({ length: width }, (_, x) =>
      continued(left + x, pixels.width, padded.width),
    )
    for (let y = 0; y < height; y++) {
      const row = continued(top + y, pixels.height, padded.height) * pixels.width
      for (let c = 0; c < wanted; c++) {
        const from = channels === 1 ? 0 : c
        const to = (c * height + y) * width
        for (let x = 0; x < width; x++)
          planes[to + x] = (data[(row + (columns[x] as number)) * step + from] as number) / peak
      }
    }
    return { width, height, channels: wanted, data: planes }
  }
}

function checkChannels(given: number, wanted: number): void {
  if (given === wanted || (given === 1 && wanted === 3)) return
  const advice =
    wanted === 1
      ? 'use weights for colour, or a grey image'
      : 'this network takes more than one photo at once: give it tensors with limpid forward'
  throw new RestoreError(
    'input',
    `restore: expected an image with ${wanted} channel(s), got ${given}; ${advice}`,
  )
}

/** Takes finished rows of planes into samples: clamped, rounded half to even; grey pictures stay grey. */
export function sampleWriter(
  pixels: Pixels,
  scale: number,
  isDeep: boolean,
): { readonly pixels: Pixels; emit(top: number, rows: Image): void } {
  const { channels, hasAlpha } = pixels
  const [width, height] = [pixels.width * scale, pixels.height * scale]
  const step = channels + (hasAlpha ? 1 : 0)
  const size = width * height * step
  const data = isDeep ? new Uint16Array(size) : new Uint8Array(size)
  const peak = peakOf(data)
  if (hasAlpha) copyAlpha(pixels, data, scale)
  const emit = (top: number, rows: Image) => {
    const plane = rows.width * rows.height
    // A colour network's three planes of a grey picture are averaged.
    const averaged = channels === 1 ? rows.channels : 1
    const count = Math.min(rows.height, height - top)
    for (let y = 0; y < count; y++) {
      for (let x = 0; x < width; x++) {
        const from = y * rows.width + x
        const to = ((top + y) * width + x) * step
        for (let c = 0; c < channels; c++) {
          let value = rows.data[c * plane + from] as number
          for (let more = 1; more < averaged; more++) value += rows.data[more * plane + from] as number
          value = Math.min(Math.max(value / averaged, 0), 1)
          data[to + c] = roundHalfEven(Math.fround(value * peak))
        }
      }
    }
  }
  return { pixels: { width, height, channels, hasAlpha, data }, emit }
}

/** The opacity as it was, enlarged bilinearly where the picture is. */
function copyAlpha(pixels: Pixels, out: Uint8Array | Uint16Array, scale: number): void {
  const { width, height, channels, data } = pixels
  const step = channels + 1
  const gain = peakOf(out) / peakOf(data)
  const at = (y: number, x: number) => data[(y * width + x) * step + channels] as number
  const line = (index: number, size: number) => {
    const place = Math.min(Math.max((index + 0.5) / scale - 0.5, 0), size - 1)
    const first = Math.floor(place)
    return [first, Math.min(first + 1, size - 1), place - first] as const
  }
  for (let y = 0; y < height * scale; y++) {
    const [top, bottom, down] = line(y, height)
    for (let x = 0; x < width * scale; x++) {
      const [left, right, across] = line(x, width)
      const above = at(top, left) * (1 - across) + at(top, right) * across
      const below = at(bottom, left) * (1 - across) + at(bottom, right) * across
      out[(y * width * scale + x) * step + channels] = Math.round((above * (1 - down) + below * down) * gain)
    }
  }
}
