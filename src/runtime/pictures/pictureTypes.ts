// Pictures as samples in memory, as input and as result; shared by Node and browsers.

import { RestoreError } from '../../core/errors.ts'
import { type Pixels, peakOf } from '../../data/image.ts'
import type { Sampler } from '../../diffusion/irsde.ts'
import type { ModelId } from '../../registry/networks.ts'

/** Samples in memory [h w c]; with 2 or 4 channels, the last is opacity. */
export interface RawInput {
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array
  readonly width: number
  readonly height: number
  /** @default 4, as in ImageData */
  readonly channels?: 1 | 2 | 3 | 4
  /** Bits per sample. @default that of `data` */
  readonly depth?: 8 | 16
}

/** A decoded picture. */
export interface DecodedPicture {
  readonly pixels: Pixels
  /** Bits per sample in the file. */
  readonly depth: 8 | 16
}

/** How a picture was restored. */
export interface PictureInfo {
  readonly width: number
  readonly height: number
  /** Output side divided by input side. */
  readonly scale: number
  /** Number of tiles and their side, which is undefined for the whole picture. */
  readonly tiles: { readonly count: number; readonly px: number | undefined }
  /** Only for networks that sample: steps taken, and number of restorations averaged. */
  readonly sampling?: {
    readonly sampler: Sampler
    readonly steps: number
    readonly seed: number
    readonly samples: number
  }
  /**
   * Standard deviation of several samples, 0..255: mean over the picture, and the deviation that is white in
   * the map.
   */
  readonly spread?: { readonly mean255: number; readonly white255: number }
}

/** What a result reports. */
export interface RestoreInfo extends PictureInfo {
  /** Id of the requested model, else of the network. */
  readonly model: string
  readonly network: ModelId
  /** SHA-256 of the weights; undefined in insecure contexts, where browsers offer no hashing. */
  readonly sha256: string | undefined
  /** Device that was used: 'cpu', 'webgpu' or 'cuda:N'. */
  readonly device: string
  readonly backend: 'onnx' | 'torch'
  /** Seconds spent on this picture, excluding reading that started before its turn. */
  readonly seconds: { readonly read: number; readonly restore: number }
}

/** Samples [h w c], opacity last. */
export interface RawPicture {
  readonly data: Uint8Array | Uint16Array
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly depth: 8 | 16
}

/** 8-bit RGBA, for a canvas. */
export interface CanvasPicture {
  readonly data: Uint8ClampedArray<ArrayBuffer>
  readonly width: number
  readonly height: number
}

/** Bits per sample. */
function depthOf(data: Uint8Array | Uint16Array): 8 | 16 {
  return data instanceof Uint16Array ? 16 : 8
}

/** Describes the samples of pixels; not a copy. */
export function rawPicture({ width, height, channels, hasAlpha, data }: Pixels): RawPicture {
  return { data, width, height, channels: channels + (hasAlpha ? 1 : 0), depth: depthOf(data) }
}

/** Converts pixels to 8-bit RGBA. */
export function canvasPicture({ width, height, channels, hasAlpha, data }: Pixels): CanvasPicture {
  const step = channels + (hasAlpha ? 1 : 0)
  const gain = 255 / peakOf(data)
  const rgba = new Uint8ClampedArray(4 * width * height)
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = data[i * step + (channels === 1 ? 0 : c)]! * gain
    rgba[4 * i + 3] = hasAlpha ? data[i * step + channels]! * gain : 255
  }
  return { data: rgba, width, height }
}

/** Checks samples in memory. @throws RestoreError 'input' where they do not match their size */
export function readRaw(
  { data, width, height, channels = 4, depth }: RawInput,
  name: string,
): DecodedPicture {
  if (![Uint8Array, Uint8ClampedArray, Uint16Array].some((kind) => data instanceof kind))
    throw new RestoreError(
      'input',
      `${name}: expected samples in data, as ImageData has them, got ${typeof data}`,
    )
  const samples =
    data instanceof Uint8ClampedArray ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data
  const expected = `${width} × ${height} × ${channels} samples of ${depth ?? depthOf(samples)} bits`
  const isValidSize = [width, height].every((side) => Number.isInteger(side) && side > 0)
  if (
    !isValidSize ||
    samples.length !== width * height * channels ||
    (depth ?? depthOf(samples)) !== depthOf(samples)
  ) {
    throw new RestoreError(
      'input',
      `${name}: expected ${expected}, got ${samples.length} of ${depthOf(samples)} bits`,
    )
  }
  const hasAlpha = channels % 2 === 0
  const pixels = { width, height, channels: hasAlpha ? channels - 1 : channels, hasAlpha, data: samples }
  return { pixels, depth: depthOf(samples) }
}
