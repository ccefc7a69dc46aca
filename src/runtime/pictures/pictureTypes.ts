// Pictures as samples in memory, as input and as result; shared by Node and browsers.

import type { RepairInfo } from '../../auto/repairInfo.ts'
import { allFinite } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { describeValue } from '../../core/options.ts'
import { profileOfPoints } from '../../data/colors/codingPoints.ts'
import { type BitDepth, type Image, type Pixels, peakOf } from '../../data/image.ts'
import type { Sampler } from '../../diffusion/irsde.ts'
import type { Finding } from '../../models/daclip/wordRanking.ts'
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
  /** Color space of the samples, as in ImageData. @default 'srgb' */
  readonly colorSpace?: 'srgb' | 'display-p3' | undefined
}

/** A decoded picture. */
export interface DecodedPicture {
  readonly pixels: Pixels
  /** Bits per sample in the file. */
  readonly depth: BitDepth
  /** Its profile is the color space of the samples; without one, they are sRGB. */
  readonly metadata?: { readonly icc?: Uint8Array | undefined } | undefined
  /** What reading left out or converted, as sentences. */
  readonly notes?: readonly string[] | undefined
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
  /** Only with a DA-CLIP as guide: how likely it thinks each of ten degradations, the likeliest first. */
  readonly seen?: readonly Finding[]
}

/** One of several steps of a restoration. */
export interface StepInfo {
  readonly task: string
  /** Id of the model, else of the network. */
  readonly model: string
  readonly version?: number | undefined
  readonly sha256: string
  /** What products were computed in. */
  readonly dtype: RestoreInfo['dtype']
  /** Share of the step in its result, 0..1. */
  readonly strength: number
  readonly tiles: PictureInfo['tiles']
  readonly seconds: number
}

/** What a result reports. */
export interface RestoreInfo extends PictureInfo {
  /** Id of the requested model, else of the network; those of several steps are joined by ' + '. */
  readonly model: string
  /** Network of the weights; 'onnx' for the graph of a file. */
  readonly network: ModelId | 'onnx'
  /** Version of packaged weights. */
  readonly version?: number | undefined
  /** SHA-256 of the weights; undefined in insecure contexts, where browsers offer no hashing. */
  readonly sha256: string | undefined
  /** The file whose weights were mixed into them, and its share, 0..1. */
  readonly mix?:
    | { readonly weights: string; readonly sha256: string | undefined; readonly share: number }
    | undefined
  /** Device that was used: 'cpu', 'webgpu' or 'cuda:N'. */
  readonly device: string
  readonly backend: 'onnx' | 'torch'
  /** What products were computed in. */
  readonly dtype: 'float32' | 'bfloat16'
  /** Threads of WebAssembly, in browsers where a worker computes. */
  readonly threads?: number
  /** Seconds spent on this picture, excluding reading that started before its turn. */
  readonly seconds: { readonly read: number; readonly restore: number }
  /**
   * What reading left out or converted, and writing, once the result has been written, as sentences; from `restore`
   * also notes on the weights, such as which of several sets of tensors was used.
   */
  readonly notes: readonly string[]
  /** Steps in order, where there are several; what is said of the network is that of the last. */
  readonly steps?: readonly StepInfo[]
  /** What task 'auto' found, did and left. */
  readonly repair?: RepairInfo
}

/** Samples [h w c], opacity last. */
export interface RawPicture {
  readonly data: Uint8Array | Uint16Array
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly depth: 8 | 16
  /** ICC profile of the samples; undefined for sRGB. */
  readonly icc: Uint8Array | undefined
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
export function rawPicture(
  { width, height, channels, hasAlpha, data }: Pixels,
  icc: Uint8Array | undefined,
): RawPicture {
  return { data, width, height, channels: channels + (hasAlpha ? 1 : 0), depth: depthOf(data), icc }
}

/** Converts sRGB pixels to 8-bit RGBA. */
export function canvasPicture({ width, height, channels, hasAlpha, data }: Pixels): CanvasPicture {
  const step = channels + (hasAlpha ? 1 : 0)
  const gain = 255 / peakOf(data)
  const rgba = new Uint8ClampedArray(4 * width * height)
  const [g, b] = channels === 1 ? [0, 0] : [1, 2]
  for (let from = 0, to = 0; to < rgba.length; from += step, to += 4) {
    rgba[to] = data[from]! * gain
    rgba[to + 1] = data[from + g]! * gain
    rgba[to + 2] = data[from + b]! * gain
    rgba[to + 3] = hasAlpha ? data[from + channels]! * gain : 255
  }
  return { data: rgba, width, height }
}

/** Checks planes in memory. @throws RestoreError 'input' where they do not match their size or are not finite */
export function checkPlanes(image: Image): void {
  const { width, height, channels, data }: Partial<Image> = Object(image)
  const sizes = [channels, height, width]
  const isSized = sizes.every((size) => Number.isInteger(size) && Number(size) > 0)
  const count = sizes.reduce((product: number, size) => product * Number(size), 1)
  if (!isSized || !(data instanceof Float32Array) || data.length !== count) {
    const got = data instanceof Float32Array ? `${data.length} values` : describeValue(data)
    throw new RestoreError(
      'input',
      `image: expected width, height, channels and that many float32 values in data, got ${describeValue(width)} × ${describeValue(height)} × ${describeValue(channels)} and ${got}`,
    )
  }
  if (!allFinite(data))
    throw new RestoreError('input', 'image: expected finite values in data, got NaN or infinity')
}

/** The profile of Display P3: primaries 12 and transfer 13 of ITU-T H.273. */
function displayP3(): Uint8Array | undefined {
  return profileOfPoints({ primaries: 12, transfer: 13 })
}

/** Checks samples in memory. @throws RestoreError 'input' where they do not match their size */
export function readRaw(
  { data, width, height, channels = 4, depth, colorSpace = 'srgb' }: RawInput,
  name: string,
): DecodedPicture {
  if (![Uint8Array, Uint8ClampedArray, Uint16Array].some((kind) => data instanceof kind))
    throw new RestoreError(
      'input',
      `${name}: expected samples in data, as ImageData has them, got ${describeValue(data)}`,
    )
  if (
    ![width, height].every((side) => Number.isInteger(side) && side > 0) ||
    ![1, 2, 3, 4].includes(channels)
  )
    throw new RestoreError(
      'input',
      `${name}: expected a width and height of whole pixels and 1 to 4 channels, got ${width} × ${height} × ${channels}`,
    )
  const samples =
    data instanceof Uint8ClampedArray ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data
  const expected = `${width} × ${height} × ${channels} samples of ${depth ?? depthOf(samples)} bits`
  if (samples.length !== width * height * channels || (depth ?? depthOf(samples)) !== depthOf(samples)) {
    throw new RestoreError(
      'input',
      `${name}: expected ${expected}, got ${samples.length} of ${depthOf(samples)} bits`,
    )
  }
  if (!['srgb', 'display-p3'].includes(colorSpace))
    throw new RestoreError('input', `${name}: expected a colorSpace of srgb or display-p3, got ${colorSpace}`)
  const hasAlpha = channels % 2 === 0
  const pixels = { width, height, channels: hasAlpha ? channels - 1 : channels, hasAlpha, data: samples }
  // Gray is the same in both.
  const icc = colorSpace === 'display-p3' && pixels.channels === 3 ? displayP3() : undefined
  return { pixels, depth: depthOf(samples), metadata: icc && { icc } }
}
