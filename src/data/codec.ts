// Decodes and encodes image files with sharp (libvips).

import { open, readFile } from 'node:fs/promises'
import type { Metadata, Sharp } from 'sharp'
import { viewAs } from '../core/data.ts'
import { messageOf, RestoreError } from '../core/errors.ts'
import { bitmapFormat, readBitmap } from './bmpPnm.ts'
import { type Image, type Pixels, pixelsToPlanes, quantize } from './image.ts'
import { type ImageMetadata, uprightExif, uprightXmp } from './metadata.ts'
import { profileFits } from './profiles.ts'
import { sharp } from './sharp.ts'
import { foreignProfile, fromSrgb, rasterOf, type Shape, toSrgb } from './sharpRaster.ts'
import { explainUnreadable, refuseByContent } from './unreadable.ts'

export type { ImageMetadata } from './metadata.ts'

/** A decoded image as float planes. */
export interface DecodedImage {
  readonly image: Image
  /** Alpha [h w] in [0, 1], if the file has it. */
  readonly alpha: Float32Array | undefined
  readonly depth: 8 | 16
  readonly format: string
  /** Metadata that {@link encodeImage} writes back; omit it to strip the metadata. */
  readonly metadata?: ImageMetadata | undefined
}

/** A decoded image as interleaved integer samples. */
export interface DecodedPixels {
  readonly pixels: Pixels
  /** Bit depth of the file. With `keepsWide`, profile-converted samples of an 8-bit file stay at 16 bits. */
  readonly depth: 8 | 16
  readonly format: string
  readonly metadata: ImageMetadata | undefined
}

/** Options of decoding. */
export interface DecodeOptions {
  /** Largest width × height to decode, since a small file can claim any size. @default 268 million */
  readonly pixelLimit?: number
  /** Name that errors use for bytes; files are named by their path. */
  readonly name?: string
  /**
   * Keeps profile-converted samples at 16 bits, so they are rounded only once, on encoding.
   * @default false
   */
  readonly keepsWide?: boolean
}

/** Size and format in the header of an image. */
export interface ImageSize {
  /** Width after EXIF rotation, in pixels. */
  readonly width: number
  readonly height: number
  readonly format: string
}

/** 16383 × 16383, sharp's default. */
const defaultPixelLimit = 0x3fff ** 2

const readableFormats = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'heif']

/**
 * Decodes a still image into sRGB or gray planes, upright; 16-bit files keep their depth.
 *
 * @throws RestoreError `input` if it is no image that can be decoded, or larger than `pixelLimit`
 * @example
 * ```ts
 * const { image, metadata } = await decodeImage('photo.jpg')
 * ```
 */
export async function decodeImage(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<DecodedImage> {
  const { pixels, depth, format, metadata } = await decode(input, options)
  return { ...pixelsToPlanes(pixels), depth, format, metadata }
}

/** Decodes a still image into interleaved integer samples, upright, sRGB or gray. */
export async function decodeBytes(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<DecodedPixels> {
  const { pixels, depth, format, metadata } = await decode(input, options)
  const isWider = depth === 8 && pixels.data instanceof Uint16Array && !options.keepsWide
  return {
    pixels: isWider ? { ...pixels, data: to8Bits(pixels.data) } : pixels,
    depth,
    format,
    metadata,
  }
}

function to8Bits(samples: Uint8Array | Uint16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length)
  for (let i = 0; i < samples.length; i++) bytes[i] = Math.round(samples[i]! / 257)
  return bytes
}

/** Reads size and format from the header alone; the pixel data may still be corrupt. */
export async function imageSize(
  input: string | Uint8Array,
  { name }: Pick<DecodeOptions, 'name'> = {},
): Promise<ImageSize> {
  return explainErrors(input, name, async () => {
    const bitmap = await openBitmap(input)
    if (bitmap) return { width: bitmap.width, height: bitmap.height, format: bitmap.format }
    const { autoOrient, format } = checkHeader(await headerOf(input))
    return { ...autoOrient, format: formatName(format) }
  })
}

function decode(
  input: string | Uint8Array,
  { pixelLimit = defaultPixelLimit, name }: DecodeOptions,
): Promise<DecodedPixels> {
  return explainErrors(input, name, async () => {
    const bitmap = await openBitmap(input)
    if (bitmap) {
      checkPixels(bitmap.width, bitmap.height, pixelLimit)
      return { pixels: bitmap.read(), depth: bitmap.depth, format: bitmap.format, metadata: undefined }
    }
    const header = checkHeader(await headerOf(input))
    checkPixels(header.width, header.height, pixelLimit)
    const stored = await samplesOf(input, header)
    const profile = foreignProfile(header.icc, stored.channels)
    const pixels = profile ? await toSrgb(stored, profile) : stored
    const depth = header.depth === 'ushort' ? 16 : 8
    return { pixels, depth, format: formatName(header.format), metadata: metadataOf(header, stored.channels) }
  })
}

/** Decodes samples in the file's own color profile (CMYK becomes sRGB), upright. */
async function samplesOf(input: string | Uint8Array, header: Metadata): Promise<Pixels> {
  const { depth, space, hasAlpha: isTransparent, bitsPerSample } = header
  const is16Bit = depth === 'ushort'
  const isGray = space === 'b-w' || space === 'grey16'
  // Gray with alpha is decoded as color, where libvips keeps the alpha.
  const isPlainGray = isGray && !isTransparent
  const colorspace = isPlainGray ? (is16Bit ? 'grey16' : 'b-w') : is16Bit ? 'rgb16' : 'srgb'
  const { data, info } = await sharp(input, {
    failOn: 'error',
    limitInputPixels: false,
    ignoreIcc: space !== 'cmyk',
  })
    .autoOrient()
    .toColourspace(colorspace)
    .raw({ depth: is16Bit ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels: bands } = info
  if (bands > 4) throw new Error(`${bands} channels; convert it to gray or RGB, with or without alpha`)
  const all = is16Bit ? viewAs(data, Uint16Array) : new Uint8Array(data.buffer, data.byteOffset, data.length)
  const hasAlpha = bands === 2 || bands === 4
  const samples = isGray && bands > 2 ? pickGray(all, bands) : all
  // libvips shifts AVIF's 10 or 12 bits up, which leaves white below 65535.
  if (header.format === 'heif' && is16Bit && bitsPerSample && bitsPerSample < 16)
    stretchToFullRange(samples, bitsPerSample)
  return {
    width,
    height,
    channels: isGray ? 1 : hasAlpha ? bands - 1 : bands,
    hasAlpha,
    data: samples,
  }
}

function pickGray(samples: Uint8Array | Uint16Array, bands: number): Uint8Array | Uint16Array {
  const kept = bands === 4 ? 2 : 1
  const picked = samples.slice(0, (samples.length / bands) * kept)
  for (let from = 0, to = 0; to < picked.length; from += bands, to += kept) {
    picked[to] = samples[from]!
    if (kept === 2) picked[to + 1] = samples[from + 3]!
  }
  return picked
}

function stretchToFullRange(samples: Uint8Array | Uint16Array, bits: number): void {
  const white = (2 ** bits - 1) * 2 ** (16 - bits)
  for (let i = 0; i < samples.length; i++) {
    samples[i] = Math.min(Math.round((samples[i]! / white) * 65535), 65535)
  }
}

function metadataOf({ icc, exif, xmp, density }: Metadata, channels: number): ImageMetadata | undefined {
  const kept = {
    // A CMYK profile does not fit, because the decoded pixels are sRGB.
    icc: icc && profileFits(icc, channels) ? icc : undefined,
    exif: uprightExif(exif),
    xmp: uprightXmp(xmp),
    density,
  }
  return Object.values(kept).some((block) => block !== undefined) ? kept : undefined
}

/**
 * Largest JPEG with optimized Huffman tables, in pixels: finding them takes a pass over 13 bytes per pixel.
 */
const maxOptimizedPixels = 2 ** 24

function asJpeg(pipeline: Sharp, { width, height }: Shape, quality = 95): Sharp {
  const optimizeCoding = width * height <= maxOptimizedPixels
  return pipeline.jpeg({ quality, chromaSubsampling: '4:4:4', optimizeCoding })
}

type Encode = (pipeline: Sharp, shape: Shape, quality?: number) => Sharp

/** Writable formats by file extension, each with its encoder options. */
const encoders: Readonly<Record<string, Encode>> = {
  png: (pipeline) => pipeline.png(),
  jpg: asJpeg,
  jpeg: asJpeg,
  webp: (pipeline, _, quality = 95) => pipeline.webp({ quality }),
  tif: (pipeline) => pipeline.tiff({ compression: 'lzw' }),
  tiff: (pipeline) => pipeline.tiff({ compression: 'lzw' }),
  avif: (pipeline, _, quality = 80) => pipeline.avif({ quality }),
}

/**
 * Checks that a format can be written, with alpha if the image has it.
 * @throws RestoreError `usage`, listing the formats that can
 */
export function checkFormat(format: string, hasAlpha: boolean): void {
  const formats = Object.keys(encoders)
  if (!Object.hasOwn(encoders, format)) {
    throw new RestoreError('usage', `output: expected one of ${formats.join(', ')}, got ${format || 'none'}`)
  }
  if (hasAlpha && format.startsWith('jp')) {
    const suitable = formats.filter((name) => !name.startsWith('jp')).join(', ')
    throw new RestoreError(
      'usage',
      `output: expected a format with an alpha channel, which the image has, got ${format}; use ${suitable} (--format)`,
    )
  }
}

/** Options of encoding. */
export interface EncodeOptions {
  /** Quality of JPEG, WebP and AVIF, 1..100; ignored by lossless formats. @default 95, AVIF 80 */
  readonly quality?: number
}

/**
 * Encodes planes (and alpha) for a file extension, at 16 bits if depth and format allow. Keeps the metadata
 * and converts the pixels to its color profile; TIFF drops EXIF, and WebP and AVIF drop gray profiles.
 *
 * @throws RestoreError `usage` for a format that cannot be written
 * @example
 * ```ts
 * const decoded = await decodeImage('photo.jpg')
 * await writeFile('photo.png', await encodeImage({ ...decoded, format: 'png' }))
 * ```
 */
export async function encodeImage(
  { image, alpha, depth, format, metadata }: DecodedImage,
  { quality }: EncodeOptions = {},
): Promise<Uint8Array> {
  checkFormat(format, alpha !== undefined)
  const icc = embeddableProfile(metadata, format, image.channels)
  const foreign = foreignProfile(icc, image.channels)
  return wrapEncodeErrors(format, async () => {
    const all = appendAlpha(foreign ? await fromSrgb(image, foreign) : image, alpha)
    const samples = quantizeFor(all, isWrittenAt16Bit(format, depth), format)
    return write(samples, all, { format, metadata: metadata && { ...metadata, icc }, foreign, quality })
  })
}

/** Like {@link encodeImage}, for interleaved samples; never holds the whole image as float planes. */
export async function encodeBytes(
  { pixels, depth, format, metadata }: DecodedPixels,
  { quality }: EncodeOptions = {},
): Promise<Uint8Array> {
  const { width, height, channels, hasAlpha } = pixels
  checkFormat(format, hasAlpha)
  const icc = embeddableProfile(metadata, format, channels)
  const foreign = foreignProfile(icc, channels)
  return wrapEncodeErrors(format, async () => {
    const is16Bit = isWrittenAt16Bit(format, depth) && pixels.data instanceof Uint16Array
    const isEncodable = !foreign && format !== 'avif' && is16Bit === pixels.data instanceof Uint16Array
    const samples = isEncodable ? pixels.data : await convertInBands(pixels, { is16Bit, format, foreign })
    const shape = { width, height, channels: channels + (hasAlpha ? 1 : 0) }
    return write(samples, shape, { format, metadata: metadata && { ...metadata, icc }, foreign, quality })
  })
}

/** Converts samples to the encoder's depth and profile, a band of rows at a time to limit memory. */
async function convertInBands(
  pixels: Pixels,
  { is16Bit, format, foreign }: { is16Bit: boolean; format: string; foreign: Uint8Array | undefined },
): Promise<Uint8Array | Uint16Array> {
  const { width, height, data } = pixels
  const row = data.length / height
  const converted = is16Bit ? new Uint16Array(data.length) : new Uint8Array(data.length)
  const step = Math.max(1, Math.floor(2 ** 20 / width))
  for (let top = 0; top < height; top += step) {
    const rows = Math.min(step, height - top)
    const band = { ...pixels, height: rows, data: data.subarray(top * row, (top + rows) * row) }
    const { image, alpha } = pixelsToPlanes(band)
    const all = appendAlpha(foreign ? await fromSrgb(image, foreign) : image, alpha)
    converted.set(quantizeFor(all, is16Bit, format), top * row)
  }
  return converted
}

/** Returns the ICC profile if the format can embed it. */
function embeddableProfile(
  metadata: ImageMetadata | undefined,
  format: string,
  channels: number,
): Uint8Array | undefined {
  const isColorOnly = format === 'webp' || format === 'avif'
  const isKept = metadata?.icc && profileFits(metadata.icc, isColorOnly ? 3 : channels)
  return isKept && !(isColorOnly && channels === 1) ? metadata.icc : undefined
}

function isWrittenAt16Bit(format: string, depth: 8 | 16): boolean {
  return depth === 16 && (format === 'png' || format === 'avif' || format.startsWith('tif'))
}

interface WriteOptions {
  readonly format: string
  readonly metadata: ImageMetadata | undefined
  readonly foreign: Uint8Array | undefined
  readonly quality: number | undefined
}

async function write(
  samples: Uint8Array | Uint16Array,
  shape: Shape,
  { format, metadata, foreign, quality }: WriteOptions,
): Promise<Uint8Array> {
  const encode = encoders[format]!
  const pipeline = encode(rasterOf(samples, shape, metadata), shape, quality)
  const isDeepAvif = samples instanceof Uint16Array && format === 'avif'
  const bytes = await (isDeepAvif
    ? pipeline.avif({ quality: quality ?? 80, bitdepth: 12 })
    : pipeline
  ).toBuffer()
  if (foreign && !(await sharp(bytes).metadata()).icc) {
    throw new Error('its color profile cannot be embedded; omit the metadata')
  }
  return bytes
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

function quantizeFor(image: Image, is16Bit: boolean, format: string): Uint8Array | Uint16Array {
  if (!is16Bit) return quantize(image, 255, new Uint8Array(image.data.length))
  if (format !== 'avif') return quantize(image, 65535, new Uint16Array(image.data.length))
  // libvips reads 12-bit samples from the upper bits.
  const samples = quantize(image, 4095, new Uint16Array(image.data.length))
  for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! * 16
  return samples
}

function headerOf(input: string | Uint8Array): Promise<Metadata> {
  return sharp(input, { limitInputPixels: false }).metadata()
}

function checkHeader(header: Metadata): Metadata {
  const { format, pages = 1, depth } = header
  if (!readableFormats.includes(format)) {
    throw new Error(`the format ${format}; convert it to PNG, JPEG, WebP, TIFF, AVIF, GIF, BMP or PNM`)
  }
  if (pages > 1) throw new Error(`an animation or document of ${pages} pages; extract a single page first`)
  if (depth !== 'uchar' && depth !== 'ushort') {
    throw new Error(`samples of type ${depth}; convert it to 8 or 16 bits first`)
  }
  return header
}

function checkPixels(width: number, height: number, limit: number): void {
  if (width * height <= limit) return
  const megapixels = (count: number) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} megapixels`
  throw new Error(
    `${width} × ${height} = ${megapixels(width * height)}, above the limit of ${megapixels(limit)}; raise pixelLimit (--pixel-limit) if you trust the file`,
  )
}

function formatName(format: string): string {
  return format === 'heif' ? 'avif' : format
}

async function openBitmap(input: string | Uint8Array): Promise<ReturnType<typeof readBitmap> | undefined> {
  const head = typeof input === 'string' ? await headOf(input) : input.subarray(0, 512)
  refuseByContent(head)
  if (!bitmapFormat(head)) return undefined
  return readBitmap(typeof input === 'string' ? await readFile(input) : input)
}

async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(512), 0, 512, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

async function explainErrors<T>(
  input: string | Uint8Array,
  name: string | undefined,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw explainUnreadable(name ?? (typeof input === 'string' ? input : 'image'), error)
  }
}
