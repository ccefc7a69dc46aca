// Opens an image file: what it is, which of its pictures is wanted, and its header, before pixels are decoded.

import type { Metadata, Sharp, SharpOptions } from 'sharp'
import { composeFrame } from './formats/apng.ts'
import type { Bitmap } from './formats/bitmap.ts'
import { openBmp } from './formats/bmp.ts'
import type { ByteSource } from './formats/byteSource.ts'
import { headBytes, type ImageKind, imageKind, nameForeign } from './formats/kind.ts'
import { checkPng, countFrames } from './formats/png.ts'
import { openPnm } from './formats/pnm.ts'
import { claimRgb, type TiffPage, tiffPages } from './formats/tiffPages.ts'
import { checkWebp } from './formats/webp.ts'
import { isTurned } from './orientation.ts'
import { sharp } from './sharp.ts'

/** A file that libvips reads, or at least its header. */
export interface VipsFile {
  readonly kind: ImageKind
  readonly input: string | Uint8Array
  readonly header: Metadata
  /** Which picture of a TIFF to read. */
  readonly tiffPage: TiffPage | undefined
  /** Number of the frame of an animation, from 0. */
  readonly frame: number | undefined
}

/** A file, or the header of a format that libvips does not read. */
export type OpenFile = VipsFile | Bitmap

/** Size and format in the header of an image. */
export interface ImageSize {
  /** Width after EXIF rotation, in pixels. */
  readonly width: number
  readonly height: number
  readonly format: string
}

/**
 * Opens a file from its first bytes on, before any decoder sees it.
 * @param page number of the page or frame, from 1; without one, a file that has several is refused
 * @throws Error for what is not read
 */
export async function openFile(
  input: string | Uint8Array,
  source: ByteSource,
  page: number | undefined,
): Promise<OpenFile> {
  const kind = kindOf(source)
  if (kind === 'bmp' || kind === 'pnm') {
    checkPage(page, 1)
    const bytes = source.read(0, source.size)
    return kind === 'bmp' ? openBmp(bytes) : openPnm(bytes)
  }
  if (kind === 'tiff') {
    const pages = tiffPages(source)
    const tiffPage = pages[checkPage(page, pages.length) - 1]!
    const readable = tiffPage.lab ? claimRgb(source, tiffPage) : input
    const header = inherit(checkHeader(await headerOf(readable, tiffPage)), tiffPage)
    return { kind, input: readable, tiffPage, frame: undefined, header }
  }
  const header = await headerOf(input)
  const frames = framesOf(kind, source, header)
  const wanted = checkPage(page, frames)
  const frame = frames > 1 ? wanted - 1 : undefined
  return { kind, input, tiffPage: undefined, frame, header: checkHeader(header) }
}

/** An open file with all its bytes. */
export interface WholeFile {
  readonly file: VipsFile
  readonly bytes: Uint8Array
}

/** Composes the frame of an animated PNG, which libvips does not read, as a file of its own. */
export async function withFrame({ file, bytes }: WholeFile): Promise<WholeFile> {
  if (file.kind !== 'png' || file.frame === undefined) return { file, bytes }
  const composed = await composeFrame(bytes, file.frame)
  return {
    file: { ...file, input: composed, frame: undefined, header: await headerOf(composed) },
    bytes: composed,
  }
}

/** Pages of a document, or frames of an animation. */
export interface PageCount {
  readonly pages: number
  readonly isAnimation: boolean
}

/** Counts pages or frames. @throws Error for what is not read */
export async function countFile(input: string | Uint8Array, source: ByteSource): Promise<PageCount> {
  const kind = kindOf(source)
  const isAnimation = kind === 'gif' || kind === 'webp' || kind === 'png'
  const pages =
    kind === 'tiff'
      ? tiffPages(source).length
      : isAnimation
        ? framesOf(kind, source, await headerOf(input))
        : 1
  return { pages, isAnimation: isAnimation && pages > 1 }
}

function kindOf(source: ByteSource): ImageKind {
  const head = source.read(0, headBytes)
  const kind = imageKind(head)
  if (!kind) throw new Error(nameForeign(head))
  if (kind === 'png') checkPng(head)
  if (kind === 'webp') checkWebp(head, source.size)
  return kind
}

function framesOf(kind: ImageKind, source: ByteSource, header: Metadata): number {
  if (kind === 'png') return countFrames(source)
  // Other pictures of a HEIF are bursts and alternatives; one is marked as primary.
  return kind === 'gif' || kind === 'webp' ? (header.pages ?? 1) : 1
}

/** Checks a number of a page; returns it, or that of the only page. */
function checkPage(page: number | undefined, pages: number): number {
  if (page === undefined) {
    if (pages === 1) return 1
    throw new Error(
      `an animation or document of ${pages} pages; choose one (page, --pages N) or all (--pages all); for commands without --pages, restore --pages all --strength 0 writes files`,
    )
  }
  if (page <= pages) return page
  throw new Error(`${pages === 1 ? 'a single page' : `${pages} pages`}, without page ${page}; choose another`)
}

/** Completes a header by what only the directory above states. */
function inherit(header: Metadata, { inherited: { orientation = 1, icc } }: TiffPage): Metadata {
  const { width, height } = header.autoOrient
  const autoOrient = isTurned(orientation) ? { width: height, height: width } : { width, height }
  return { ...header, autoOrient, ...(icc && { icc: Buffer.from(icc) }) }
}

function headerOf(input: string | Uint8Array, page?: TiffPage): Promise<Metadata> {
  return openSharp({ input, tiffPage: page, frame: undefined }).metadata()
}

/** Opens the wanted picture with libvips. */
export function openSharp(
  { input, tiffPage, frame }: Pick<VipsFile, 'input' | 'tiffPage' | 'frame'>,
  options: SharpOptions = {},
): Sharp {
  const place = tiffPage
    ? { page: tiffPage.page, tiff: { subifd: tiffPage.subifd ?? -1 } }
    : { ...(frame === undefined ? {} : { page: frame }) }
  return sharp(input, { ...options, ...place, limitInputPixels: false })
}

function checkHeader(header: Metadata): Metadata {
  const { depth } = header
  if (depth === 'uchar' || depth === 'ushort') return header
  throw new Error(`samples of type ${depth}; convert it to 8 or 16 bits first`)
}

/** Size and format of an open file. */
export function sizeOf(file: OpenFile): ImageSize {
  if (!('header' in file)) return { width: file.width, height: file.height, format: file.format }
  return { ...file.header.autoOrient, format: formatName(file.header) }
}

/** Name of a format as its files end. */
export function formatName({ format, compression }: Metadata): string {
  if (format !== 'heif') return format
  return compression === 'av1' ? 'avif' : 'heic'
}
