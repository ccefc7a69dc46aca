// Encodes image files with sharp (libvips).

import type { Sharp } from 'sharp'
import { messageOf, RestoreError } from '../core/errors.ts'
import { nearestName } from '../core/unknownName.ts'
import { flatten } from './colors/background.ts'
import { readProfile } from './colors/iccProfile.ts'
import { insertChunks } from './colors/pngColors.ts'
import { srgbTransform } from './colors/srgbTransform.ts'
import type { DecodedImage, DecodedPixels } from './decode.ts'
import { replaceColors } from './formats/grayAvif.ts'
import { type BitDepth, depthNotes, type Image, isTransparent, quantize, withoutAlpha } from './image.ts'
import { embedMetadata, metadataNotes } from './metadata/embed.ts'
import type { ImageMetadata } from './metadata/imageMetadata.ts'
import { sharp } from './sharp.ts'
import { convertByProfile, rasterOf, type Shape } from './sharpRaster.ts'

/**
 * Largest JPEG with optimized Huffman tables, in pixels: finding them takes a pass over 13 bytes per pixel.
 */
const maxOptimizedPixels = 2 ** 24

type Samples = Uint8Array | Uint16Array

interface Encoding {
  readonly shape: Shape
  readonly quality: number | undefined
  readonly depth: BitDepth
  readonly isLossless: boolean
}

/** How a format is written. */
interface Encoder {
  /** Bit depths that it holds, ascending. */
  readonly depths: readonly BitDepth[]
  readonly holdsAlpha: boolean
  readonly holdsGray: boolean
  /** Largest side in pixels, of the format or its encoder. */
  readonly maxSide: number
  encode(pipeline: Sharp, encoding: Encoding): Sharp
}

const png: Encoder = {
  depths: [8, 16],
  holdsAlpha: true,
  holdsGray: true,
  maxSide: 2 ** 31 - 1,
  encode: (pipeline) => pipeline.png(),
}

const jpeg: Encoder = {
  depths: [8],
  holdsAlpha: false,
  holdsGray: true,
  maxSide: 65_500,
  encode: (pipeline, { shape: { width, height }, quality = 95 }) => {
    const optimizeCoding = width * height <= maxOptimizedPixels
    return pipeline.jpeg({ quality, chromaSubsampling: '4:4:4', optimizeCoding })
  },
}

const webp: Encoder = {
  depths: [8],
  holdsAlpha: true,
  holdsGray: false,
  maxSide: 16_383,
  encode: (pipeline, { quality, isLossless }) => {
    const lossless = isLossless && quality === undefined
    // `exact` keeps colors under transparency.
    return pipeline.webp(lossless ? { lossless, exact: true } : { quality: quality ?? 95 })
  },
}

const tiff: Encoder = {
  depths: [8, 16],
  holdsAlpha: true,
  holdsGray: true,
  maxSide: 2 ** 31 - 1,
  encode: (pipeline) => pipeline.tiff({ compression: 'lzw' }),
}

const avif: Encoder = {
  depths: [8, 10, 12],
  holdsAlpha: true,
  holdsGray: false,
  maxSide: 16_384,
  encode: (pipeline, { quality, depth, isLossless }) => {
    const lossless = isLossless && quality === undefined
    return pipeline.avif({
      ...(lossless ? { lossless } : { quality: quality ?? 80 }),
      bitdepth: depth === 16 ? 12 : depth,
    })
  },
}

/** Writable formats by file extension. */
const encoders: Readonly<Record<string, Encoder>> = { png, jpg: jpeg, jpeg, webp, tif: tiff, tiff, avif }

/** Names of the writable formats, which are their file extensions. */
export const writableFormats: readonly string[] = Object.keys(encoders)

/** Finds the encoder of a format. @throws RestoreError `usage`, listing the formats */
function encoderOf(format: string): Encoder {
  const name = format.toLowerCase()
  if (Object.hasOwn(encoders, name)) return encoders[name]!
  throw new RestoreError(
    'usage',
    `output: expected one of ${writableFormats.join(', ')}, got ${format || 'none'}${nearestName(name, writableFormats)}`,
  )
}

/**
 * Checks that a format can be written, with transparency if the image has it.
 * @throws RestoreError `usage`, listing the formats that can
 */
export function checkFormat(format: string, isTransparent: boolean): void {
  if (encoderOf(format).holdsAlpha || !isTransparent) return
  const suitable = writableFormats.filter((name) => encoders[name]!.holdsAlpha)
  throw new RestoreError(
    'usage',
    `output: expected a format with transparency, which the image has, got ${format}; use ${suitable.join(', ')} (--format), or give a color to put behind it (--background)`,
  )
}

/**
 * Checks that a format holds an image of this size.
 * @throws RestoreError `usage`, listing the formats that do
 */
export function checkSize(
  format: string,
  { width, height }: { readonly width: number; readonly height: number },
): void {
  const fits = (name: string) => Math.max(width, height) <= encoderOf(name).maxSide
  if (fits(format)) return
  throw new RestoreError(
    'usage',
    `output: expected sides of at most ${encoderOf(format).maxSide} pixels, which ${format} holds, got ${width} × ${height}; use ${writableFormats.filter(fits).join(', ')} (--format)`,
  )
}

/** Bits per sample in a format: those of the image, else the next that the format holds, else the most. */
function writtenDepth(format: string, depth: BitDepth): BitDepth {
  const { depths } = encoderOf(format)
  return depths.find((one) => one >= depth) ?? depths.at(-1)!
}

/** Notes on what a format does to an image, as sentences. */
export function encodingNotes(
  name: string,
  { depth, metadata }: Pick<DecodedPixels, 'depth' | 'metadata'>,
): readonly string[] {
  const format = name.toLowerCase()
  if (!Object.hasOwn(encoders, format)) return []
  const held = encoderOf(format).depths
  return [
    ...depthNotes(format, { depth, written: writtenDepth(format, depth), held }),
    ...metadataNotes(format, metadata),
  ]
}

/** Options of encoding. */
export interface EncodeOptions {
  /** Quality of JPEG, WebP and AVIF, 1..100; ignored by lossless formats. @default 95, AVIF 80 */
  readonly quality?: number | undefined
  /** Color that replaces transparency, as in CSS: 'white', '#ff8800'. @default transparency is kept */
  readonly background?: string | undefined
}

/**
 * Encodes planes (and alpha) for a file extension, in the bit depth of the image if the format allows. Keeps
 * the metadata that the format holds; WebP and AVIF hold gray as sRGB.
 *
 * @throws RestoreError `usage` for a format that cannot be written or lacks the transparency of the image
 * @example
 * ```ts
 * const decoded = await decodeImage('photo.jpg')
 * await writeFile('photo.png', await encodeImage({ ...decoded, format: 'png' }))
 * ```
 */
export async function encodeImage(
  { image, alpha, ...file }: DecodedImage,
  options: EncodeOptions = {},
): Promise<Uint8Array> {
  const all = appendAlpha(image, alpha)
  const data =
    writtenDepth(file.format, file.depth) > 8
      ? quantize(all, 65535, new Uint16Array(all.data.length))
      : quantize(all, 255, new Uint8Array(all.data.length))
  const { width, height, channels } = image
  return encodeBytes(
    { ...file, pixels: { width, height, channels, hasAlpha: alpha !== undefined, data } },
    options,
  )
}

/** Like {@link encodeImage}, for interleaved samples. */
export async function encodeBytes(
  { pixels, depth, format: name, metadata, isLossless = false }: DecodedPixels,
  { quality, background }: EncodeOptions = {},
): Promise<Uint8Array> {
  const format = name.toLowerCase()
  const encoder = encoderOf(format)
  checkSize(format, pixels)
  const flat = background === undefined ? pixels : await flatten(pixels, metadata?.icc, background)
  const isDropped = flat.hasAlpha && !encoder.holdsAlpha
  if (isDropped) checkFormat(format, isTransparent(flat))
  const opaque = isDropped ? withoutAlpha(flat) : flat
  const holdsColors = opaque.channels === 3 || encoder.holdsGray
  const toSrgb = await srgbTransform(holdsColors ? undefined : metadata?.icc, convertByProfile)
  const { width, height, channels, hasAlpha, data } = toSrgb(opaque)
  const written = data instanceof Uint16Array ? writtenDepth(format, depth) : 8
  const icc = holdsColors && metadata?.icc && fits(metadata.icc, channels) ? metadata.icc : undefined
  const file = {
    shape: { width, height, channels: channels + (hasAlpha ? 1 : 0) },
    depth: written,
    quality,
    isLossless,
  }
  return wrapEncodeErrors(format, () =>
    write(inDepth(data, written), encoder, { ...file, format, metadata: metadata && { ...metadata, icc } }),
  )
}

/** Converts 16-bit samples to a bit depth; libvips reads 10 and 12 bits from the upper bits of 16. */
function inDepth(samples: Uint8Array | Uint16Array, depth: BitDepth): Uint8Array | Uint16Array {
  if (samples instanceof Uint8Array || depth === 16) return samples
  const converted = depth === 8 ? new Uint8Array(samples.length) : new Uint16Array(samples.length)
  const peak = 2 ** depth - 1
  const unit = depth === 8 ? 1 : 2 ** (16 - depth)
  for (let i = 0; i < samples.length; i++) converted[i] = Math.round((samples[i]! * peak) / 65535) * unit
  return converted
}

function fits(icc: Uint8Array, channels: number): boolean {
  const profile = readProfile(icc)
  return !('fault' in profile) && profile.channels === channels
}

interface WriteOptions extends Encoding {
  readonly format: string
  readonly metadata: ImageMetadata | undefined
}

async function write(
  samples: Uint8Array | Uint16Array,
  encoder: Encoder,
  { format, metadata, ...encoding }: WriteOptions,
): Promise<Uint8Array> {
  const pngColors = encoder === png ? metadata?.pngColors : undefined
  const icc = pngColors ? undefined : metadata?.icc
  const encodeSamples = (one: Samples, shape: Shape) =>
    encoder.encode(rasterOf(one, shape, icc), encoding).toBuffer()
  const isGrayAvif = encoder === avif && encoding.shape.channels < 3
  const bytes = isGrayAvif
    ? await encodeGray(samples, encoding.shape, encodeSamples)
    : await encodeSamples(samples, encoding.shape)
  if (icc && !(await sharp(bytes).metadata()).icc) {
    throw new Error('its color profile cannot be embedded; omit the metadata')
  }
  const { width, height } = encoding.shape
  const whole = await embedMetadata(bytes, format, { metadata, width, height })
  return pngColors ? insertChunks(whole, pngColors) : whole
}

/** Encodes gray samples as the alpha of a black picture, and then makes them the picture. */
async function encodeGray(
  samples: Samples,
  shape: Shape,
  encodeSamples: (samples: Samples, shape: Shape) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const { width, height, channels } = shape
  const count = width * height
  const black = samples.slice()
  const gray = samples instanceof Uint16Array ? new Uint16Array(2 * count) : new Uint8Array(2 * count)
  for (let i = 0; i < count; i++) {
    black[i * channels] = 0
    gray[2 * i + 1] = samples[i * channels]!
  }
  const asAlpha = await encodeSamples(gray, { width, height, channels: 2 })
  return replaceColors(await encodeSamples(black, shape), asAlpha)
}

async function wrapEncodeErrors<T>(format: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    const reason = messageOf(error)
    throw new RestoreError('output', `${format}: the image cannot be encoded: ${reason}`, { cause: error })
  }
}

function appendAlpha(image: Image, alpha: Float32Array | undefined): Image {
  if (!alpha) return image
  const data = new Float32Array(image.data.length + alpha.length)
  data.set(image.data)
  data.set(alpha, image.data.length)
  return { ...image, channels: image.channels + 1, data }
}
