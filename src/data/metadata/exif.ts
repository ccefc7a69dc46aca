// EXIF as a block, which is a TIFF structure without samples: what restoring makes wrong is corrected in place, so
// that everything else stays byte for byte, maker notes included. Exif 3.0 (CIPA DC-008), section 4.6.

import { latin1, viewOf } from '../../core/data.ts'
import { bytesSource } from '../formats/byteSource.ts'
import { type TiffDirectory, type TiffEntry, TiffReader } from '../formats/tiff.ts'
import { isTurned, uprightBox } from '../orientation.ts'

const tags = {
  width: 0x0100,
  height: 0x0101,
  orientation: 0x0112,
  xResolution: 0x011a,
  yResolution: 0x011b,
  exifDirectory: 0x8769,
  gpsDirectory: 0x8825,
  interoperability: 0xa005,
  colorSpace: 0xa001,
  pixelWidth: 0xa002,
  pixelHeight: 0xa003,
  subjectArea: 0x9214,
  xFocalResolution: 0xa20e,
  yFocalResolution: 0xa20f,
  subjectLocation: 0xa214,
} as const

/** A block to edit, and its main directories. */
interface OpenExif {
  readonly block: Uint8Array
  readonly tiff: TiffReader
  readonly main: TiffDirectory
  /** Directory of the picture's facts (Exif). */
  readonly details: TiffDirectory | undefined
}

/** Opens a copy of a block; undefined if it is malformed. */
function openExif(block: Uint8Array): OpenExif | undefined {
  const copy = Uint8Array.from(block)
  try {
    const tiff = TiffReader.open(bytesSource(copy))
    if (!tiff || tiff.isBig) return undefined
    const main = tiff.directory(tiff.first)
    const at = tiff.number(main, tags.exifDirectory)
    return { block: copy, tiff, main, details: at === undefined ? undefined : tiff.directory(at) }
  } catch {
    return undefined
  }
}

/**
 * Sets the orientation to upright, as decoded pixels are, turns resolution and place of the subject with them, and drops
 * the thumbnail, which shows the picture before.
 * @param turned orientation from which the pixels were turned upright
 * @returns undefined if malformed
 */
export function uprightExif(exif: Uint8Array | undefined, turned = 1): Uint8Array | undefined {
  const hasPrefix = exif && latin1(exif, 0, 6) === 'Exif\0\0'
  const open = exif && openExif(hasPrefix ? exif.subarray(6) : exif)
  if (!open) return undefined
  const { block, tiff, main } = open
  setNumber(open, main.entries.get(tags.orientation), 1)
  turnSubject(open, turned)
  if (isTurned(turned)) {
    swapValues(block, main, tags.xResolution, tags.yResolution)
    swapValues(block, open.details, tags.xFocalResolution, tags.yFocalResolution)
  }
  viewOf(block).setUint32(main.start + 2 + main.count * 12, 0, tiff.isLittle)
  return block
}

/** Exchanges the values of two tags, if a directory has both. */
function swapValues(
  block: Uint8Array,
  directory: TiffDirectory | undefined,
  first: number,
  second: number,
): void {
  const [a, b] = [first, second].map((tag) => directory?.entries.get(tag)?.at)
  if (a === undefined || b === undefined) return
  const values = block.slice(a + 2, a + 12)
  block.copyWithin(a + 2, b + 2, b + 12)
  block.set(values, b + 2)
}

interface Size {
  readonly width: number
  readonly height: number
}

/** Size of the picture that a block states. */
function sizeOf({ tiff, details }: OpenExif): Size | undefined {
  const [width, height] = [tags.pixelWidth, tags.pixelHeight].map(
    (tag) => details && tiff.number(details, tag),
  )
  return width && height ? { width, height } : undefined
}

/** Turns the size that is stated, and the place of the subject in it. */
function turnSubject(open: OpenExif, orientation: number): void {
  const size = sizeOf(open)
  if (!size) return
  const upright = isTurned(orientation) ? { width: size.height, height: size.width } : size
  moveSubject(open, size, { size: upright, orientation })
  setNumber(open, open.details?.entries.get(tags.pixelWidth), upright.width)
  setNumber(open, open.details?.entries.get(tags.pixelHeight), upright.height)
}

/** Moves the place of the subject, which is a point, a circle or a rectangle in pixels, to a picture of another size. */
function moveSubject(
  { block, tiff, details }: OpenExif,
  from: Size,
  { size, orientation = 1 }: { readonly size: Size; readonly orientation?: number },
): void {
  const view = viewOf(block)
  for (const tag of [tags.subjectArea, tags.subjectLocation]) {
    const entry = details?.entries.get(tag)
    if (!details || entry?.type !== 3) continue
    const [x = 0, y = 0, across = 0, down = across] = tiff.numbers(details, tag)
    const shares = {
      x: x / from.width,
      y: y / from.height,
      width: across / from.width,
      height: down / from.height,
    }
    const box = uprightBox(orientation, shares)
    const moved = [box.x * size.width, box.y * size.height, box.width * size.width, box.height * size.height]
    for (const [i, value] of moved.slice(0, entry.count).entries())
      view.setUint16(entry.start + 2 * i, Math.min(Math.max(Math.round(value), 0), 65535), tiff.isLittle)
  }
}

/** Sets the size where the block states one, and scales the place of the subject. */
export function resizeExif(exif: Uint8Array, width: number, height: number): Uint8Array {
  const open = openExif(exif)
  if (!open) return exif
  const size = sizeOf(open)
  if (size) moveSubject(open, size, { size: { width, height } })
  for (const [directory, tag, value] of [
    [open.main, tags.width, width],
    [open.main, tags.height, height],
    [open.details, tags.pixelWidth, width],
    [open.details, tags.pixelHeight, height],
  ] as const)
    setNumber(open, directory?.entries.get(tag), value)
  return open.block
}

/** Overwrites the place where the picture was taken, and removes its directory. */
export function exifWithoutLocation(exif: Uint8Array): Uint8Array {
  const open = openExif(exif)
  const entry = open?.main.entries.get(tags.gpsDirectory)
  if (!open || !entry) return exif
  const { block, tiff, main } = open
  const start = tiff.number(main, tags.gpsDirectory) ?? 0
  for (const value of directoryAt(tiff, start)?.entries.values() ?? [])
    block.fill(0, value.start, value.start + value.byteLength)
  block.fill(0, start, start + 2 + (directoryAt(tiff, start)?.entries.size ?? 0) * 12)
  // The entries behind it move up, and the end moves with them.
  const count = main.count
  const end = main.start + 2 + count * 12 + 4
  block.copyWithin(entry.at, entry.at + 12, end)
  block.fill(0, end - 12, end)
  viewOf(block).setUint16(main.start, count - 1, tiff.isLittle)
  return block
}

function directoryAt(tiff: TiffReader, start: number): TiffDirectory | undefined {
  try {
    return tiff.directory(start)
  } catch {
    return undefined
  }
}

/** Replaces an entry by one number: short where it fits, since readers expect that of orientations. */
function setNumber({ block, tiff }: OpenExif, entry: TiffEntry | undefined, value: number): void {
  if (!entry) return
  const view = viewOf(block)
  const isLong = value > 0xffff
  view.setUint16(entry.at + 2, isLong ? 4 : 3, tiff.isLittle)
  view.setUint32(entry.at + 4, 1, tiff.isLittle)
  view.setUint32(entry.at + 8, 0)
  if (isLong) view.setUint32(entry.at + 8, value, tiff.isLittle)
  else view.setUint16(entry.at + 8, value, tiff.isLittle)
}

/**
 * Whether a block states Adobe RGB: by the index R03 of DCF 2.0 (5.2), whose color space is uncalibrated, or by the
 * color space 2 that some cameras write.
 */
export function statesAdobeRgb(exif: Uint8Array | undefined): boolean {
  const { tiff, details } = (exif && openExif(exif)) ?? {}
  if (!tiff || !details) return false
  const space = tiff.number(details, tags.colorSpace)
  const interoperability = tiff.number(details, tags.interoperability)
  const index =
    interoperability === undefined ? undefined : directoryAt(tiff, interoperability)?.entries.get(1)
  return space === 2 || (space === 0xffff && index !== undefined && latin1(tiff.bytes(index), 0, 3) === 'R03')
}

/** Orientation that a block states, 1 to 8; 1 without one. */
export function exifOrientation(exif: Uint8Array | undefined): number {
  const open = exif && openExif(latin1(exif, 0, 6) === 'Exif\0\0' ? exif.subarray(6) : exif)
  return open?.tiff.number(open.main, tags.orientation) ?? 1
}
