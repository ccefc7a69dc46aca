// Reads what a file says about its picture beside colors, as blocks that encoding writes back.

import { utf8Bytes } from '../../core/bytes.ts'
import { latin1, viewOf } from '../../core/data.ts'
import { bytesSource } from '../formats/byteSource.ts'
import type { JpegLayout } from '../formats/jpeg.ts'
import { pngChunks } from '../formats/png.ts'
import { type Resolution, resolutionOf } from '../formats/resolution.ts'
import { type TiffDirectory, TiffReader } from '../formats/tiff.ts'
import { isTurned } from '../orientation.ts'
import { exifOfDirectory } from './directories.ts'
import { uprightExif } from './exif.ts'
import type { ImageMetadata } from './imageMetadata.ts'
import { iptcOf } from './iptc.ts'
import { type PngText, rawProfile, readText } from './pngText.ts'
import { cleanXmp, otherParts } from './xmp.ts'

/** Metadata of a file as it is stored. */
export interface StoredMetadata {
  readonly exif?: Uint8Array | undefined
  readonly xmp?: Uint8Array | undefined
  readonly iptc?: Uint8Array | undefined
  readonly texts?: readonly PngText[] | undefined
  readonly resolution?: Resolution | undefined
  /** Parts of the file beside its picture. */
  readonly parts?: readonly string[] | undefined
}

/** Metadata that holds for the decoded picture, and what was left out. */
export interface CleanMetadata {
  readonly metadata: Omit<ImageMetadata, 'icc' | 'pngColors'>
  readonly notes: readonly string[]
}

/**
 * Corrects metadata for a picture that was turned upright, and leaves out what it lacks.
 * @param turned orientation from which it was turned
 */
export async function cleanMetadata(
  { exif, xmp, iptc, texts, resolution, parts = [] }: StoredMetadata,
  turned: number,
): Promise<CleanMetadata> {
  const clean = xmp ? await cleanXmp(xmp, turned) : { xmp: undefined, notes: [] }
  const upright = uprightExif(exif, turned)
  const isDamaged = exif !== undefined && exif.length > 0 && !upright
  return {
    metadata: {
      exif: upright,
      xmp: clean.xmp,
      iptc,
      texts: texts && texts.length > 0 ? texts : undefined,
      resolution:
        resolution && isTurned(turned) ? { ...resolution, x: resolution.y, y: resolution.x } : resolution,
    },
    notes: [
      ...new Set([...clean.notes, ...parts.map((part) => `left out ${part}`)]),
      ...(isDamaged ? ['left out EXIF, which is damaged'] : []),
    ],
  }
}

const xmpMark = 'http://ns.adobe.com/xap/1.0/\0'

/** Marks of parts that phones store behind a picture, or beside it in HEIC. */
const partMarks = [
  [otherParts.gainMap, /hdr-gain-map|hdrgainmap|urn:iso:std:iso:ts:21496|^.{4}ftyp(?:.{4}){2,16}?tmap/is],
  [otherParts.video, /ftyp(?:mp4|isom|qt {2}|M4V)|MotionPhoto_Data/],
] as const

/** Finds parts beside the picture. */
export function partsIn(bytes: Uint8Array): readonly string[] {
  const text = latin1(bytes)
  return partMarks.flatMap(([name, mark]) => (mark.test(text) ? [name] : []))
}

/** Reads the application segments of a JPEG, and what follows its picture. */
export function jpegMetadata(file: Uint8Array, { segments, end }: JpegLayout): StoredMetadata {
  const bodyOf = (wanted: number, mark: string) =>
    segments.find(({ marker, body }) => marker === wanted && latin1(body, 0, mark.length) === mark)?.body
  const exif = bodyOf(0xe1, 'Exif\0')
  const jfif = bodyOf(0xe0, 'JFIF\0')
  const comments = segments.filter(({ marker }) => marker === 0xfe)
  return {
    exif,
    xmp: bodyOf(0xe1, xmpMark)?.slice(xmpMark.length),
    iptc: iptcOf(bodyOf(0xed, 'Photoshop 3.0\0')),
    texts: comments.map(({ body }) => ({ keyword: 'Comment', text: commentIn(body) })),
    resolution: jfif && jfif.length >= 12 ? jfifResolution(viewOf(jfif)) : undefined,
    parts: partsBehind(file.subarray(end), bodyOf(0xe2, 'MPF\0')),
  }
}

/** Text of a comment, whose encoding the format leaves open: UTF-8, else Latin-1. */
function commentIn(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return latin1(body)
  }
}

/** Parts behind the picture of a JPEG; the format for several (CIPA DC-007, 5.2.3) tells what they are. */
function partsBehind(rest: Uint8Array, index: Uint8Array | undefined): readonly string[] {
  const parts = partsIn(rest)
  return parts.length === 0 && index && holdsViews(index.subarray(4)) ? [otherParts.picture] : parts
}

/** Whether an index lists pictures besides the first one and previews of it. */
function holdsViews(index: Uint8Array): boolean {
  try {
    const tiff = TiffReader.open(bytesSource(index))
    const entry = tiff?.directory(tiff.first).entries.get(0xb002)
    if (!tiff || !entry) return false
    const view = viewOf(tiff.bytes(entry))
    const kinds = Array.from(
      { length: Math.floor(view.byteLength / 16) },
      (_, i) => (view.getUint32(i * 16, tiff.isLittle) >>> 16) & 0xff,
    )
    return kinds.slice(1).some((kind) => kind !== 1)
  } catch {
    // A damaged index says nothing.
    return false
  }
}

function jfifResolution(jfif: DataView): Resolution | undefined {
  const unit = (['none', 'inch', 'cm'] as const)[jfif.getUint8(7)]
  return resolutionOf(jfif.getUint16(8), jfif.getUint16(10), unit)
}

/** Reads the chunks of a PNG; profiles that older programs wrote as text are read as what they are. */
export function pngMetadata(file: Uint8Array): StoredMetadata {
  const chunks = [...pngChunks(file)]
  const texts = chunks.flatMap((chunk) => readText(chunk) ?? [])
  const profiles = new Map(
    texts.flatMap(({ keyword, text }): [string, Uint8Array | undefined][] =>
      keyword.startsWith('Raw profile type ') ? [[keyword.slice(17).toLowerCase(), rawProfile(text)]] : [],
    ),
  )
  const xmp = texts.find(({ keyword }) => keyword === 'XML:com.adobe.xmp')
  const density = chunks.find(({ type, body }) => type === 'pHYs' && body.length === 9)?.body
  return {
    exif: chunks.find(({ type }) => type === 'eXIf')?.body ?? profiles.get('exif') ?? profiles.get('app1'),
    xmp: xmp ? utf8Bytes(xmp.text) : profiles.get('xmp'),
    iptc: iptcOf(profiles.get('iptc')),
    texts: texts.filter(({ keyword }) => !/^(?:XML:com\.adobe\.xmp$|Raw profile type )/.test(keyword)),
    resolution: density && pngResolution(viewOf(density)),
  }
}

function pngResolution(density: DataView): Resolution | undefined {
  const [x, y] = [density.getUint32(0), density.getUint32(4)]
  return density.getUint8(8) === 1 ? resolutionOf(x * 0.0254, y * 0.0254, 'inch') : resolutionOf(x, y, 'none')
}

/** Reads the directory of a TIFF's picture, and the facts in the first one. */
export function tiffMetadata(file: Uint8Array, directory: TiffDirectory): StoredMetadata {
  const tiff = TiffReader.open(bytesSource(file))
  if (!tiff) return {}
  const bytes = (tag: number) => {
    const entry = directory.entries.get(tag)
    return entry && tiff.bytes(entry)
  }
  return {
    exif: exifOfDirectory(tiff, directory) ?? exifOfDirectory(tiff, tiff.directory(tiff.first)),
    xmp: bytes(700),
    iptc: iptcOf(bytes(33723)) ?? iptcOf(bytes(34377)),
    resolution: tiff.resolution(directory),
  }
}
