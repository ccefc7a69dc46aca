// The in-memory image: float32 planes in [0, 1]. Free of codecs, so it also runs in browsers.

import { float32Data, type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'

/** Bits per sample of a file; above 8, samples in memory span 16 bits. */
export type BitDepth = 8 | 10 | 12 | 16

/** An image as float planes, color or gray; sRGB unless a profile says otherwise. */
export interface Image {
  readonly width: number
  readonly height: number
  readonly channels: number
  /** [c h w], values in [0, 1]. */
  readonly data: Float32Array
}

/**
 * Interleaved integer samples, upright, color or gray, sRGB unless a profile says otherwise: a quarter
 * (8-bit) or half (16-bit) the memory of planes.
 */
export interface Pixels {
  readonly width: number
  readonly height: number
  /** Color channels, without alpha: 1 or 3. */
  readonly channels: number
  /** Whether an alpha channel follows the color channels. */
  readonly hasAlpha: boolean
  /** [h w c], alpha included; 0..255 or 0..65535. */
  readonly data: Uint8Array | Uint16Array
}

/** Tells of a format that holds other depths than that of an image, as a sentence. */
export function depthNotes(
  format: string,
  {
    depth,
    written,
    held,
  }: { readonly depth: number; readonly written: number; readonly held: readonly number[] },
): readonly string[] {
  return written === depth
    ? []
    : [`its ${depth} bits per sample became ${written}, since ${format} holds ${held.join(', ')}`]
}

/** White level of the samples: 255 or 65535. */
export function peakOf(samples: Uint8Array | Uint16Array): number {
  return samples instanceof Uint16Array ? 65535 : 255
}

/** Whether a pixel is not opaque. */
export function isTransparent({ channels, hasAlpha, data }: Pixels): boolean {
  if (!hasAlpha) return false
  const peak = peakOf(data)
  for (let i = channels; i < data.length; i += channels + 1) if (data[i] !== peak) return true
  return false
}

/** Drops the alpha channel. */
export function withoutAlpha(pixels: Pixels): Pixels {
  const { channels, data } = pixels
  const count = data.length / (channels + 1)
  const kept = data.slice(0, count * channels)
  for (let pixel = 0; pixel < count; pixel++) {
    for (let c = 0; c < channels; c++) kept[pixel * channels + c] = data[pixel * (channels + 1) + c]!
  }
  return { ...pixels, hasAlpha: false, data: kept }
}

/**
 * Splits samples into color planes [c h w] and, if the image has one, an alpha plane [h w]; values in [0, 1].
 */
export function pixelsToPlanes({ width, height, channels, hasAlpha, data }: Pixels): {
  readonly image: Image
  readonly alpha: Float32Array | undefined
} {
  const pixels = width * height
  const step = channels + (hasAlpha ? 1 : 0)
  const peak = peakOf(data)
  const planes = new Float32Array(data.length)
  for (let c = 0; c < step; c++) {
    for (let i = 0; i < pixels; i++) planes[c * pixels + i] = data[i * step + c]! / peak
  }
  const image = { width, height, channels, data: planes.subarray(0, channels * pixels) }
  return { image, alpha: hasAlpha ? planes.subarray(channels * pixels) : undefined }
}

/** Views an image as a [1 c h w] tensor without copying. */
export function imageToTensor({ channels, height, width, data }: Image): TensorData {
  return float32Data(data, [1, channels, height, width])
}

export function tensorToImage({ dtype, shape, bytes }: TensorData): Image {
  const [b, channels, height, width] = shape
  if (
    dtype !== 'float32' ||
    b !== 1 ||
    channels === undefined ||
    height === undefined ||
    width === undefined
  ) {
    throw new RestoreError('shape', `image: expected float32 [1 c h w], got ${dtype} [${shape.join(' ')}]`)
  }
  return { channels, height, width, data: viewAs(bytes, Float32Array) }
}

/** Copies a region of `height` × `width` pixels whose upper left corner is (top, left). */
export function crop(image: Image, top: number, left: number, height: number, width: number): Image {
  const data = new Float32Array(image.channels * height * width)
  for (let c = 0; c < image.channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + top + y) * image.width + left
      data.set(image.data.subarray(from, from + width), (c * height + y) * width)
    }
  }
  return { width, height, channels: image.channels, data }
}

/** Rounds half to even, as NumPy and IEEE 754 do. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/**
 * Rounds an image to what an 8-bit file can store: clamped to [0, 1], multiples of 1/255 (see
 * `quantize`).
 */
export function in8Bits(image: Image): Image {
  const data = new Float32Array(image.data.length)
  // Not `map`, which is several times slower.
  for (let i = 0; i < data.length; i++) {
    const value = Math.min(Math.max(image.data[i] as number, 0), 1)
    data[i] = roundHalfEven(Math.fround(255 * value)) / 255
  }
  return { ...image, data }
}

/**
 * Writes an image to `out` as interleaved integers [h w c]: clamped to [0, 1], scaled by `peak` (255 or
 * 65535), and rounded half to even in float32, as NumPy does.
 */
export function quantize<T extends Uint8Array | Uint16Array>(
  { channels, data }: Image,
  peak: number,
  out: T,
): T {
  const pixels = data.length / channels
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < pixels; i++) {
      const value = Math.min(Math.max(data[c * pixels + i]!, 0), 1)
      out[i * channels + c] = roundHalfEven(Math.fround(value * peak))
    }
  }
  return out
}
