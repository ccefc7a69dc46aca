// What the extension of a picture's file says about its format.

import { RestoreError } from '../core/errors.ts'
import { writableFormats } from './encode.ts'

/** Kind of picture by file extension, in lower case; a name may not claim another kind than its content. */
const kinds: Readonly<Record<string, string>> = {
  png: 'png',
  jpg: 'jpg',
  jpeg: 'jpg',
  jpe: 'jpg',
  jfif: 'jpg',
  webp: 'webp',
  tif: 'tiff',
  tiff: 'tiff',
  avif: 'avif',
  gif: 'gif',
  bmp: 'bmp',
  heic: 'heic',
  heif: 'heic',
  pbm: 'pnm',
  pgm: 'pnm',
  ppm: 'pnm',
  pnm: 'pnm',
  jxl: 'jxl',
  jp2: 'jp2',
}

/** Returns the writable format of a file extension; undefined if there is none. */
export function formatOfExtension(extension: string): string | undefined {
  const name = extension.toLowerCase()
  if (writableFormats.includes(name)) return name
  return writableFormats.find((format) => format === kinds[name])
}

/**
 * Checks that the extension of a file's name does not claim another kind of picture than its format.
 * @throws RestoreError `usage`
 */
export function checkExtension(path: string, extension: string, format: string): void {
  const claimed = kinds[extension.toLowerCase()]
  if (claimed === undefined || claimed === kinds[format.toLowerCase()]) return
  throw new RestoreError(
    'usage',
    `${path}: expected a name that fits the format ${format}, got one of ${extension}; name it .${format}, or leave the format (--format) out`,
  )
}
