// Writes metadata into encoded files as whole blocks, so that nothing is invented: libvips adds a resolution and
// EXIF of its own wherever it writes either.

import { bigEndian, concat, latin1Bytes, littleEndian, utf8Bytes } from '../../core/bytes.ts'
import { latin1, viewOf } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { headChunks, pngChunk } from '../formats/png.ts'
import { perInch, type Resolution } from '../formats/resolution.ts'
import { embedInAvif } from './avifItems.ts'
import { embedInTiff } from './directories.ts'
import { resizeExif } from './exif.ts'
import type { ImageMetadata } from './imageMetadata.ts'
import { iptcResources } from './iptc.ts'
import { rawProfileChunk, textChunk } from './pngText.ts'
import { resizeXmp } from './xmp.ts'

/** Blocks to write; colors are part of the encoded file already. */
export type EmbeddedMetadata = Omit<ImageMetadata, 'icc' | 'pngColors'>

interface Size {
  readonly width: number
  readonly height: number
}

/** Blocks that each format holds. */
const holds: Readonly<Record<string, readonly (keyof EmbeddedMetadata)[]>> = {
  jpeg: ['exif', 'xmp', 'iptc', 'texts', 'resolution'],
  png: ['exif', 'xmp', 'iptc', 'texts', 'resolution'],
  tiff: ['exif', 'xmp', 'iptc', 'resolution'],
  webp: ['exif', 'xmp'],
  avif: ['exif', 'xmp'],
}

/** A segment's length has 16 bits. */
const maxSegment = 65533

/** Tells what a format cannot hold. */
export function metadataNotes(format: string, metadata: ImageMetadata | undefined): readonly string[] {
  const kind = kindOf(format)
  const name = kind === 'jpeg' ? 'JPEG' : kind === 'webp' ? 'WebP' : kind.toUpperCase()
  const { texts, iptc, exif, xmp } = metadata ?? {}
  const held = holds[kind] ?? []
  const left = texts?.filter(
    ({ keyword }) => !held.includes('texts') || (kind === 'jpeg' && keyword !== 'Comment'),
  )
  const isTooLong = (block: Uint8Array | undefined) =>
    kind === 'jpeg' && block !== undefined && block.length > maxSegment - 64
  return [
    ...(iptc && !held.includes('iptc') ? [`left out IPTC, which ${name} does not hold`] : []),
    ...(left && left.length > 0
      ? [`left out texts (${left.map(({ keyword }) => keyword).join(', ')}), which ${name} does not hold`]
      : []),
    ...(isTooLong(exif) ? ['left out EXIF, which is too long for JPEG'] : []),
    ...(isTooLong(xmp) ? ['left out XMP, which is too long for JPEG'] : []),
    ...(isTooLong(iptc) ? ['left out IPTC, which is too long for JPEG'] : []),
  ]
}

/** Replaces the metadata of an encoded file; sizes in it become those of the picture. */
export async function embedMetadata(
  file: Uint8Array,
  format: string,
  { metadata = {}, width, height }: Size & { readonly metadata: EmbeddedMetadata | undefined },
): Promise<Uint8Array> {
  const blocks: EmbeddedMetadata = {
    ...metadata,
    exif: metadata.exif && resizeExif(metadata.exif, width, height),
    xmp: metadata.xmp && (await resizeXmp(metadata.xmp, width, height)),
  }
  const kind = kindOf(format)
  if (kind === 'jpeg') return embedInJpeg(file, blocks)
  if (kind === 'png') return embedInPng(file, blocks)
  if (kind === 'tiff') return embedInTiff(file, blocks)
  if (!blocks.exif && !blocks.xmp) return file
  if (kind === 'webp') return embedInWebp(file, blocks, { width, height })
  if (kind === 'avif') return embedInAvif(file, blocks)
  throw new RestoreError('output', `${format}: expected a format that holds metadata; use PNG or TIFF`)
}

function kindOf(format: string): string {
  return format.startsWith('jp') ? 'jpeg' : format.startsWith('tif') ? 'tiff' : format
}

/** Replaces the first segment, which is JFIF, and adds the others behind it. */
function embedInJpeg(
  file: Uint8Array,
  { exif, xmp, iptc, texts = [], resolution }: EmbeddedMetadata,
): Uint8Array {
  const isJfif = file[2] === 0xff && file[3] === 0xe0
  const rest = file.subarray(isJfif ? 4 + viewOf(file).getUint16(4) : 2)
  const segment = (marker: number, mark: string, bytes: Uint8Array) => {
    const body = concat([latin1Bytes(mark), bytes])
    if (body.length > maxSegment) return []
    return [Uint8Array.of(0xff, marker), bigEndian(body.length + 2, 2), body]
  }
  return concat([
    file.subarray(0, 2),
    ...segment(0xe0, 'JFIF\0', jfifBody(resolution)),
    ...(exif ? segment(0xe1, 'Exif\0\0', exif) : []),
    ...(xmp ? segment(0xe1, 'http://ns.adobe.com/xap/1.0/\0', xmp) : []),
    ...(iptc ? segment(0xed, 'Photoshop 3.0\0', iptcResources(iptc)) : []),
    ...texts
      .filter(({ keyword }) => keyword === 'Comment')
      .flatMap(({ text }) => segment(0xfe, '', utf8Bytes(text))),
    rest,
  ])
}

/** Version 1.1, and densities of 16 bits, or square pixels. */
function jfifBody(resolution: Resolution = { x: 1, y: 1, unit: 'none' }): Uint8Array {
  const isWhole = Number.isInteger(resolution.x) && Number.isInteger(resolution.y)
  const { x, y, unit } = isWhole ? resolution : perInch(resolution)
  const densities = [x, y].map((value) => Math.round(value))
  if (densities.some((value) => value < 1 || value > 65535)) return jfifBody()
  const head = Uint8Array.of(1, 1, unit === 'none' ? 0 : unit === 'cm' ? 2 : 1)
  return concat([head, ...densities.map((value) => bigEndian(value, 2)), new Uint8Array(2)])
}

/** Replaces libvips's resolution, and adds the others before the samples. */
function embedInPng(
  file: Uint8Array,
  { exif, xmp, iptc, texts = [], resolution }: EmbeddedMetadata,
): Uint8Array {
  const own = [...headChunks(file)]
  const samples = 8 + own.reduce((sum, { whole }) => sum + whole.length, 0)
  return concat([
    file.subarray(0, 8),
    ...own.flatMap(({ type, whole }) => (type === 'pHYs' ? [] : [whole])),
    ...(resolution ? [pngChunk('pHYs', pixelDimensions(resolution))] : []),
    ...(exif ? [pngChunk('eXIf', exif)] : []),
    ...(xmp ? [pngChunk('iTXt', latin1Bytes('XML:com.adobe.xmp\0\0\0\0\0'), xmp)] : []),
    ...(iptc ? [rawProfileChunk('iptc', iptcResources(iptc))] : []),
    ...texts.map(textChunk),
    file.subarray(samples),
  ])
}

function pixelDimensions(resolution: Resolution): Uint8Array {
  const { x, y, unit } = perInch(resolution)
  const isShape = unit === 'none'
  const densities = [x, y].map((value) => bigEndian(Math.round(isShape ? value : value / 0.0254), 4))
  return concat([...densities, Uint8Array.of(isShape ? 0 : 1)])
}

/** Adds chunks at the end, and what announces them at the start (RFC 9649, section 2.7). */
function embedInWebp(file: Uint8Array, { exif, xmp }: EmbeddedMetadata, { width, height }: Size): Uint8Array {
  const view = viewOf(file)
  const first = latin1(file, 12, 16)
  const header = new Uint8Array(18)
  if (first === 'VP8X') header.set(file.subarray(12, 30))
  else {
    header.set(latin1Bytes('VP8X'))
    header[4] = 10
    // A lossless bitstream says in its header whether it has opacity.
    if (first === 'VP8L' && (view.getUint32(21, true) >>> 28) & 1) header[8] = 0x10
    header.set(littleEndian(width - 1, 3), 12)
    header.set(littleEndian(height - 1, 3), 15)
  }
  header[8] = header[8]! | (exif ? 8 : 0) | (xmp ? 4 : 0)
  const chunk = (type: string, bytes: Uint8Array) => {
    return [latin1Bytes(type), littleEndian(bytes.length, 4), bytes, new Uint8Array(bytes.length % 2)]
  }
  const whole = concat([
    file.subarray(0, 12),
    header,
    file.subarray(first === 'VP8X' ? 30 : 12),
    ...(exif ? chunk('EXIF', exif) : []),
    ...(xmp ? chunk('XMP ', xmp) : []),
  ])
  whole.set(littleEndian(whole.length - 8, 4), 4)
  return whole
}
