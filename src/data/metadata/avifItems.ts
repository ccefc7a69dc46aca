// Adds EXIF and XMP to an AVIF as items that describe its picture. ISO/IEC 14496-12, section 8.11 (meta, iinf, iloc,
// iref); ISO/IEC 23008-12, annex A.

import { bigEndian, concat, latin1Bytes } from '../../core/bytes.ts'
import { viewOf } from '../../core/data.ts'
import { type Box, bodyOf, boxesIn, boxOf, metaOf, primaryItem } from '../formats/isoBoxes.ts'
import type { ImageMetadata } from './imageMetadata.ts'

function uint16(...values: readonly number[]): Uint8Array {
  return concat(values.map((value) => bigEndian(value, 2)))
}

interface Item {
  readonly type: 'Exif' | 'mime'
  readonly bytes: Uint8Array
}

/** Adds the blocks to a file as libheif writes it. */
export function embedInAvif(
  file: Uint8Array,
  { exif, xmp }: Pick<ImageMetadata, 'exif' | 'xmp'>,
): Uint8Array {
  const items: Item[] = [
    // The block's TIFF header follows its offset, which is 0.
    ...(exif ? [{ type: 'Exif', bytes: concat([new Uint8Array(4), exif]) } as const] : []),
    ...(xmp ? [{ type: 'mime', bytes: xmp } as const] : []),
  ]
  const boxes = boxesIn(file)
  const inside = metaOf(file)
  // Behind version, flags and a count of 16 bits.
  const ids = boxesIn(bodyOf(inside, 'iinf').subarray(6)).map(({ body }) => viewOf(body).getUint16(4))
  const first = Math.max(0, ...ids) + 1
  // The size of the new box is known before its offsets are: they have a fixed width.
  const lengths = items.map(({ bytes }) => bytes.length)
  const build = (shift: number) => {
    let at = file.length + shift + 8
    const places = lengths.map((length) => {
      at += length
      return at - length
    })
    return buildMeta({ inside, items, first, places, shift })
  }
  const sizeBefore = boxes.find(({ type }) => type === 'meta')?.whole.length ?? 0
  const meta = build(build(0).length - sizeBefore)
  const data = boxOf('mdat', ...items.map(({ bytes }) => bytes))
  return concat([...boxes.map(({ type, whole }) => (type === 'meta' ? meta : whole)), data])
}

interface MetaParts {
  /** What the box holds already. */
  readonly inside: readonly Box[]
  readonly items: readonly Item[]
  /** Id of the first new item. */
  readonly first: number
  /** Positions of the new items in the file. */
  readonly places: readonly number[]
  /** By how much everything behind the box moves. */
  readonly shift: number
}

function buildMeta({ inside, items, first, places, shift }: MetaParts): Uint8Array {
  const references = items.map((_, i) => boxOf('cdsc', uint16(first + i, 1, primaryItem(inside))))
  const parts = inside.map(({ type, whole, body }) => {
    if (type === 'iinf') {
      const entries = items.map((item, i) => infoEntry(first + i, item.type))
      const count = viewOf(body).getUint16(4) + items.length
      return boxOf('iinf', body.subarray(0, 4), uint16(count), body.subarray(6), ...entries)
    }
    if (type === 'iref') return boxOf('iref', body, ...references)
    return type === 'iloc' ? locations(body, { items, first, places, shift }) : whole
  })
  const hasReferences = inside.some(({ type }) => type === 'iref')
  const iref = hasReferences ? [] : [boxOf('iref', new Uint8Array(4), ...references)]
  return boxOf('meta', new Uint8Array(4), ...parts, ...iref)
}

/** An item's type; hidden, as metadata is (flag 1). */
function infoEntry(id: number, type: Item['type']): Uint8Array {
  const content = type === 'mime' ? '\0application/rdf+xml\0\0' : '\0'
  return boxOf('infe', Uint8Array.of(2, 0, 0, 1), uint16(id, 0), latin1Bytes(`${type}${content}`))
}

/** Rewrites all locations with offsets of 32 bits (version 1), those in the file moved. */
function locations(
  iloc: Uint8Array,
  { items, first, places, shift }: Pick<MetaParts, 'items' | 'first' | 'places' | 'shift'>,
): Uint8Array {
  const view = viewOf(iloc)
  const version = view.getUint8(0)
  if (version > 1) throw new Error('expected an AVIF of fewer than 65,536 items')
  const [offsetBytes, lengthBytes] = [view.getUint8(4) >> 4, view.getUint8(4) & 15]
  const [baseBytes, indexBytes] = [view.getUint8(5) >> 4, version === 1 ? view.getUint8(5) & 15 : 0]
  let at = 8
  const take = (bytes: number) => {
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + view.getUint8(at++)
    return value
  }
  const count = view.getUint16(6)
  const entries = Array.from({ length: count }, () => {
    const id = take(2)
    const method = version === 1 ? take(2) & 15 : 0
    const source = take(2)
    const base = take(baseBytes)
    const extents = Array.from({ length: take(2) }, () => {
      take(indexBytes)
      const start = take(offsetBytes) + base
      return [method === 0 ? start + shift : start, take(lengthBytes)] as const
    })
    return location(id, method, source, extents)
  })
  const added = items.map(({ bytes }, i) => location(first + i, 0, 0, [[places[i]!, bytes.length]]))
  const head = Uint8Array.of(1, 0, 0, 0, 0x44, 0)
  return boxOf('iloc', head, uint16(count + items.length), ...entries, ...added)
}

function location(
  id: number,
  method: number,
  source: number,
  extents: readonly (readonly [start: number, length: number])[],
): Uint8Array {
  const places = extents.flatMap((place) => place.map((value) => bigEndian(value, 4)))
  return concat([uint16(id, method, source, extents.length), ...places])
}
