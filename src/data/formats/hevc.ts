// Colors that the HEVC bitstream of a HEIC states in its sequence parameter set, which the file keeps beside the
// samples. ISO/IEC 14496-15, section 8.3.3.1 (hvcC); ITU-T H.265, sections 7.3.2.2, 7.3.4, 7.3.7 and E.2.1.

import { viewOf } from '../../core/data.ts'
import { BitReader } from './bitReader.ts'

const sequenceParameterSet = 33

/** Finds the code points of colors in the body of an `hvcC` box. */
export function hevcPoints(
  hvcC: Uint8Array,
): { readonly primaries: number; readonly transfer: number } | undefined {
  const unit = unitOf(hvcC, sequenceParameterSet)
  if (!unit) return undefined
  const bits = new BitReader(withoutEmulation(unit))
  skipToUsability(bits)
  if (!bits.flag()) return undefined
  if (bits.flag() && bits.number(8) === 255) bits.skip(32)
  if (bits.flag()) bits.skip(1)
  if (!bits.flag()) return undefined
  bits.skip(4)
  return bits.flag() ? { primaries: bits.number(8), transfer: bits.number(8) } : undefined
}

/** The first unit of a type. */
function unitOf(hvcC: Uint8Array, wanted: number): Uint8Array | undefined {
  const view = viewOf(hvcC)
  let at = 23
  for (let arrays = hvcC[22] ?? 0; arrays > 0 && at + 3 <= hvcC.length; arrays--) {
    const type = hvcC[at]! & 63
    let units = view.getUint16(at + 1)
    at += 3
    for (; units > 0 && at + 2 <= hvcC.length; units--) {
      const end = at + 2 + view.getUint16(at)
      if (type === wanted) return hvcC.subarray(at + 2, end)
      at = end
    }
  }
  return undefined
}

/** Removes the bytes that keep a unit from looking like the start of another. */
function withoutEmulation(unit: Uint8Array): Uint8Array {
  return unit.filter((byte, i) => !(byte === 3 && i >= 2 && unit[i - 1] === 0 && unit[i - 2] === 0))
}

/** Skips the sequence parameter set up to its usability information. */
function skipToUsability(bits: BitReader): void {
  bits.skip(16 + 4)
  const subLayers = bits.number(3)
  bits.skip(1)
  skipProfile(bits, subLayers)
  bits.golomb()
  if (bits.golomb() === 3) bits.skip(1)
  skipNumbers(bits, 2)
  if (bits.flag()) skipNumbers(bits, 4)
  skipNumbers(bits, 2)
  const orderBits = bits.golomb() + 4
  skipNumbers(bits, 3 * (bits.flag() ? subLayers + 1 : 1))
  skipNumbers(bits, 6)
  if (bits.flag() && bits.flag()) skipScalingLists(bits)
  bits.skip(2)
  if (bits.flag()) {
    bits.skip(8)
    skipNumbers(bits, 2)
    bits.skip(1)
  }
  skipReferenceSets(bits)
  if (bits.flag()) for (let left = few(bits.golomb()); left > 0; left--) bits.skip(orderBits + 1)
  bits.skip(2)
}

function skipProfile(bits: BitReader, subLayers: number): void {
  bits.skip(88 + 8)
  const sizes = Array.from({ length: subLayers }, () => (bits.flag() ? 88 : 0) + (bits.flag() ? 8 : 0))
  if (subLayers > 0) bits.skip(2 * (8 - subLayers))
  for (const size of sizes) bits.skip(size)
}

function skipScalingLists(bits: BitReader): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      const isCoded = bits.flag()
      skipNumbers(bits, isCoded ? Math.min(64, 2 ** (4 + 2 * size)) + (size > 1 ? 1 : 0) : 1)
    }
  }
}

function skipReferenceSets(bits: BitReader): void {
  let before = 0
  const sets = few(bits.golomb())
  for (let set = 0; set < sets; set++) {
    if (set > 0 && bits.flag()) {
      bits.skip(1)
      bits.golomb()
      let kept = 0
      for (let i = 0; i <= before; i++) if (bits.flag() || bits.flag()) kept++
      before = kept
      continue
    }
    before = few(bits.golomb() + bits.golomb())
    for (let i = 0; i < before; i++) {
      bits.golomb()
      bits.skip(1)
    }
  }
}

function skipNumbers(bits: BitReader, count: number): void {
  for (let i = 0; i < count; i++) bits.golomb()
}

/** Counts are at most 64; a damaged file may claim any. */
function few(count: number): number {
  return Math.min(count, 64)
}
