// What a file is, by its first bytes and never by its name: only formats that are wanted reach their decoder, and
// others are refused by name.

// biome-ignore-all lint/suspicious/noControlCharactersInRegex: signatures are bytes

import { latin1 } from '../../core/data.ts'

/** Kinds of image files that are read. */
export type ImageKind = 'jpeg' | 'png' | 'webp' | 'tiff' | 'gif' | 'avif' | 'heic' | 'bmp' | 'pnm'

/** Bytes that tell the kind of a file. */
export const headBytes = 512

/** Formats for people to convert to. */
const readableFormats = 'PNG, JPEG, WebP, TIFF, AVIF, HEIC, GIF, BMP or PNM'

const signatures: readonly (readonly [ImageKind, RegExp])[] = [
  ['jpeg', /^\xff\xd8\xff/],
  ['png', /^\x89PNG\r\n\x1a\n/],
  ['webp', /^RIFF.{4}WEBP/s],
  ['gif', /^GIF8[79]a/],
  // Classic TIFF and BigTIFF. Canon's CR2 and Phase One's IIQ are TIFFs too, with marks of their own.
  ['tiff', /^(?:II[*+]\0|MM\0[*+])(?!.{4}(?:CR|IIII|MMMM))/s],
  ['bmp', /^BM.{12}/s],
  ['pnm', /^P[1-6][\s#]/],
]

/** Tells the kind of an image file; undefined for what is not read. */
export function imageKind(head: Uint8Array): ImageKind | undefined {
  const text = latin1(head)
  return signatures.find(([, pattern]) => pattern.test(text))?.[0] ?? heifKind(text)
}

/** Brands of ISO base media files whose first picture is still: AVIF, or HEVC in its variants. */
function heifKind(text: string): 'avif' | 'heic' | undefined {
  const brands = brandsOf(text)
  if (brands[0] === 'avis') return undefined
  if (brands.some((brand) => /^avi[fs]$/.test(brand))) return 'avif'
  return brands.some((brand) => /^(?:hei[cxms]|hev[cxms]|mif[12]|msf1)$/.test(brand)) ? 'heic' : undefined
}

function brandsOf(text: string): readonly string[] {
  if (text.slice(4, 8) !== 'ftyp') return []
  const size = text.charCodeAt(2) * 256 + text.charCodeAt(3)
  return [text.slice(8, 12), ...(text.slice(16, size).match(/.{4}/gs) ?? [])]
}

/** Formats that people take for pictures, with what to do instead. */
const others: readonly (readonly [RegExp, string, advice?: string])[] = [
  [
    /^<(?:!doctype html|html|head|body|script)/i,
    'a web page, perhaps from a failed download',
    'download the image again',
  ],
  [/^version https:\/\/git-lfs/, 'a Git LFS pointer instead of an image', 'run git lfs pull'],
  [/^(?:<\?xml.*|<!--.*|<!doctype svg.*)?<svg/is, 'an SVG drawing', 'export it as PNG'],
  [/^%PDF-/, 'a PDF document', 'export its pages as PNG or TIFF'],
  [/^(?:%!PS|\xc5\xd0\xd3\xc6)/, 'a PostScript file', 'export it as PNG or TIFF'],
  [/^8BP[SB]/, 'a Photoshop document', 'export it as PNG or TIFF'],
  [/^gimp xcf/, 'a GIMP document', 'export it as PNG or TIFF'],
  [/^(?:\xff\x0a|\0\0\0\x0cJXL )/, 'a JPEG XL image'],
  [/^(?:\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/, 'a JPEG 2000 image'],
  [/^\x76\x2f\x31\x01/, 'an OpenEXR image'],
  [/^#\?(?:RADIANCE|RGBE)/, 'a Radiance HDR image'],
  [/^P(?:7\s|[Ff]\s)/, 'a PAM or PFM image'],
  [/^.{4}ftypavis/s, 'an animated AVIF', 'extract its frames as PNG'],
  [/^\0\0[\x01\x02]\0/, 'an icon or cursor'],
  [/^DDS /, 'a DDS texture'],
  [/^SIMPLE {2}=/, 'a FITS image'],
  [/^qoif/, 'a QOI image'],
  [/^\x0a[\0-\x05]\x01[\x01\x02\x04\x08]/, 'a PCX image'],
  [/^(?:PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ)/, 'an archive', 'unpack it first'],
  [/^(?:RIFF.{4}AVI |\x1aE\xdf\xa3|\0\0\x01[\xb3\xba]|OggS)/s, 'a video', 'extract its frames as PNG'],
]

const rawAdvice = 'develop it in a raw converter, and export it as TIFF or JPEG'

/** Marks of camera raw files that are no plain TIFF; those that are one are recognized by their tags. */
const rawMarks: readonly (readonly [RegExp, string])[] = [
  [/^(?:II[*+]\0|MM\0[*+]).{4}CR/s, 'Canon CR2'],
  [/^.{4}ftypcrx /s, 'Canon CR3'],
  [/^.{6}HEAPCCDR/s, 'Canon CRW'],
  [/^FUJIFILMCCD-RAW/, 'Fujifilm RAF'],
  [/^II(?:RO|RS)|^MMOR/, 'Olympus ORF'],
  [/^IIU\0/, 'Panasonic RW2'],
  [/^FOVb/, 'Sigma X3F'],
  [/^\0MRM/, 'Minolta MRW'],
  [/^(?:(?:II\*\0|MM\0\*).{4})?(?:IIII|MMMM)/s, 'Phase One IIQ'],
]

/** Names what is not an image that can be read, with advice. */
export function nameForeign(head: Uint8Array): string {
  if (head.length === 0) return 'an empty file (0 bytes); download or export it again'
  const text = latin1(head)
  const raw = rawMarks.find(([mark]) => mark.test(text))
  if (raw) return rawFile(raw[1])
  const trimmed = text.replace(/^\xef\xbb\xbf/, '').trimStart()
  const [, name, advice = `convert it to ${readableFormats}`] = others.find(([p]) => p.test(trimmed)) ?? []
  if (name) return `${name}; ${advice}`
  if (text.slice(4, 8) === 'ftyp') return 'a video; extract its frames as PNG'
  return `no image format that is known; convert it to ${readableFormats}`
}

/** Describes a camera's raw file. */
export function rawFile(format: string): string {
  return `a camera's raw file (${format}); ${rawAdvice}`
}
