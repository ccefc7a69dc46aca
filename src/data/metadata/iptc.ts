// IPTC-IIM records (captions, keywords, credits) and the Photoshop resources that carry them in files.
// IPTC-IIM 4.2, chapter 3; Adobe Photoshop File Formats, Image Resource Blocks.

import { bigEndian, concat, latin1Bytes } from '../../core/bytes.ts'
import { latin1, viewOf } from '../../core/data.ts'

const iptcResource = 0x0404

/** Finds the records among Photoshop's resources ('8BIM'); records without resources are returned as they are. */
export function iptcOf(resources: Uint8Array | undefined): Uint8Array | undefined {
  if (!resources) return undefined
  const prefix = 'Photoshop 3.0\0'
  const text = latin1(resources)
  if (text[0] === '\x1c') return resources
  const view = viewOf(resources)
  for (let at = text.startsWith(prefix) ? prefix.length : 0; at + 12 <= resources.length; ) {
    if (text.slice(at, at + 4) !== '8BIM') return undefined
    const name = Math.ceil((1 + resources[at + 6]!) / 2) * 2
    const start = at + 10 + name
    if (start > resources.length) return undefined
    const size = view.getUint32(start - 4)
    if (view.getUint16(at + 4) === iptcResource) return resources.slice(start, start + size)
    at = start + Math.ceil(size / 2) * 2
  }
  return undefined
}

/** Wraps records as Photoshop's resource. */
export function iptcResources(iptc: Uint8Array): Uint8Array {
  const head = [latin1Bytes('8BIM'), bigEndian(iptcResource, 2), new Uint8Array(2), bigEndian(iptc.length, 4)]
  return concat([...head, iptc, new Uint8Array(iptc.length % 2)])
}

/** Data sets of record 2 that name a place: content location, city, sublocation, province, country. */
const placeSets = new Set([26, 27, 90, 92, 95, 100, 101])

/** Removes the data sets that name a place; undefined if nothing else is left. */
export function iptcWithoutLocation(iptc: Uint8Array): Uint8Array | undefined {
  const view = viewOf(iptc)
  const kept: Uint8Array[] = []
  for (let at = 0; at + 5 <= iptc.length && iptc[at] === 0x1c; ) {
    const size = view.getUint16(at + 3)
    // Sizes of four bytes are for what no file has.
    if (size > 0x7fff) break
    const end = at + 5 + size
    if (iptc[at + 1] !== 2 || !placeSets.has(iptc[at + 2]!)) kept.push(iptc.subarray(at, end))
    at = end
  }
  return kept.length === 0 ? undefined : concat(kept)
}
