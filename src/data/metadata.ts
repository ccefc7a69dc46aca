// Carries a photo's metadata from input to output by way of a one-pixel PNG, since only an image file can
// hand sharp a profile, EXIF and XMP unchanged. PNG (third edition), sections 11.2 and 11.3.

import { crc32, deflateSync } from 'node:zlib'

/** Metadata of an image file as raw blocks, which nothing between decoding and encoding interprets. */
export interface ImageMetadata {
  /** ICC profile of the file; pixels in memory are sRGB. */
  readonly icc: Uint8Array | undefined
  /** EXIF as a TIFF structure, with upright orientation and no thumbnail. */
  readonly exif: Uint8Array | undefined
  readonly xmp: Uint8Array | undefined
  /** Pixels per inch. */
  readonly density: number | undefined
}

export interface CarrierOptions {
  readonly channels: number
  readonly depth: 8 | 16
  readonly icc: Uint8Array | undefined
  readonly exif?: Uint8Array | undefined
  readonly xmp?: Uint8Array | undefined
}

const colorTypes = [0, 4, 2, 6]

/** Builds a one-pixel PNG of zeros (transparent if it has alpha) with the given metadata. */
export function carrierPng({ channels, depth, icc, exif, xmp }: CarrierOptions): Buffer {
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, depth, colorTypes[channels - 1] ?? 0, 0, 0, 0])
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(icc ? [chunk('iCCP', Buffer.from('icc\0\0', 'latin1'), deflateSync(icc))] : []),
    ...(exif ? [chunk('eXIf', exif)] : []),
    ...(xmp ? [chunk('iTXt', Buffer.from('XML:com.adobe.xmp\0\0\0\0\0', 'latin1'), xmp)] : []),
    chunk('IDAT', deflateSync(new Uint8Array(1 + (channels * depth) / 8))),
    chunk('IEND'),
  ])
}

function chunk(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), ...parts])
  const bytes = Buffer.alloc(body.length + 8)
  bytes.writeUInt32BE(body.length - 4, 0)
  body.copy(bytes, 4)
  bytes.writeUInt32BE(crc32(body), body.length + 4)
  return bytes
}

/**
 * Sets the EXIF orientation to upright, as the decoded pixels are, and drops the outdated thumbnail.
 * @returns undefined if malformed
 */
export function uprightExif(block: Uint8Array | undefined): Uint8Array | undefined {
  if (!block) return undefined
  const hasPrefix = Buffer.from(block.subarray(0, 6)).toString('latin1') === 'Exif\0\0'
  const exif = new Uint8Array(hasPrefix ? block.subarray(6) : block)
  if (exif.length < 14) return undefined
  const view = new DataView(exif.buffer)
  const isLittle = view.getUint16(0) === 0x4949
  if ((!isLittle && view.getUint16(0) !== 0x4d4d) || view.getUint16(2, isLittle) !== 42) return undefined
  const directory = view.getUint32(4, isLittle)
  if (directory + 2 > exif.length) return undefined
  const count = view.getUint16(directory, isLittle)
  const end = directory + 2 + count * 12
  if (end + 4 > exif.length) return undefined
  for (let entry = directory + 2; entry < end; entry += 12) {
    if (view.getUint16(entry, isLittle) === 0x0112) view.setUint16(entry + 8, 1, isLittle)
  }
  view.setUint32(end, 0, isLittle)
  return exif
}

/** Sets the XMP orientation, if present, to upright. */
export function uprightXmp(block: Uint8Array | undefined): Uint8Array | undefined {
  if (!block) return undefined
  const text = Buffer.from(block).toString('latin1')
  return Buffer.from(text.replace(/(tiff:Orientation(?:="|='|>))[2-8](?=["'<])/g, '$11'), 'latin1')
}
