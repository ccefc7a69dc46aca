// Pictures as samples in memory, in and out: shared by Node and browsers.

import { RestoreError } from '../../core/errors.ts'
import { type Pixels, peakOf } from '../../data/image.ts'
import type { Sampler } from '../../diffusion/irsde.ts'
import type { ModelId } from '../../registry/networks.ts'

/** Samples in memory [h w c]; the last of 2 or 4 channels is opacity. */
export interface RawInput {
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array
  readonly width: number
  readonly height: number
  /** @default 4, as in ImageData */
  readonly channels?: 1 | 2 | 3 | 4
  readonly depth?: 8 | 16
}

/** A decoded picture. */
export interface ReadPicture {
  readonly pixels: Pixels
  /** Bits of a sample in the file. */
  readonly depth: 8 | 16
}

/** How a picture was restored. */
export interface PictureInfo {
  readonly width: number
  readonly height: number
  /** Output side over input side. */
  readonly scale: number
  /** Number of tiles and their side; undefined for the whole picture. */
  readonly tiles: { readonly count: number; readonly px: number | undefined }
  /** Sampling, of networks that sample: steps taken, and number of restorations averaged. */
  readonly sampling?: {
    readonly sampler: Sampler
    readonly steps: number
    readonly seed: number
    readonly samples: number
  }
  /** Deviation of several samples from one another, 0..255: mean over the picture, and the value shown white in its map. */
  readonly spread?: { readonly mean255: number; readonly white255: number }
}

/** What a result reports. */
export interface RestoreInfo extends PictureInfo {
  /** Id of the requested model, else the name of the weights' network. */
  readonly model: string
  readonly network: ModelId
  /** SHA-256 of the weights; undefined in pages without a secure context, where browsers offer no hashing. */
  readonly sha256: string | undefined
  /** Device that computed: 'cpu', 'webgpu' or 'cuda:N'. */
  readonly device: string
  readonly backend: 'onnx' | 'torch'
  /** Seconds spent on this picture; reading ahead of time does not count. */
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

/** RGBA of 8 bits, for a canvas. */
export interface CanvasPicture {
  readonly data: Uint8ClampedArray<ArrayBuffer>
  readonly width: number
  readonly height: number
}

/** Bits of a sample. */
function depthOf(data: Uint8Array | Uint16Array): 8 | 16 {
  return data instanceof Uint16Array ? 16 : 8
}

/** The samples of pixels; not a copy. */
export function rawPicture({ width, height, channels, hasAlpha, data }: Pixels): RawPicture {
  return { data, width, height, channels: channels + (hasAlpha ? 1 : 0), depth: depthOf(data) }
}

export function canvasPicture({ width, height, channels, hasAlpha, data }: Pixels): CanvasPicture {
  const step = channels + (hasAlpha ? 1 : 0)
  const gain = 255 / peakOf(data)
  const rgba = new Uint8ClampedArray(4 * width * height)
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = (data[i * step + (channels === 1 ? 0 : c)] as number) * gain
    rgba[4 * i + 3] = hasAlpha ? (data[i * step + channels] as number) * gain : 255
  }
  return { data: rgba, width, height }
}

/** Checks samples in memory. @throws RestoreError 'input' where they do not match their size */
export function readRaw({ data, width, height, channels = 4, depth }: RawInput, name: string): ReadPicture {
  if (![Uint8Array, Uint8ClampedArray, Uint16Array].some((kind) => data instanceof kind))
    throw new RestoreError(
      'input',
      `${name}: expected samples in data, as ImageData has them, got ${typeof data}`,
    )
  const samples =
    data instanceof Uint8ClampedArray ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data
  const wanted = `${width} × ${height} × ${channels} samples of ${depth ?? depthOf(samples)} bits`
  const isSound = [width, height].every((side) => Number.isInteger(side) && side > 0)
  if (
    !isSound ||
    samples.length !== width * height * channels ||
    (depth ?? depthOf(samples)) !== depthOf(samples)
  ) {
    throw new RestoreError(
      'input',
      `${name}: expected ${wanted}, got ${samples.length} of ${depthOf(samples)} bits`,
    )
  }
  const hasAlpha = channels % 2 === 0
  const pixels = { width, height, channels: hasAlpha ? channels - 1 : channels, hasAlpha, data: samples }
  return { pixels, depth: depthOf(samples) }
}
