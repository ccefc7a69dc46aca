// Which directories of a TIFF are its pictures: previews and masks lie among them, and camera raw files are TIFFs
// whose first picture is a preview.

import { viewOf } from '../../core/data.ts'
import type { ByteSource } from './byteSource.ts'
import { rawFile } from './kind.ts'
import { type TiffDirectory, TiffReader } from './tiff.ts'

/** How a* and b* of CIELAB are stored: as signed numbers, or raised by half of the range. */
export type LabCoding = 'signed' | 'raised'

/** A picture of a TIFF. */
export interface TiffPage {
  /** Number among the directories of the file. */
  readonly page: number
  /** Number among the directories below that one; undefined for the directory itself. */
  readonly subifd: number | undefined
  /** Its entries, and those of the directory above that it lacks. */
  readonly directory: TiffDirectory
  /** What only the directory above states, where libvips does not look. */
  readonly inherited: { readonly orientation: number | undefined; readonly icc: Uint8Array | undefined }
  /** Coding of CIELAB; undefined for other colors. */
  readonly lab: LabCoding | undefined
}

const tags = {
  subfileType: 254,
  oldSubfileType: 255,
  width: 256,
  bits: 258,
  compression: 259,
  photometric: 262,
  orientation: 274,
  subIfds: 330,
  jpegStream: 513,
  cfaPattern: 33422,
  icc: 34675,
  dngVersion: 50706,
} as const

const colorFilterArray = 32803
const linearRaw = 34892
const yCbCr = 6

const labCodings: Readonly<Record<number, LabCoding>> = { 8: 'signed', 9: 'raised' }

/** Formats of other photometric values, which libvips calls damaged. */
const unreadable: Readonly<Record<number, string>> = {
  10: 'ITU L*a*b* colors',
  32844: 'LogLuv colors',
  32845: 'LogLuv colors',
}

/**
 * Lists the pictures of a TIFF; previews, thumbnails and masks are left out unless there is nothing else.
 * @throws Error for a camera's raw file, and where a directory is damaged
 */
export function tiffPages(source: ByteSource): readonly TiffPage[] {
  const tiff = TiffReader.open(source)
  if (!tiff) throw new Error('a damaged TIFF; download or export it again')
  const pages = tiff.directories().map((directory, page) => [
    { page, subifd: undefined, directory, inherited: nothing, ...contentOf(tiff, directory, page) },
    ...tiff.numbers(directory, tags.subIfds).map((start, subifd) => {
      const below = tiff.directory(start)
      const content = contentOf(tiff, below, page)
      return { page, subifd, ...withInherited(tiff, below, directory), ...content }
    }),
  ])
  const all = pages.flat()
  if (all.length === 0) throw new Error('a truncated TIFF; download or export it again')
  if (all.some(({ isRaw }) => isRaw)) throw new Error(rawFile('DNG, NEF, ARW or another TIFF'))
  const widest = (pictures: typeof all) => pictures.toSorted((a, b) => b.width - a.width).slice(0, 1)
  const full = pages.flatMap((page) => widest(page.filter(({ isFull }) => isFull)))
  const found = full.length > 0 ? full : widest(all)
  for (const { directory, photometric } of found) {
    const fault = faultOf(tiff, directory, photometric)
    if (fault) throw new Error(fault)
  }
  return found.map(({ photometric, ...picture }) => ({ ...picture, lab: labCodings[photometric] }))
}

const nothing = { orientation: undefined, icc: undefined }

function withInherited(
  tiff: TiffReader,
  directory: TiffDirectory,
  above: TiffDirectory,
): Pick<TiffPage, 'directory' | 'inherited'> {
  const { entries } = directory
  const profile = entries.has(tags.icc) ? undefined : above.entries.get(tags.icc)
  return {
    directory: { ...directory, entries: new Map([...above.entries, ...entries]) },
    inherited: {
      orientation: entries.has(tags.orientation) ? undefined : tiff.number(above, tags.orientation),
      icc: profile && tiff.bytes(profile),
    },
  }
}

/** Tells what libvips calls damaged, or reads wrongly. */
function faultOf(tiff: TiffReader, directory: TiffDirectory, photometric: number): string | undefined {
  const colors = unreadable[photometric]
  if (colors) return `a TIFF in ${colors}; convert it to RGB`
  const isJpeg = [6, 7].includes(tiff.number(directory, tags.compression) ?? 1)
  if (photometric === yCbCr && !isJpeg)
    return 'a TIFF in YCbCr colors without JPEG compression; convert it to RGB'
  const bits = tiff.number(directory, tags.bits) ?? 1
  return [1, 2, 4, 8, 16, 32].includes(bits)
    ? undefined
    : `a TIFF of ${bits} bits per sample; convert it to 8 or 16 bits`
}

/** The whole file with a page that claims to be RGB, since libvips reads no CIELAB. */
export function claimRgb(source: ByteSource, { directory }: TiffPage): Uint8Array {
  const bytes = source.read(0, source.size).slice()
  const { start } = directory.entries.get(tags.photometric)!
  const isLittle = bytes[0] === 0x49
  viewOf(bytes).setUint16(start, 2, isLittle)
  return bytes
}

function contentOf(tiff: TiffReader, directory: TiffDirectory, page: number) {
  const subfile = tiff.number(directory, tags.subfileType) ?? 0
  const photometric = tiff.number(directory, tags.photometric) ?? -1
  // A JPEG stream behind the first picture is its thumbnail, as in EXIF.
  const isThumbnail = page > 0 && directory.entries.has(tags.jpegStream)
  const isReduced = (subfile & 1) !== 0 || tiff.number(directory, tags.oldSubfileType) === 2 || isThumbnail
  const isMask = (subfile & 4) !== 0 || photometric === 4
  return {
    width: tiff.number(directory, tags.width) ?? 0,
    photometric,
    isFull: !isReduced && !isMask,
    isRaw:
      photometric === colorFilterArray ||
      photometric === linearRaw ||
      directory.entries.has(tags.dngVersion) ||
      directory.entries.has(tags.cfaPattern),
  }
}
