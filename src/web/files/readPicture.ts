// Reads files in a browser like Node reads them: the samples of the file, upright, in its depth, with everything it
// says about them.

import { jpegFileQuality } from '../../auto/estimates/jpegTables.ts'
import { concat, latin1Bytes } from '../../core/bytes.ts'
import { latin1, viewOf } from '../../core/data.ts'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { bitmapColors } from '../../data/colors/bitmapColors.ts'
import { fileColors } from '../../data/colors/fileColors.ts'
import { heifColors } from '../../data/colors/heifColors.ts'
import { openBmp } from '../../data/formats/bmp.ts'
import { bytesSource } from '../../data/formats/byteSource.ts'
import { decodeHeic, type LibHeif } from '../../data/formats/heic.ts'
import { splitOpacity } from '../../data/formats/isoBoxes.ts'
import { checkJpeg, jpegLayout } from '../../data/formats/jpeg.ts'
import { headBytes, imageKind, nameForeign } from '../../data/formats/kind.ts'
import { checkPng, countFrames as pngFrames } from '../../data/formats/png.ts'
import { decodePng, pngHeader } from '../../data/formats/pngSamples.ts'
import { openPnm } from '../../data/formats/pnm.ts'
import { checkWebp } from '../../data/formats/webp.ts'
import type { BitDepth, Pixels } from '../../data/image.ts'
import { exifOrientation, statesAdobeRgb } from '../../data/metadata/exif.ts'
import { heicHeader, heifBlocks, heifOrientation } from '../../data/metadata/heifItems.ts'
import type { ImageMetadata } from '../../data/metadata/imageMetadata.ts'
import {
  cleanMetadata,
  jpegMetadata,
  partsIn,
  pngMetadata,
  type StoredMetadata,
} from '../../data/metadata/readMetadata.ts'
import { uprightPixels } from '../../data/orientation.ts'
import { type DecodedPicture, type RawInput, readRaw } from '../../runtime/pictures/pictureTypes.ts'
import {
  countFrames,
  decodeFrame,
  decodeOpaque,
  decodeStrips,
  hasFrameDecoder,
  type Rgba,
} from './nativeDecoder.ts'

/** Decoders of formats that most browsers lack, loaded when such a file is read. */
export interface Decoders {
  /** HEIC: `() => import('libheif-js/wasm-bundle')`. */
  readonly heic?: (() => Promise<unknown>) | undefined
  /** JPEG XL: `async () => (await import('@jsquash/jxl/decode')).default`. */
  readonly jxl?: (() => Promise<(file: ArrayBuffer) => Promise<Rgba>>) | undefined
}

/** A picture with what its file says about it. */
export interface ReadPicture extends DecodedPicture {
  /** Name of the format. */
  readonly format: string
  readonly metadata?: ImageMetadata | undefined
  /** Quality of a JPEG by its tables. */
  readonly jpegQuality?: number | undefined
  /** The file itself. */
  readonly file?: Blob | undefined
}

/** How a picture is read. */
export interface ReadOptions {
  readonly name?: string | undefined
  /** Frame of an animation, from 1. */
  readonly page?: number | undefined
  readonly decoders?: Decoders | undefined
}

/** Most pixels that are decoded, as in Node. */
const maxPixels = 0x3fff ** 2

/**
 * Reads a file, ImageData or samples.
 * @throws RestoreError 'input' for what cannot be read
 */
export async function readPicture(input: Blob | RawInput, options: ReadOptions): Promise<ReadPicture> {
  const { name = (input instanceof Blob && nameOf(input)) || 'image' } = options
  if (!(input instanceof Blob)) return { ...readRaw(input, name), format: 'png' }
  try {
    const bytes = new Uint8Array(await input.arrayBuffer())
    const picture = await readFile(input, bytes, options)
    return { ...picture, file: input }
  } catch (error) {
    if (error instanceof RestoreError) throw error
    const got = `${input.size} bytes of ${input.type || 'an unknown type'}`
    throw new RestoreError(
      'input',
      `${name}: expected an image that this browser can read and has memory for, got ${got} (${messageOf(error)})`,
      { cause: error },
    )
  }
}

/** Name of a File; undefined for a Blob without one. */
function nameOf(blob: Blob): string | undefined {
  const { name }: { readonly name?: unknown } = blob as object
  return typeof name === 'string' ? name : undefined
}

type Bytes = Uint8Array<ArrayBuffer>

/** Samples of a file and what it states. */
interface Parts {
  readonly pixels: Pixels
  readonly format: string
  readonly depth: BitDepth
  readonly stored: StoredMetadata
  /** How the file states its colors. */
  readonly colors: { readonly icc?: Uint8Array | undefined; readonly space: 'b-w' | 'srgb' | 'cmyk' }
  readonly notes?: readonly string[]
}

async function readFile(blob: Blob, bytes: Bytes, options: ReadOptions): Promise<ReadPicture> {
  const head = bytes.subarray(0, headBytes)
  const kind = imageKind(head)
  if (kind === 'bmp' || kind === 'pnm') return readBitmap(kind === 'bmp' ? openBmp(bytes) : openPnm(bytes))
  const parts = await readParts(kind, blob, bytes, options)
  const { pixels, depth, format, stored, colors, notes = [] } = parts
  // Decoders of HEIF go by its own boxes.
  const isByExif = format === 'jpeg' || format === 'png' || format === 'webp'
  const clean = await cleanMetadata(stored, isByExif ? exifOrientation(stored.exif) : 1)
  const {
    icc,
    pngColors,
    notes: colorNotes,
  } = await fileColors(bytes, {
    format: format === 'avif' || format === 'heic' ? 'heif' : format,
    space: colors.space,
    icc: colors.icc,
    isAdobeRgb: statesAdobeRgb(clean.metadata.exif),
  })
  return {
    ...{ pixels, depth, format },
    metadata: { ...clean.metadata, icc, pngColors },
    jpegQuality: jpegFileQuality(bytes),
    notes: [...notes, ...colorNotes, ...clean.notes],
  }
}

async function readBitmap(bitmap: ReturnType<typeof openBmp>): Promise<ReadPicture> {
  const { width, height, depth, format, resolution, read } = bitmap
  checkSize(width, height)
  const pixels = read()
  const { icc, notes } = await bitmapColors(bitmap, pixels.channels === 1 ? 1 : 3)
  return { pixels, depth, format, notes, metadata: { icc, resolution } }
}

function checkSize(width: number, height: number): void {
  if (width * height > maxPixels)
    throw new Error(
      `${width} × ${height} pixels, above the limit of ${Math.round(maxPixels / 1e6)} megapixels`,
    )
}

function readParts(
  kind: ReturnType<typeof imageKind>,
  blob: Blob,
  bytes: Bytes,
  options: ReadOptions,
): Promise<Parts> {
  if (kind === 'jpeg') return readJpeg(blob, bytes, options)
  if (kind === 'png') return readPng(bytes, options)
  if (kind === 'webp') return readWebp(blob, bytes, options)
  if (kind === 'gif') return readGif(blob, bytes, options)
  if (kind === 'avif') return readAvif(blob, bytes)
  if (kind === 'heic') return readHeic(blob, bytes, options)
  if (kind === 'tiff') throw new Error('a TIFF, which browsers do not read; convert it to PNG')
  if (isJxl(bytes)) return readJxl(blob, bytes, options)
  throw new Error(nameForeign(bytes.subarray(0, headBytes)))
}

/** Whether a file is a JPEG XL, as a codestream or in a container. */
function isJxl(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0x0a) || latin1(bytes, 4, 8) === 'JXL '
}

/** Refuses to choose a frame of several; returns the one that is meant, from 0. */
function frameOf({ page }: ReadOptions, frames: number): number {
  if (page === undefined && frames > 1)
    throw new Error(`an animation of ${frames} frames; choose one (page), or save one as PNG`)
  if ((page ?? 1) > frames)
    throw new Error(`${frames === 1 ? 'a single picture' : `${frames} frames`}, without frame ${page}`)
  return (page ?? 1) - 1
}

/** Keeps some channels of RGBA. */
function channelsOf({ data, width, height }: Rgba, channels: 1 | 3, hasAlpha: boolean): Pixels {
  const step = channels + (hasAlpha ? 1 : 0)
  const samples = new Uint8Array(width * height * step)
  for (let from = 0, to = 0; to < samples.length; from += 4, to += step) {
    for (let c = 0; c < channels; c++) samples[to + c] = data[from + c]!
    if (hasAlpha) samples[to + channels] = data[from + 3]!
  }
  return { width, height, channels, hasAlpha, data: samples }
}

/**
 * Orientation by EXIF, and a copy of the file whose EXIF no decoder finds if that turns it: browsers differ in the formats
 * and the types of number by which they turn pictures.
 * @param before bytes from the mark of the block to its content
 */
function unturned(
  bytes: Bytes,
  exif: Uint8Array | undefined,
  before: number,
): { readonly file: Blob | undefined; readonly turned: number } {
  const turned = exifOrientation(exif)
  if (!exif || turned === 1) return { file: undefined, turned: 1 }
  const copy = bytes.slice()
  copy.set(latin1Bytes('none'), exif.byteOffset - bytes.byteOffset - before)
  return { file: new Blob([copy]), turned }
}

async function readJpeg(blob: Blob, bytes: Bytes, options: ReadOptions): Promise<Parts> {
  frameOf(options, 1)
  const layout = jpegLayout(bytes)
  checkJpeg(layout)
  const frame = layout.segments.find(
    ({ marker, body }) => /^[\xc0-\xc2\xc9\xca]$/.test(String.fromCharCode(marker)) && body.length >= 6,
  )
  if (frame) checkSize(viewOf(frame.body).getUint16(3), viewOf(frame.body).getUint16(1))
  const components = frame?.body[5] ?? 3
  // The profile of four inks is the browser's affair, as it is libvips's in Node.
  const isCmyk = components === 4
  const stored = jpegMetadata(bytes, layout)
  const { file, turned } = unturned(bytes, stored.exif, 0)
  const channels = components === 1 ? 1 : 3
  const decoded = await decodeStrips(file ?? blob, isCmyk ? 'default' : 'none', channels)
  const mark = 'ICC_PROFILE\0'
  const profile = layout.segments
    .filter(({ marker, body }) => marker === 0xe2 && latin1(body, 0, mark.length) === mark)
    .toSorted((a, b) => a.body[mark.length]! - b.body[mark.length]!)
    .map(({ body }) => body.subarray(mark.length + 2))
  return {
    pixels: uprightPixels({ ...decoded, channels, hasAlpha: false }, turned),
    format: 'jpeg',
    depth: 8,
    stored,
    colors: {
      icc: profile.length > 0 ? concat(profile) : undefined,
      space: isCmyk ? 'cmyk' : components === 1 ? 'b-w' : 'srgb',
    },
  }
}

async function readPng(bytes: Bytes, options: ReadOptions): Promise<Parts> {
  checkPng(bytes.subarray(0, headBytes))
  const frames = pngFrames(bytesSource(bytes))
  const frame = frameOf(options, frames)
  if (frame > 0 && !hasFrameDecoder())
    throw new Error('an animation, of which this browser reads the first frame alone; choose page 1')
  const { width, height, isGray } = pngHeader(bytes)
  checkSize(width, height)
  const stored = pngMetadata(bytes)
  const decoded =
    frames > 1 && hasFrameDecoder()
      ? channelsOf(await decodeFrame(bytes, 'image/png', frame), 3, true)
      : await decodePng(bytes)
  return {
    pixels: uprightPixels(decoded, exifOrientation(stored.exif)),
    format: 'png',
    depth: decoded.data instanceof Uint16Array ? 16 : 8,
    stored,
    colors: { space: isGray && frames === 1 ? 'b-w' : 'srgb' },
  }
}

async function readWebp(blob: Blob, bytes: Bytes, options: ReadOptions): Promise<Parts> {
  checkWebp(bytes.subarray(0, headBytes), bytes.length)
  const chunks = new Map<string, Uint8Array>()
  let frames = 0
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [type, size] = [latin1(bytes, at, at + 4), viewOf(bytes).getUint32(at + 4, true)]
    if (type === 'ANMF') frames++
    if (!chunks.has(type)) chunks.set(type, bytes.subarray(at + 8, at + 8 + size))
    at += 8 + 2 * Math.ceil(size / 2)
  }
  const frame = frameOf(options, Math.max(frames, 1))
  const [extended, lossless] = [chunks.get('VP8X'), chunks.get('VP8L')]
  const hasAlpha = extended
    ? (extended[0]! & 0x10) !== 0
    : lossless !== undefined && (lossless[4]! & 0x10) !== 0
  const isWhole = frames === 0 && !hasAlpha
  const exif = chunks.get('EXIF')
  const { file, turned } = unturned(bytes, exif, 8)
  const rgba =
    isWhole || !hasFrameDecoder()
      ? await decodeOpaque(file ?? blob)
      : await decodeFrame(bytes, 'image/webp', frame)
  return {
    pixels: uprightPixels(channelsOf(rgba, 3, hasAlpha), turned),
    format: 'webp',
    depth: 8,
    stored: { exif, xmp: chunks.get('XMP ') },
    colors: { icc: chunks.get('ICCP'), space: 'srgb' },
  }
}

async function readGif(blob: Blob, bytes: Bytes, options: ReadOptions): Promise<Parts> {
  const frame = frameOf(options, await countFrames(bytes, 'image/gif'))
  const rgba = hasFrameDecoder() ? await decodeFrame(bytes, 'image/gif', frame) : await decodeOpaque(blob)
  const hasAlpha = rgba.data.some((value, i) => i % 4 === 3 && value !== 255)
  return {
    pixels: channelsOf(rgba, 3, hasAlpha),
    format: 'gif',
    depth: 8,
    stored: {},
    colors: { space: 'srgb' },
  }
}

const in8Bits = 'its samples were read in 8 bits, which browsers decode, of the 10 or 12 that it has'

async function readAvif(blob: Blob, bytes: Bytes): Promise<Parts> {
  const isStored = hasFrameDecoder()
  const rgba = isStored ? await decodeStoredAvif(bytes) : await decodeOpaque(blob)
  const hasAlpha = rgba.data.some((value, i) => i % 4 === 3 && value !== 255)
  const { icc, ...stored } = heifBlocks(bytes)
  const { isMonochrome: isGray, isDeep } = heifColors(bytes)
  return {
    pixels: uprightPixels(channelsOf(rgba, isGray ? 1 : 3, hasAlpha), isStored ? heifOrientation(bytes) : 1),
    format: 'avif',
    depth: 8,
    stored,
    colors: { icc, space: isGray ? 'b-w' : 'srgb' },
    notes: isDeep ? [in8Bits] : [],
  }
}

/** Decodes an AVIF, not turned upright: colors and opacity each as a picture of its own, so that both are exact. */
async function decodeStoredAvif(bytes: Bytes): Promise<Rgba> {
  const split = splitOpacity(bytes)
  const rgba = await decodeFrame(split?.color ?? bytes, 'image/avif', 0)
  if (!split) return rgba
  const { data: opacity, width, height } = await decodeFrame(split.opacity, 'image/avif', 0)
  if (width !== rgba.width || height !== rgba.height)
    throw new Error(`opacity of ${width} × ${height} pixels, for a picture of ${rgba.width} × ${rgba.height}`)
  for (let i = 0; i < opacity.length; i += 4) rgba.data[i + 3] = opacity[i]!
  return rgba
}

async function readHeic(blob: Blob, bytes: Bytes, { decoders }: ReadOptions): Promise<Parts> {
  const { icc, ...blocks } = heifBlocks(bytes)
  const stored = { ...blocks, parts: partsIn(bytes) }
  const colors = { icc, space: 'srgb' } as const
  if (!decoders?.heic) {
    const rgba = await decodeOpaque(blob).catch(() => {
      throw new Error('a HEIC, which this browser does not read; convert it to JPEG or PNG')
    })
    const notes = heicHeader(bytes).is16Bit ? [in8Bits] : []
    return { pixels: channelsOf(rgba, 3, false), format: 'heic', depth: 8, stored, colors, notes }
  }
  const pixels = decodeHeic(await loadHeif(decoders.heic), bytes, heicHeader(bytes))
  const depth = pixels.data instanceof Uint16Array ? 16 : 8
  return { pixels, format: 'heic', depth, stored, colors }
}

/** The library in a module, which some bundlers wrap. */
async function loadHeif(load: () => Promise<unknown>): Promise<LibHeif> {
  const loaded = (await load()) as { readonly default?: unknown }
  return (loaded.default ?? loaded) as LibHeif
}

async function readJxl(blob: Blob, bytes: Bytes, { decoders }: ReadOptions): Promise<Parts> {
  const read = async () =>
    decoders?.jxl ? (await decoders.jxl())(bytes.buffer) : decodeOpaque(blob, 'default')
  const rgba = await read().catch((error: unknown) => {
    throw new Error(`a JPEG XL, which this browser does not read (${messageOf(error)}); convert it to PNG`)
  })
  const hasAlpha = rgba.data.some((value, i) => i % 4 === 3 && value !== 255)
  return {
    pixels: channelsOf(rgba, 3, hasAlpha),
    format: 'jxl',
    depth: 8,
    stored: {},
    colors: { space: 'srgb' },
    notes: ['JPEG XL was converted to sRGB in 8 bits, without its metadata'],
  }
}
