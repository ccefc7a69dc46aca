// Reads EXIF, XMP and the profile of AVIF and HEIC. ISO/IEC 14496-12, section 8.11 (meta, iinf, iloc, idat); ISO/IEC
// 23008-12, annex A.

import { latin1, viewOf } from '../../core/data.ts'
import type { HeicHeader } from '../formats/heic.ts'
import {
  type Box,
  bodyOf,
  boxesIn,
  itemPlaces,
  itemProperties,
  metaOf,
  primaryItem,
} from '../formats/isoBoxes.ts'

/** Blocks of a file, as it holds them. */
export interface HeifBlocks {
  readonly exif: Uint8Array | undefined
  readonly xmp: Uint8Array | undefined
  readonly icc: Uint8Array | undefined
}

/** Finds the blocks; those that are split or damaged are left out. */
export function heifBlocks(file: Uint8Array): HeifBlocks {
  const meta = metaOf(file)
  const whole = wholeItems(file, meta)
  const items = boxesIn(bodyOf(meta, 'iinf').subarray(bodyOf(meta, 'iinf')[0] === 0 ? 6 : 8))
  const itemOf = (matches: (type: string, rest: string) => boolean) => {
    const found = items.find(({ body }) => {
      const wide = body[0] === 3
      return (
        body[0]! >= 2 && matches(latin1(body, wide ? 10 : 8, wide ? 14 : 12), latin1(body, wide ? 14 : 12))
      )
    })
    if (!found) return undefined
    const view = viewOf(found.body)
    return whole.get(found.body[0] === 3 ? view.getUint32(4) : view.getUint16(4))
  }
  const exif = itemOf((type) => type === 'Exif')
  // The block's TIFF header follows its offset.
  const start = exif && exif.length > 4 ? 4 + viewOf(exif).getUint32(0) : 0
  const profile = propertiesOf(meta).find(
    ({ type, body }) => type === 'colr' && /prof|rICC/.test(latin1(body, 0, 4)),
  )
  return {
    exif: exif?.subarray(start),
    xmp: itemOf((type, rest) => type === 'mime' && rest.includes('rdf+xml')),
    icc: profile?.body.subarray(4),
  }
}

/** Boxes of the properties of the primary item. */
function propertiesOf(meta: readonly Box[]): readonly Box[] {
  const all = boxesIn(bodyOf(boxesIn(bodyOf(meta, 'iprp')), 'ipco'))
  return (itemProperties(meta).get(primaryItem(meta)) ?? []).flatMap((i) => all[i] ?? [])
}

/** Orientations by quarters of a turn to the left, without a mirror and with mirrors of axis 0 and 1. */
const orientations = [
  [1, 4, 2],
  [8, 5, 7],
  [3, 2, 4],
  [6, 7, 5],
] as const

/** Orientation of the stored samples as EXIF numbers it, 1 to 8; the boxes decide, whatever EXIF says. */
export function heifOrientation(file: Uint8Array): number {
  const own = propertiesOf(metaOf(file))
  const [turns = 0] = bodyOf(own, 'irot')
  const [axis] = bodyOf(own, 'imir')
  return orientations[turns & 3]![axis === undefined ? 0 : 1 + (axis & 1)]!
}

/** Whether a HEIC has opacity, and more than 8 bits. */
export function heicHeader(file: Uint8Array): HeicHeader {
  const properties = boxesIn(bodyOf(boxesIn(bodyOf(metaOf(file), 'iprp')), 'ipco'))
  return {
    hasAlpha: properties.some(({ type, body }) => type === 'auxC' && /alpha|auxid:1/.test(latin1(body))),
    // The bit depth of luma, minus 8.
    is16Bit: ((bodyOf(properties, 'hvcC')[17] ?? 0) & 7) > 0,
  }
}

/** Bytes of items of one extent that are whole, by their ids. */
function wholeItems(file: Uint8Array, meta: readonly Box[]): ReadonlyMap<number, Uint8Array> {
  const items = new Map<number, Uint8Array>()
  const idat = bodyOf(meta, 'idat')
  for (const [id, { method, extents }] of itemPlaces(meta)) {
    const [extent, second] = extents
    const source = method === 1 ? idat : file
    if (!extent || second || method > 1 || extent.start + extent.length > source.length) continue
    items.set(id, source.subarray(extent.start, extent.start + extent.length))
  }
  return items
}
