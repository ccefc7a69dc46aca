// XMP packets: what restoring makes wrong is corrected or left out, the rest stays. XMP part 1 (ISO 16684-1);
// namespaces of phones: Android's Ultra HDR and motion photo formats.

import type { Document, Element } from '@xmldom/xmldom'
import { utf8Bytes } from '../../core/bytes.ts'
import { latin1 } from '../../core/data.ts'
import { regionMarks, resizeRegions, turnRegions } from './regions.ts'
import { descriptionsOf, propertyOf, type Rule, remove, setValue } from './xmpProperties.ts'

const google = 'http://ns.google.com/photos/1.0'
const tiff = 'http://ns.adobe.com/tiff/1.0/'
const exif = 'http://ns.adobe.com/exif/1.0/'
const panorama = `${google}/panorama/`

/** Parts of a phone's file that a restored picture lacks. */
export const otherParts = {
  gainMap: 'the gain map, so the result is not HDR',
  video: 'the video of a motion photo',
  picture: 'another picture of the file, such as that of the other eye',
} as const

/** What describes such parts. */
const parts: readonly (readonly [note: string, Rule])[] = [
  [
    otherParts.gainMap,
    (namespace) => /^http:\/\/ns\.(?:adobe|apple)\.com\/h(?:dr-gain-map|drgainmap)\//i.test(namespace),
  ],
  [
    otherParts.video,
    (namespace, name) => namespace === `${google}/camera/` && /^(?:MotionPhoto|MicroVideo)/.test(name),
  ],
  [
    'XMP beyond 64 KB',
    (namespace, name) => namespace === 'http://ns.adobe.com/xmp/note/' && name === 'HasExtendedXMP',
  ],
  ['the depth map', (namespace) => new RegExp(`^${google}/(?:depthmap|image|audio)/`).test(namespace)],
]

/** Lists of a file's parts, with their lengths. */
const isList: Rule = (namespace) => namespace === `${google}/container/`

const isPlace: Rule = (namespace, name) =>
  (namespace === exif && name.startsWith('GPS')) ||
  (namespace === 'http://ns.adobe.com/photoshop/1.0/' && /^(?:City|State|Country)$/.test(name)) ||
  (namespace === 'http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/' && /^(?:Location|CountryCode)$/.test(name)) ||
  (namespace === 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/' && /^Location/.test(name)) ||
  namespace === 'http://www.w3.org/2003/01/geo/wgs84_pos#'

/** Texts without which nothing has to be changed, so that a packet stays as it is. */
const worthParsing = /:(?:Orientation|HasExtendedXMP)|ns\.google\.com|hdr-?gain-?map/i

/** Largest packet that is kept, in bytes. */
const maxBytes = 2 ** 24

/** Tags and attributes of the largest packet that is edited, and its depth: editing takes their square. */
const maxParts = 20_000
const maxDepth = 100

export interface CleanXmp {
  /** Undefined if it is malformed. */
  readonly xmp: Uint8Array | undefined
  readonly notes: readonly string[]
}

/**
 * Sets the orientation to upright, turns regions with the picture, and removes what describes parts that a restored
 * picture lacks.
 * @param turned orientation from which the picture was turned upright
 */
export async function cleanXmp(xmp: Uint8Array, turned = 1): Promise<CleanXmp> {
  if (xmp.length > maxBytes) return { xmp: undefined, notes: [`left out XMP of ${xmp.length} bytes`] }
  const text = plainText(xmp)
  const hasTurnedRegions = turned !== 1 && regionMarks.test(text)
  if (!worthParsing.test(text) && !hasTurnedRegions) return { xmp, notes: [] }
  const left = new Set<string>()
  const cleaned = await edit(xmp, (document) => {
    for (const description of descriptionsOf(document)) {
      for (const [what, rule] of parts) if (remove(description, rule) > 0) left.add(`left out ${what}`)
      remove(description, isList)
      setValue(description, tiff, 'Orientation', '1')
    }
    if (hasTurnedRegions) for (const note of turnRegions(document, turned)) left.add(note)
  })
  return cleaned
    ? { xmp: cleaned, notes: [...left] }
    : { xmp: undefined, notes: ['left out XMP, which is damaged'] }
}

/** Sets the size where a packet states one. */
export async function resizeXmp(xmp: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  if (!/:(?:Image(?:Width|Length)|Pixel[XY]Dimension|FullPano|AppliedTo)/.test(plainText(xmp))) return xmp
  const resized = await edit(xmp, (document) => {
    for (const description of descriptionsOf(document)) {
      setValue(description, tiff, 'ImageWidth', `${width}`)
      setValue(description, tiff, 'ImageLength', `${height}`)
      setValue(description, exif, 'PixelXDimension', `${width}`)
      setValue(description, exif, 'PixelYDimension', `${height}`)
      resizePanorama(description, width, height)
    }
    resizeRegions(document, width, height)
  })
  return resized ?? xmp
}

/** Measures of a panorama in pixels of the picture, which shows a part of it. */
const panoramaMeasures = {
  across: ['CroppedAreaLeftPixels', 'FullPanoWidthPixels', 'CroppedAreaImageWidthPixels'],
  down: ['CroppedAreaTopPixels', 'FullPanoHeightPixels', 'CroppedAreaImageHeightPixels'],
} as const

function resizePanorama(description: Element, width: number, height: number): void {
  for (const [names, side] of [
    [panoramaMeasures.across, width],
    [panoramaMeasures.down, height],
  ] as const) {
    const scale = side / Number(propertyOf(description, panorama, names[2]))
    if (!(scale > 0 && Number.isFinite(scale))) continue
    for (const name of names) {
      const value = Number(propertyOf(description, panorama, name))
      setValue(description, panorama, name, `${Math.round(value * scale)}`)
    }
  }
}

/** Removes where the picture was taken and what it shows of a place; undefined if that cannot be told. */
export function xmpWithoutLocation(xmp: Uint8Array): Promise<Uint8Array | undefined> {
  return edit(xmp, (document) => {
    for (const description of descriptionsOf(document)) remove(description, isPlace)
  })
}

/** Edits a packet; undefined if it is malformed. */
async function edit(xmp: Uint8Array, change: (document: Document) => void): Promise<Uint8Array | undefined> {
  // Loaded where it is needed, since few packets are edited.
  const { DOMParser, XMLSerializer } = await import('@xmldom/xmldom')
  const fail = (level: string, message: string) => {
    if (level !== 'warning') throw new Error(message)
  }
  try {
    const text = decodeText(xmp)
    if (!isModest(text)) return undefined
    const document = new DOMParser({ onError: fail }).parseFromString(text, 'text/xml')
    change(document)
    return utf8Bytes(new XMLSerializer().serializeToString(document))
  } catch {
    return undefined
  }
}

function isModest(text: string): boolean {
  let depth = 0
  let parts = 0
  for (const [part] of text.matchAll(/<\/|\/>|<(?![!?])|=/g)) {
    parts++
    if (part === '<') depth++
    else if (part !== '=') depth--
    if (parts > maxParts || depth > maxDepth) return false
  }
  return true
}

/** A packet as text to search for ASCII, be it in UTF-8 or UTF-16. */
function plainText(xmp: Uint8Array): string {
  return latin1(xmp).replaceAll('\0', '')
}

function decodeText(xmp: Uint8Array): string {
  const isUtf16 = xmp[0] === 0 || xmp[1] === 0 || xmp[0] === 0xfe || xmp[0] === 0xff
  const encoding = !isUtf16 ? 'utf-8' : xmp[0] === 0 || xmp[0] === 0xfe ? 'utf-16be' : 'utf-16le'
  // Packets are padded with white space, and some end in zeros.
  return new TextDecoder(encoding, { fatal: true })
    .decode(xmp)
    .replace(/[\0\s]+$/, '')
    .trimStart()
}
