// Makes gray AVIF files, which libvips does not write: AVIF stores alpha as monochrome AV1, so gray samples are
// encoded as the alpha of a picture, and then take the place of its colors. ISO/IEC 14496-12, section 8.11.3
// (iloc); AV1 Image File Format 1.1, section 4.1.

import { latin1 } from '../../core/data.ts'
import {
  type Box,
  bodyOf,
  boxesIn,
  boxOf,
  itemData,
  itemProperties,
  metaOf,
  primaryItem,
} from './isoBoxes.ts'

/** Replaces the colors of an AVIF with the alpha of another; both as libheif writes them. */
export function replaceColors(colors: Uint8Array, alpha: Uint8Array): Uint8Array {
  const meta = metaOf(colors)
  const primary = primaryItem(meta)
  const own = propertiesOf(meta, primary)
  const { data, properties } = alphaOf(alpha)
  const swaps = new Map<number, Uint8Array>()
  for (const type of ['av1C', 'pixi']) {
    const [from, to] = [properties.get(type), own.get(type)]
    if (from && to) swaps.set(to.index, from.whole)
  }
  const items = new Map(itemData(colors, meta)).set(primary, data)
  const ftyp = boxesIn(colors)[0]!.whole
  const metaAt = (start: number) => buildMeta(meta, swaps, locations(items, start))
  // Locations have a fixed width, so the size is known before they are.
  const start = ftyp.length + metaAt(0).length + 8
  return Buffer.concat([ftyp, metaAt(start), boxOf('mdat', ...items.values())])
}

/** A property with its index among those of all items. */
interface Property {
  readonly index: number
  readonly whole: Uint8Array
}

/** Properties of an item by type. */
function propertiesOf(meta: readonly Box[], item: number): ReadonlyMap<string, Property> {
  const all = boxesIn(bodyOf(boxesIn(bodyOf(meta, 'iprp')), 'ipco'))
  const indices = itemProperties(meta).get(item) ?? []
  return new Map(indices.map((index) => [all[index]!.type, { index, whole: all[index]!.whole }]))
}

function alphaOf(file: Uint8Array) {
  const meta = metaOf(file)
  for (const [id, data] of itemData(file, meta)) {
    const properties = propertiesOf(meta, id)
    if (properties.has('auxC')) return { data, properties }
  }
  throw new Error('expected an AVIF with alpha')
}

function locations(items: ReadonlyMap<number, Uint8Array>, start: number): Uint8Array {
  const iloc = Buffer.alloc(8 + items.size * 14)
  iloc.writeUInt16BE(0x4400, 4)
  iloc.writeUInt16BE(items.size, 6)
  let [at, place] = [8, start]
  for (const [id, bytes] of items) {
    iloc.writeUInt16BE(id, at)
    iloc.writeUInt16BE(1, at + 4)
    iloc.writeUInt32BE(place, at + 6)
    iloc.writeUInt32BE(bytes.length, at + 10)
    at += 14
    place += bytes.length
  }
  return iloc
}

function buildMeta(
  meta: readonly Box[],
  swaps: ReadonlyMap<number, Uint8Array>,
  iloc: Uint8Array,
): Uint8Array {
  const boxes = meta.map(({ type, whole, body }) => {
    if (type === 'iloc') return boxOf('iloc', iloc)
    if (type !== 'iprp') return whole
    const [ipco, ...others] = boxesIn(body)
    const properties = boxesIn(ipco!.body).map((property, i) => swaps.get(i) ?? withoutMatrix(property))
    return boxOf('iprp', boxOf('ipco', ...properties), ...others.map((box) => box.whole))
  })
  return boxOf('meta', new Uint8Array(4), ...boxes)
}

/** Colors of lossless files name the matrix of RGB, which gray has not. */
function withoutMatrix({ type, body, whole }: Box): Uint8Array {
  if (type !== 'colr' || latin1(body, 0, 4) !== 'nclx') return whole
  const unspecified = Buffer.from(body)
  unspecified.writeUInt16BE(2, 8)
  return boxOf('colr', unspecified)
}
