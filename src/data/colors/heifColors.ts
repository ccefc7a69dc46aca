// Colors that an AVIF or HEIF states beside a profile, in its boxes or in the bitstream: ISO/IEC 23008-12 (HEIF), 6.5.5
// (colr) and 9.3 (item properties); AV1-ISOBMFF, 2.3 (av1C); ISO/IEC 14496-15, 8.3.3 (hvcC).

import { latin1, viewOf } from '../../core/data.ts'
import { av1Headers } from '../formats/av1.ts'
import { hevcPoints } from '../formats/hevc.ts'
import {
  type Box,
  bodyOf,
  boxesIn,
  itemData,
  itemParts,
  itemProperties,
  metaOf,
  primaryItem,
} from '../formats/isoBoxes.ts'
import type { CodingPoints } from './codingPoints.ts'

/** Colors of the primary item. */
export interface HeifColors {
  readonly points: CodingPoints | undefined
  /** Whether the item has no chroma. */
  readonly isMonochrome: boolean
  /** Whether the samples of an AVIF have 10 or 12 bits. */
  readonly isDeep: boolean
  /** Whether the samples of an AVIF were coded without loss. */
  readonly isLossless: boolean
}

/** Reads the colors from a whole file. */
export function heifColors(file: Uint8Array): HeifColors {
  const meta = metaOf(file)
  const all = boxesIn(bodyOf(boxesIn(bodyOf(meta, 'iprp')), 'ipco'))
  const properties = itemProperties(meta)
  const propertiesOf = (item: number) => (properties.get(item) ?? []).flatMap((i) => all[i] ?? [])
  const primary = primaryItem(meta)
  // A grid has no samples of its own.
  const [coded = primary] = itemParts(meta, primary)
  const own = [...propertiesOf(primary), ...(coded === primary ? [] : propertiesOf(coded))]
  const [av1C, hvcC] = [bodyOf(own, 'av1C'), bodyOf(own, 'hvcC')]
  const av1 = av1C.length > 0 ? av1Headers(itemData(file, meta).get(coded) ?? av1C) : undefined
  const bitstream = hvcC.length > 0 ? hevcPoints(hvcC) : av1?.points
  return {
    points: statedPoints(boxedPoints(own), bitstream),
    isLossless: av1?.isLossless === true,
    isDeep: av1C.length > 2 && (av1C[2]! & 0x40) !== 0,
    isMonochrome: (av1C.length > 2 && (av1C[2]! & 0x10) !== 0) || (hvcC.length > 16 && (hvcC[16]! & 3) === 0),
  }
}

function boxedPoints(own: readonly Box[]): CodingPoints | undefined {
  const colr = own.find(
    ({ type, body }) => type === 'colr' && body.length >= 10 && latin1(body, 0, 4) === 'nclx',
  )
  const view = colr && viewOf(colr.body)
  return view && { primaries: view.getUint16(4), transfer: view.getUint16(6) }
}

const unspecified = 2

/** The box is decisive, where it says anything. */
function statedPoints(
  box: CodingPoints | undefined,
  bitstream: CodingPoints | undefined,
): CodingPoints | undefined {
  if (!box || !bitstream) return box ?? bitstream
  return {
    primaries: box.primaries === unspecified ? bitstream.primaries : box.primaries,
    transfer: box.transfer === unspecified ? bitstream.transfer : box.transfer,
  }
}
