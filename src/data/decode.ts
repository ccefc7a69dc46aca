// Decodes image files with sharp (libvips).

import { readFile } from 'node:fs/promises'
import type { Metadata } from 'sharp'
import { bitmapColors } from './colors/bitmapColors.ts'
import { fileColors } from './colors/fileColors.ts'
import { heifColors } from './colors/heifColors.ts'
import { labColors } from './colors/lab.ts'
import { srgbTransform } from './colors/srgbTransform.ts'
import { samplesOf } from './fileSamples.ts'
import { withSource } from './fileSource.ts'
import type { Bitmap } from './formats/bitmap.ts'
import { bytesSource } from './formats/byteSource.ts'
import { checkJpeg, type JpegLayout, jpegLayout } from './formats/jpeg.ts'
import type { ImageKind } from './formats/kind.ts'
import { isLosslessWebp } from './formats/webp.ts'
import { type BitDepth, type Image, type Pixels, pixelsToPlanes } from './image.ts'
import { statesAdobeRgb } from './metadata/exif.ts'
import type { ImageMetadata } from './metadata/imageMetadata.ts'
import {
  cleanMetadata,
  jpegMetadata,
  partsIn,
  pngMetadata,
  type StoredMetadata,
  tiffMetadata,
} from './metadata/readMetadata.ts'
import {
  countFile,
  formatName,
  type ImageSize,
  openFile,
  type PageCount,
  sizeOf,
  type VipsFile,
  withFrame,
} from './openFile.ts'
import { readIfPipe } from './pipes.ts'
import { convertByProfile, isEmbeddable } from './sharpRaster.ts'
import { explainUnreadable } from './unreadable.ts'

export type { ImageMetadata } from './metadata/imageMetadata.ts'
export type { ImageSize, PageCount } from './openFile.ts'

/** What a file states beside its samples. */
interface DecodedFile {
  readonly depth: BitDepth
  readonly format: string
  /**
   * Metadata that encoding writes back. Its profile is the color space of the samples; without one, they are
   * sRGB.
   */
  readonly metadata?: ImageMetadata | undefined
  /** Whether the file is a lossless WebP or AVIF, which it is encoded as again. */
  readonly isLossless?: boolean | undefined
  /** What reading left out or converted, as sentences. */
  readonly notes?: readonly string[] | undefined
}

/** A decoded image as float planes. */
export interface DecodedImage extends DecodedFile {
  readonly image: Image
  /** Alpha [h w] in [0, 1], if the file has it. */
  readonly alpha: Float32Array | undefined
}

/** A decoded image as interleaved integer samples. */
export interface DecodedPixels extends DecodedFile {
  readonly pixels: Pixels
}

/** Options of decoding. */
export interface DecodeOptions {
  /** Largest width × height to decode, since a small file can claim any size. @default 268 million */
  readonly pixelLimit?: number
  /** Name that errors use for bytes; files are named by their path. */
  readonly name?: string
  /** Page of a document or frame of an animation, from 1. @default a file of several is refused */
  readonly page?: number | undefined
  /**
   * Color space of the samples: that of the file, described by the profile in the metadata, or sRGB, which
   * clips colors outside it. @default 'file'
   */
  readonly colors?: 'file' | 'srgb'
}

/** 16383 × 16383, sharp's default. */
const defaultPixelLimit = 0x3fff ** 2

/**
 * Decodes a still image into color or gray planes, upright; 16-bit files keep their depth.
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
  const { pixels, ...file } = await decode(input, options)
  return { ...pixelsToPlanes(pixels), ...file }
}

/** Decodes a still image into interleaved integer samples, upright, in color or gray. */
export async function decodeBytes(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<DecodedPixels> {
  const { pixels, ...file } = await decode(input, options)
  const isWider = file.depth === 8 && pixels.data instanceof Uint16Array
  return { ...file, pixels: isWider ? { ...pixels, data: to8Bits(pixels.data) } : pixels }
}

function to8Bits(samples: Uint8Array | Uint16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length)
  for (let i = 0; i < samples.length; i++) bytes[i] = Math.round(samples[i]! / 257)
  return bytes
}

/** Reads size and format from the header alone; the pixel data may still be corrupt. */
export async function imageSize(
  input: string | Uint8Array,
  { name, page }: Pick<DecodeOptions, 'name' | 'page'> = {},
): Promise<ImageSize> {
  return explainErrors(input, name, (opened) =>
    withSource(opened, async (source) => sizeOf(await openFile(opened, source, page))),
  )
}

/**
 * Counts the pages of a document or the frames of an animation from the header alone.
 * @throws RestoreError `input` if it is no image
 */
export async function countPages(
  input: string | Uint8Array,
  { name }: Pick<DecodeOptions, 'name'> = {},
): Promise<PageCount> {
  return explainErrors(input, name, (opened) => withSource(opened, (source) => countFile(opened, source)))
}

function decode(
  input: string | Uint8Array,
  { pixelLimit = defaultPixelLimit, name, colors: wanted = 'file', page }: DecodeOptions,
): Promise<DecodedPixels> {
  return explainErrors(input, name, async (opened) => {
    const stored = typeof opened === 'string' ? await readFile(opened) : opened
    const found = await openFile(stored, bytesSource(stored), page)
    if (!('header' in found)) return decodeBitmap(found, pixelLimit, wanted)
    checkPixels(found.header.width, found.header.height, pixelLimit)
    const { file, bytes } = await withFrame({ file: found, bytes: stored })
    const { header, kind } = file
    const jpeg = kind === 'jpeg' ? jpegLayout(bytes) : undefined
    if (jpeg) checkJpeg(jpeg)
    const turned = header.orientation ?? file.tiffPage?.inherited.orientation ?? 1
    const { metadata, notes } = await cleanMetadata(storedMetadata(file, bytes, jpeg), turned)
    const isAdobeRgb = statesAdobeRgb(metadata.exif)
    const colors = file.tiffPage?.lab
      ? labColors
      : await fileColors(bytes, { ...header, isAdobeRgb, isEmbeddable })
    const samples = await samplesOf(file, bytes, colors)
    const isConverted = wanted === 'srgb' && colors.icc
    const toSrgb = await srgbTransform(isConverted ? colors.icc : undefined, convertByProfile)
    const { icc, pngColors } = isConverted ? { icc: undefined, pngColors: undefined } : colors
    return {
      pixels: toSrgb(samples),
      depth: depthOf(header),
      format: formatName(header),
      metadata: { ...metadata, icc, pngColors },
      isLossless: isLossless(kind, bytes),
      notes: [...colors.notes, ...notes],
    }
  })
}

async function decodeBitmap(bitmap: Bitmap, limit: number, wanted: 'file' | 'srgb'): Promise<DecodedPixels> {
  const { width, height, depth, format, resolution, read } = bitmap
  checkPixels(width, height, limit)
  const pixels = read()
  const { icc, notes } = await bitmapColors(bitmap, pixels.channels === 1 ? 1 : 3, isEmbeddable)
  const file = { depth, format, notes }
  if (wanted === 'file') return { ...file, pixels, metadata: { icc, resolution } }
  return { ...file, pixels: (await srgbTransform(icc, convertByProfile))(pixels), metadata: { resolution } }
}

/** Whether a file is a WebP or AVIF of a kind that loses nothing. */
function isLossless(kind: ImageKind, file: Uint8Array): boolean {
  if (kind === 'avif') return heifColors(file).isLossless
  return kind === 'webp' && isLosslessWebp(file)
}

function depthOf({ depth, format, bitsPerSample }: Metadata): BitDepth {
  if (depth !== 'ushort') return 8
  return format === 'heif' && (bitsPerSample === 10 || bitsPerSample === 12) ? bitsPerSample : 16
}

/** Reads the metadata where a format keeps it; libvips finds it in the others. */
function storedMetadata(
  { kind, tiffPage, header }: VipsFile,
  file: Uint8Array,
  jpeg: JpegLayout | undefined,
): StoredMetadata {
  if (jpeg) return jpegMetadata(file, jpeg)
  if (kind === 'png') return pngMetadata(file)
  if (tiffPage) return tiffMetadata(file, tiffPage.directory)
  return {
    exif: header.exif,
    xmp: header.xmp,
    parts: kind === 'heic' || kind === 'avif' ? partsIn(file) : [],
  }
}

function checkPixels(width: number, height: number, limit: number): void {
  if (width * height <= limit) return
  const megapixels = (count: number) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} megapixels`
  throw new Error(
    `${width} × ${height} = ${megapixels(width * height)}, above the limit of ${megapixels(limit)}; raise pixelLimit (--pixel-limit) if you trust the file`,
  )
}

async function explainErrors<T>(
  input: string | Uint8Array,
  name: string | undefined,
  action: (source: string | Uint8Array) => Promise<T>,
): Promise<T> {
  try {
    return await action(typeof input === 'string' ? await readIfPipe(input) : input)
  } catch (error) {
    throw explainUnreadable(name ?? (typeof input === 'string' ? input : 'image'), error)
  }
}
