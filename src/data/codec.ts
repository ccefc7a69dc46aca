// Image files in and out, by sharp (libvips).

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

export interface DecodedImage {
  readonly image: Image
  /** Opacity [h w] in [0, 1], where the file has it. */
  readonly alpha: Float32Array | undefined
  readonly depth: 8 | 16
  readonly format: string
  /** What else the file says, for {@link encodeImage} to write again; leave it out to strip it. */
  readonly metadata?: ImageMetadata | undefined
}

export interface DecodedPixels {
  readonly pixels: Pixels
  /** Of the file; the samples are wider where a profile was converted and they were to stay wide. */
  readonly depth: 8 | 16
  readonly format: string
  readonly metadata: ImageMetadata | undefined
}

export interface DecodeOptions {
  /** Most pixels (width × height) that are decoded; 268 million by default, as a small file can claim any size. */
  readonly pixelLimit?: number
  /** What errors call bytes; a file goes by its path. */
  readonly name?: string
  /** Whether samples stay in the 16 bits in which a profile is converted, to be rounded once when they are written. */
  readonly keepsWide?: boolean
}

export interface ImageSize {
  /** Upright. */
  readonly width: number
  readonly height: number
  readonly format: string
}

/** 16383 × 16383, as in sharp. */
const usualPixelLimit = 0x3fff ** 2

const readable = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'heif']

/** Decodes a still image into sRGB or gray planes, upright; 16-bit files keep their depth. */
export async function decodeImage(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<DecodedImage> {
  const { pixels, depth, format, metadata } = await decode(input, options)
  return { ...pixelsToPlanes(pixels), depth, format, metadata }
}

/** Decodes a still image into samples as the file holds them, upright, sRGB or gray. */
export async function decodeBytes(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<DecodedPixels> {
  const { pixels, depth, format, metadata } = await decode(input, options)
  const isWider = depth === 8 && pixels.data instanceof Uint16Array && !options.keepsWide
  return { pixels: isWider ? { ...pixels, data: narrowed(pixels.data) } : pixels, depth, format, metadata }
}

function narrowed(samples: Uint8Array | Uint16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length)
  for (let i = 0; i < samples.length; i++) bytes[i] = Math.round(samples[i]! / 257)
  return bytes
}

/** Size and format by the header alone; the pixels may still prove unreadable. */
export async function imageSize(
  input: string | Uint8Array,
  { name }: Pick<DecodeOptions, 'name'> = {},
): Promise<ImageSize> {
  return orExplained(input, name, async () => {
    const bitmap = await openBitmap(input)
    if (bitmap) return { width: bitmap.width, height: bitmap.height, format: bitmap.format }
    const { autoOrient, format } = checkHeader(await headerOf(input))
    return { ...autoOrient, format: nameOf(format) }
  })
}

function decode(
  input: string | Uint8Array,
  { pixelLimit = usualPixelLimit, name }: DecodeOptions,
): Promise<DecodedPixels> {
  return orExplained(input, name, async () => {
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
    return { pixels, depth, format: nameOf(header.format), metadata: metadataOf(header, stored.channels) }
  })
}

/** The samples in the file's own colors (CMYK in sRGB), upright. */
async function samplesOf(input: string | Uint8Array, header: Metadata): Promise<Pixels> {
  const { depth, space, hasAlpha: isTransparent, bitsPerSample } = header
  const is16Bit = depth === 'ushort'
  const isGray = space === 'b-w' || space === 'grey16'
  // Gray with opacity goes by way of color, where libvips keeps the opacity.
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
  const { width, height, channels: stored } = info
  if (stored > 4) throw new Error(`${stored} channels; gray or color, with opacity or without, is read`)
  const all = is16Bit ? viewAs(data, Uint16Array) : new Uint8Array(data.buffer, data.byteOffset, data.length)
  const hasAlpha = stored === 2 || stored === 4
  const samples = isGray && stored > 2 ? pickGray(all, stored) : all
  // libvips shifts the 10 or 12 bits of AVIF up, which leaves white below 65535.
  if (header.format === 'heif' && is16Bit && bitsPerSample && bitsPerSample < 16)
    fillRange(samples, bitsPerSample)
  return { width, height, channels: isGray ? 1 : hasAlpha ? stored - 1 : stored, hasAlpha, data: samples }
}

function pickGray(samples: Uint8Array | Uint16Array, stored: number): Uint8Array | Uint16Array {
  const kept = stored === 4 ? 2 : 1
  const picked = samples.slice(0, (samples.length / stored) * kept)
  for (let from = 0, to = 0; to < picked.length; from += stored, to += kept) {
    picked[to] = samples[from]!
    if (kept === 2) picked[to + 1] = samples[from + 3]!
  }
  return picked
}

function fillRange(samples: Uint8Array | Uint16Array, bits: number): void {
  const white = (2 ** bits - 1) * 2 ** (16 - bits)
  for (let i = 0; i < samples.length; i++) {
    samples[i] = Math.min(Math.round((samples[i]! / white) * 65535), 65535)
  }
}

function metadataOf({ icc, exif, xmp, density }: Metadata, channels: number): ImageMetadata | undefined {
  const kept = {
    // A profile of CMYK does not: those pixels stay sRGB.
    icc: icc && profileFits(icc, channels) ? icc : undefined,
    exif: uprightExif(exif),
    xmp: uprightXmp(xmp),
    density,
  }
  return Object.values(kept).some((block) => block !== undefined) ? kept : undefined
}

/** More pixels than this are written as JPEG without tables of their own: those are found by a pass over 13 bytes for each pixel. */
const optimizedPixels = 2 ** 24

function asJpeg(pipeline: Sharp, { width, height }: Shape, quality = 95): Sharp {
  const optimizeCoding = width * height <= optimizedPixels
  return pipeline.jpeg({ quality, chromaSubsampling: '4:4:4', optimizeCoding })
}

type Encode = (pipeline: Sharp, shape: Shape, quality?: number) => Sharp

/** Formats that can be written, by file extension, with the options they are written with. */
const encoders: Readonly<Record<string, Encode>> = {
  png: (pipeline) => pipeline.png(),
  jpg: asJpeg,
  jpeg: asJpeg,
  webp: (pipeline, _, quality = 95) => pipeline.webp({ quality }),
  tif: (pipeline) => pipeline.tiff({ compression: 'lzw' }),
  tiff: (pipeline) => pipeline.tiff({ compression: 'lzw' }),
  avif: (pipeline, _, quality = 80) => pipeline.avif({ quality }),
}

/** Whether a format can be written, and with opacity where the image has it; else an error that lists what can. */
export function checkFormat(format: string, hasAlpha: boolean): void {
  const named = Object.keys(encoders)
  if (!Object.hasOwn(encoders, format)) {
    throw new RestoreError(
      'usage',
      `output: expected a format among ${named.join(', ')}, got ${format || 'none'}`,
    )
  }
  if (hasAlpha && format.startsWith('jp')) {
    const able = named.filter((name) => !name.startsWith('jp')).join(', ')
    throw new RestoreError(
      'usage',
      `output: ${format} has no transparency, which the image has; use ${able} (--format)`,
    )
  }
}

export interface EncodeOptions {
  /** 1..100 of JPEG, WebP and AVIF; those without loss take none. */
  readonly quality?: number
}

/**
 * Encodes planes (and opacity) for a file extension; 16-bit where the format can. Metadata is written as the file read had it,
 * the pixels in its profile; TIFF holds no EXIF, and WebP and AVIF no profile of gray.
 */
export async function encodeImage(
  { image, alpha, depth, format, metadata }: DecodedImage,
  { quality }: EncodeOptions = {},
): Promise<Uint8Array> {
  checkFormat(format, alpha !== undefined)
  const icc = keptProfile(metadata, format, image.channels)
  const foreign = foreignProfile(icc, image.channels)
  return orUnencodable(format, async () => {
    const all = stack(foreign ? await fromSrgb(image, foreign) : image, alpha)
    const samples = samplesFor(all, isDeepIn(format, depth), format)
    return write(samples, all, { format, metadata: metadata && { ...metadata, icc }, foreign, quality })
  })
}

/** Encodes samples as {@link encodeImage} does planes, without ever holding the picture as planes. */
export async function encodeBytes(
  { pixels, depth, format, metadata }: DecodedPixels,
  { quality }: EncodeOptions = {},
): Promise<Uint8Array> {
  const { width, height, channels, hasAlpha } = pixels
  checkFormat(format, hasAlpha)
  const icc = keptProfile(metadata, format, channels)
  const foreign = foreignProfile(icc, channels)
  return orUnencodable(format, async () => {
    const is16Bit = isDeepIn(format, depth) && pixels.data instanceof Uint16Array
    const isReady = !foreign && format !== 'avif' && is16Bit === pixels.data instanceof Uint16Array
    const samples = isReady ? pixels.data : await convertInBands(pixels, { is16Bit, format, foreign })
    const shape = { width, height, channels: channels + (hasAlpha ? 1 : 0) }
    return write(samples, shape, { format, metadata: metadata && { ...metadata, icc }, foreign, quality })
  })
}

/** Samples as the encoder takes them, by way of planes of some rows at a time. */
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
    const all = stack(foreign ? await fromSrgb(image, foreign) : image, alpha)
    converted.set(samplesFor(all, is16Bit, format), top * row)
  }
  return converted
}

/** The profile that a format can hold. */
function keptProfile(
  metadata: ImageMetadata | undefined,
  format: string,
  channels: number,
): Uint8Array | undefined {
  const isColorOnly = format === 'webp' || format === 'avif'
  const isKept = metadata?.icc && profileFits(metadata.icc, isColorOnly ? 3 : channels)
  return isKept && !(isColorOnly && channels === 1) ? metadata.icc : undefined
}

function isDeepIn(format: string, depth: 8 | 16): boolean {
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
    throw new Error('its color profile cannot be embedded; leave the metadata out')
  }
  return bytes
}

async function orUnencodable<T>(format: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    const reason = messageOf(error)
    throw new RestoreError('output', `${format}: the image cannot be encoded: ${reason}`, { cause: error })
  }
}

function stack(image: Image, alpha: Float32Array | undefined): Image {
  if (!alpha) return image
  const data = new Float32Array(image.data.length + alpha.length)
  data.set(image.data)
  data.set(alpha, image.data.length)
  return { ...image, channels: image.channels + 1, data }
}

function samplesFor(image: Image, is16Bit: boolean, format: string): Uint8Array | Uint16Array {
  if (!is16Bit) return quantize(image, 255, new Uint8Array(image.data.length))
  if (format !== 'avif') return quantize(image, 65535, new Uint16Array(image.data.length))
  // 12 bits, which libvips takes from the upper ones.
  const samples = quantize(image, 4095, new Uint16Array(image.data.length))
  for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! * 16
  return samples
}

function headerOf(input: string | Uint8Array): Promise<Metadata> {
  return sharp(input, { limitInputPixels: false }).metadata()
}

function checkHeader(header: Metadata): Metadata {
  const { format, pages = 1, depth } = header
  if (!readable.includes(format)) {
    throw new Error(`a file of ${format}; one of PNG, JPEG, WebP, TIFF, AVIF, GIF, BMP or PNM is read`)
  }
  if (pages > 1) throw new Error(`an animation or document of ${pages} pages; take one out first`)
  if (depth !== 'uchar' && depth !== 'ushort') {
    throw new Error(`samples of type ${depth}; 8 or 16 bits are read, so convert it first`)
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

function nameOf(format: string): string {
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

async function orExplained<T>(
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
