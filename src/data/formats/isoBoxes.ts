// Boxes of AVIF and HEIF files: ISO/IEC 14496-12, sections 4.2, 8.11 (items) and 8.11.12 (their references);
// ISO/IEC 23008-12, section 9.3 (item properties).

import { bigEndian, concat, latin1Bytes } from '../../core/bytes.ts'
import { latin1, viewOf } from '../../core/data.ts'

export interface Box {
  readonly type: string
  /** With size and type. */
  readonly whole: Uint8Array
  /** Behind size and type; for a full box it begins with version and flags. */
  readonly body: Uint8Array
}

/** Splits bytes into boxes, as far as they are complete. */
export function boxesIn(bytes: Uint8Array): readonly Box[] {
  const boxes: Box[] = []
  const view = viewOf(bytes)
  for (let at = 0; at + 8 <= bytes.length; ) {
    const isLarge = view.getUint32(at) === 1 && at + 16 <= bytes.length
    const size = isLarge ? Number(view.getBigUint64(at + 8)) : view.getUint32(at)
    const head = isLarge ? 16 : 8
    if (size < head) break
    const whole = bytes.subarray(at, at + size)
    boxes.push({ type: latin1(bytes, at + 4, at + 8), whole, body: whole.subarray(head) })
    at += size
  }
  return boxes
}

/** Body of the first box of a type; empty if there is none. */
export function bodyOf(boxes: readonly Box[], type: string): Uint8Array {
  return boxes.find((box) => box.type === type)?.body ?? new Uint8Array()
}

/** Builds a box. */
export function boxOf(type: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(parts)
  return concat([bigEndian(body.length + 8, 4), latin1Bytes(type), body])
}

/** The boxes inside the `meta` box of a file; none if it is missing. */
export function metaOf(file: Uint8Array): readonly Box[] {
  return boxesIn(bodyOf(boxesIn(file), 'meta').subarray(4))
}

/** Id of the primary item. */
export function primaryItem(meta: readonly Box[]): number {
  const pitm = bodyOf(meta, 'pitm')
  if (pitm.length < 6) return 1
  return pitm[0] === 0 || pitm.length < 8 ? viewOf(pitm).getUint16(4) : viewOf(pitm).getUint32(4)
}

/** Indices, from 0, of the properties of each item among the boxes of `ipco`. */
export function itemProperties(meta: readonly Box[]): ReadonlyMap<number, readonly number[]> {
  const items = new Map<number, readonly number[]>()
  const ipma = bodyOf(boxesIn(bodyOf(meta, 'iprp')), 'ipma')
  if (ipma.length < 8) return items
  const view = viewOf(ipma)
  const [isLong, isWide] = [ipma[0] !== 0, (ipma[3]! & 1) !== 0]
  let at = 8
  for (let left = view.getUint32(4); left > 0 && at + (isLong ? 5 : 3) <= ipma.length; left--) {
    const id = isLong ? view.getUint32(at) : view.getUint16(at)
    at += isLong ? 4 : 2
    const count = ipma[at]!
    const start = at + 1
    at = start + count * (isWide ? 2 : 1)
    if (at > ipma.length) break
    const indexOf = (i: number) => (isWide ? view.getUint16(start + i * 2) & 0x7fff : ipma[start + i]! & 0x7f)
    items.set(
      id,
      Array.from({ length: count }, (_, i) => indexOf(i) - 1),
    )
  }
  return items
}

/** Where an item lies. */
export interface ItemPlace {
  /** 0 for offsets into the file, 1 into the box `idat`, 2 into other items. */
  readonly method: number
  /** Of length 0 for what is left. */
  readonly extents: readonly { readonly start: number; readonly length: number }[]
}

/** Places of items by their ids. */
export function itemPlaces(meta: readonly Box[]): ReadonlyMap<number, ItemPlace> {
  const items = new Map<number, ItemPlace>()
  const iloc = bodyOf(meta, 'iloc')
  if (iloc.length < 8) return items
  const version = iloc[0]!
  const [offsetBytes, lengthBytes, baseBytes] = [iloc[4]! >> 4, iloc[4]! & 15, iloc[5]! >> 4]
  const indexBytes = version === 0 ? 0 : iloc[5]! & 15
  let at = 6
  const number = (bytes: number) => {
    let value = 0
    for (const end = at + bytes; at < end; at++) value = value * 256 + (iloc[at] ?? 0)
    return value
  }
  for (let left = number(version < 2 ? 2 : 4); left > 0 && at < iloc.length; left--) {
    const id = number(version < 2 ? 2 : 4)
    const method = version === 0 ? 0 : number(2) & 15
    number(2)
    const base = number(baseBytes)
    const extents: { readonly start: number; readonly length: number }[] = []
    for (let count = number(2); count > 0 && at < iloc.length; count--) {
      number(indexBytes)
      extents.push({ start: base + number(offsetBytes), length: number(lengthBytes) })
    }
    items.set(id, { method, extents })
  }
  return items
}

/** Bytes of each item. */
export function itemData(file: Uint8Array, meta: readonly Box[]): ReadonlyMap<number, Uint8Array> {
  const items = new Map<number, Uint8Array>()
  for (const [id, { method, extents }] of itemPlaces(meta)) {
    const from = method === 1 ? bodyOf(meta, 'idat') : file
    const parts = extents.map(({ start, length }) =>
      from.subarray(start, length === 0 ? undefined : start + length),
    )
    items.set(id, parts.length === 1 ? parts[0]! : concat(parts))
  }
  return items
}

/** A reference from an item to others. */
interface ItemReference {
  /** The box, whose type says what the others are to the item. */
  readonly box: Box
  readonly from: number
  readonly to: readonly number[]
}

/** References of all items; those that are cut off are left out. */
function itemReferences(meta: readonly Box[]): readonly ItemReference[] {
  const iref = bodyOf(meta, 'iref')
  if (iref.length < 4) return []
  const idBytes = iref[0] === 0 ? 2 : 4
  return boxesIn(iref.subarray(4)).flatMap((box): readonly ItemReference[] => {
    const { body } = box
    if (body.length < idBytes + 2) return []
    const view = viewOf(body)
    const idAt = (at: number) => (idBytes === 2 ? view.getUint16(at) : view.getUint32(at))
    const count = Math.min(view.getUint16(idBytes), Math.floor((body.length - idBytes - 2) / idBytes))
    const to = Array.from({ length: count }, (_, i) => idAt(idBytes + 2 + i * idBytes))
    return [{ box, from: idAt(0), to }]
  })
}

/** Items that an item is made of, such as the tiles of a grid. */
export function itemParts(meta: readonly Box[], id: number): readonly number[] {
  return itemReferences(meta).find(({ box, from }) => box.type === 'dimg' && from === id)?.to ?? []
}

/**
 * Copies of an AVIF: one without its opacity, and one of the opacity as a gray picture. Browsers take opacity for
 * samples of limited range, and multiply colors by it. Undefined for a file without opacity.
 */
export function splitOpacity(
  file: Uint8Array<ArrayBuffer>,
): { readonly color: Uint8Array<ArrayBuffer>; readonly opacity: Uint8Array<ArrayBuffer> } | undefined {
  const meta = metaOf(file)
  const primary = primaryItem(meta)
  const pitm = bodyOf(meta, 'pitm')
  const properties = boxesIn(bodyOf(boxesIn(bodyOf(meta, 'iprp')), 'ipco'))
  const propertiesOf = itemProperties(meta)
  const isOpacity = (id: number) =>
    propertiesOf
      .get(id)
      ?.some((i) => properties[i]?.type === 'auxC' && /alpha/.test(latin1(properties[i].body)))
  const auxiliary = itemReferences(meta).find(
    ({ box, from, to }) => box.type === 'auxl' && to.includes(primary) && isOpacity(from),
  )
  if (!auxiliary || pitm.length < 6) return undefined
  const color = file.slice()
  color.set(latin1Bytes('free'), auxiliary.box.whole.byteOffset - file.byteOffset + 4)
  const opacity = color.slice()
  const idBytes = pitm[0] === 0 || pitm.length < 8 ? 2 : 4
  opacity.set(bigEndian(auxiliary.from, idBytes), pitm.byteOffset - file.byteOffset + 4)
  return { color, opacity }
}
