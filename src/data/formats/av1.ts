// Headers of the AV1 bitstream in an AVIF: the colors and whether anything was lost, which its boxes do not tell.
// AV1 Bitstream & Decoding Process Specification, sections 5.3 to 5.9.

import { BitReader } from './bitReader.ts'

/** What the headers of a still picture state. */
export interface Av1Headers {
  readonly points: { readonly primaries: number; readonly transfer: number } | undefined
  readonly isLossless: boolean
}

const obu = { sequence: 1, frameHeader: 3, frame: 6 } as const

/** Reads the headers of the first frame. */
export function av1Headers(bytes: Uint8Array): Av1Headers | undefined {
  let sequence: Sequence | undefined
  for (const { type, body } of unitsIn(bytes)) {
    if (type === obu.sequence) sequence = sequenceOf(new BitReader(body))
    else if (sequence && (type === obu.frameHeader || type === obu.frame))
      return { points: sequence.points, isLossless: isLossless(new BitReader(body), sequence) }
  }
  return sequence && { points: sequence.points, isLossless: false }
}

function* unitsIn(bytes: Uint8Array): Generator<{ readonly type: number; readonly body: Uint8Array }> {
  for (let at = 0; at < bytes.length; ) {
    const head = bytes[at]!
    const [hasExtension, hasSize] = [(head & 4) !== 0, (head & 2) !== 0]
    at += hasExtension ? 2 : 1
    let size = hasSize ? 0 : bytes.length - at
    for (let shift = 0, more = hasSize; more && shift < 56; shift += 7) {
      const byte = bytes[at++] ?? 0
      size += (byte & 0x7f) * 2 ** shift
      more = byte >= 0x80
    }
    yield { type: (head >> 3) & 15, body: bytes.subarray(at, at + size) }
    at += size
  }
}

/** A tool of the sequence that is off, on, or chosen by each frame. */
type Choice = 0 | 1 | 'frame'

/** What a sequence header tells, as far as a frame header depends on it. */
interface Sequence {
  readonly points: Av1Headers['points']
  readonly isReduced: boolean
  /** Whether frame headers hold timing, which stills lack. */
  readonly hasDecoderModel: boolean
  readonly widthBits: number
  readonly heightBits: number
  readonly width: number
  readonly height: number
  readonly frameIdBits: number
  /** Log2 of the side of a superblock. */
  readonly superblock: 6 | 7
  readonly screenContent: Choice
  readonly integerMotion: Choice
  readonly orderBits: number
  readonly hasSuperResolution: boolean
  readonly isMonochrome: boolean
  readonly hasSeparateChroma: boolean
}

/** Section 5.5.1. */
function sequenceOf(bits: BitReader): Sequence {
  const profile = bits.number(3)
  bits.skip(1)
  const isReduced = bits.flag()
  const hasDecoderModel = !isReduced && skipOperatingPoints(bits)
  if (isReduced) bits.skip(5)
  const [widthBits, heightBits] = [bits.number(4) + 1, bits.number(4) + 1]
  const [width, height] = [bits.number(widthBits) + 1, bits.number(heightBits) + 1]
  let frameIdBits = 0
  if (!isReduced && bits.flag()) frameIdBits = bits.number(4) + 2 + bits.number(3) + 1
  const superblock = bits.flag() ? 7 : 6
  bits.skip(2)
  const tools = isReduced
    ? ({ screenContent: 'frame', integerMotion: 'frame', orderBits: 0 } as const)
    : toolsOf(bits)
  const hasSuperResolution = bits.flag()
  bits.skip(2)
  return {
    isReduced,
    hasDecoderModel,
    widthBits,
    heightBits,
    width,
    height,
    frameIdBits,
    superblock,
    ...tools,
    hasSuperResolution,
    ...colorsOf(bits, profile),
  }
}

/** Skips timing and operating points; returns whether there is a decoder model. */
function skipOperatingPoints(bits: BitReader): boolean {
  let delayBits = 0
  if (bits.flag()) {
    bits.skip(64)
    if (bits.flag()) bits.golomb()
    if (bits.flag()) {
      delayBits = bits.number(5) + 1
      bits.skip(42)
    }
  }
  const hasDisplayDelay = bits.flag()
  for (let left = bits.number(5) + 1; left > 0; left--) {
    bits.skip(12)
    if (bits.number(5) > 7) bits.skip(1)
    if (delayBits > 0 && bits.flag()) bits.skip(2 * delayBits + 1)
    if (hasDisplayDelay && bits.flag()) bits.skip(4)
  }
  return delayBits > 0
}

function toolsOf(bits: BitReader): Pick<Sequence, 'screenContent' | 'integerMotion' | 'orderBits'> {
  bits.skip(4)
  const hasOrder = bits.flag()
  if (hasOrder) bits.skip(2)
  const chosen = (): Choice => (bits.flag() ? 'frame' : bits.flag() ? 1 : 0)
  const screenContent = chosen()
  const integerMotion = screenContent === 0 ? 'frame' : chosen()
  return { screenContent, integerMotion, orderBits: hasOrder ? bits.number(3) + 1 : 0 }
}

/** Section 5.5.2. */
function colorsOf(
  bits: BitReader,
  profile: number,
): Pick<Sequence, 'points' | 'isMonochrome' | 'hasSeparateChroma'> {
  const isDeep = bits.flag()
  const is12Bit = profile === 2 && isDeep && bits.flag()
  const isMonochrome = profile !== 1 && bits.flag()
  const isStated = bits.flag()
  const [primaries, transfer, matrix] = isStated
    ? [bits.number(8), bits.number(8), bits.number(8)]
    : [2, 2, 2]
  const points = isStated ? { primaries, transfer } : undefined
  const isRgb = primaries === 1 && transfer === 13 && matrix === 0
  if (isMonochrome || !isRgb) bits.skip(1)
  if (isMonochrome) return { points, isMonochrome, hasSeparateChroma: false }
  if (!isRgb) {
    const isHalfWide = profile === 0 || (profile === 2 && (!is12Bit || bits.flag()))
    const isHalfHigh = profile === 0 || (is12Bit && isHalfWide && bits.flag())
    if (isHalfHigh) bits.skip(2)
  }
  return { points, isMonochrome, hasSeparateChroma: bits.flag() }
}

/** Section 5.9.2, up to the quantizers: whether the frame is a key frame in which all of them are 0. */
function isLossless(bits: BitReader, sequence: Sequence): boolean {
  const { isReduced, screenContent, integerMotion, widthBits, heightBits } = sequence
  // Shown at once, of type key.
  if (sequence.hasDecoderModel || (!isReduced && bits.number(4) !== 1)) return false
  const keepsContexts = bits.flag()
  const hasScreenContent = screenContent === 'frame' ? bits.flag() : screenContent === 1
  if (hasScreenContent && integerMotion === 'frame') bits.skip(1)
  bits.skip(sequence.frameIdBits)
  const isSized = !isReduced && bits.flag()
  bits.skip(sequence.orderBits)
  const width = isSized ? bits.number(widthBits) + 1 : sequence.width
  const height = isSized ? bits.number(heightBits) + 1 : sequence.height
  if (sequence.hasSuperResolution && bits.flag()) return false
  if (bits.flag()) bits.skip(32)
  if (hasScreenContent) bits.skip(1)
  if (!isReduced && !keepsContexts) bits.skip(1)
  skipTiles(bits, { width, height, superblock: sequence.superblock })
  return hasNoQuantizer(bits, sequence)
}

/** Section 5.9.15. */
function skipTiles(
  bits: BitReader,
  { width, height, superblock }: Pick<Sequence, 'width' | 'height' | 'superblock'>,
): void {
  const side = (px: number) => Math.ceil(Math.ceil(px / 8) / 2 ** (superblock - 3))
  const [columns, rows] = [side(width), side(height)]
  const widest = 4096 >> superblock
  const leastLog2 = tileLog2(widest, columns)
  const leastOfAll = Math.max(leastLog2, tileLog2((4096 * 2304) >> (2 * superblock), columns * rows))
  const isUniform = bits.flag()
  let [columnsLog2, rowsLog2] = [0, 0]
  if (isUniform) {
    columnsLog2 = uniformLog2(bits, leastLog2, columns)
    rowsLog2 = uniformLog2(bits, Math.max(leastOfAll - columnsLog2, 0), rows)
  } else {
    const across = tileSizes(bits, columns, widest)
    const area = leastOfAll > 0 ? (columns * rows) >> (leastOfAll + 1) : columns * rows
    const down = tileSizes(bits, rows, Math.max(Math.floor(area / Math.max(...across)), 1))
    columnsLog2 = tileLog2(1, across.length)
    rowsLog2 = tileLog2(1, down.length)
  }
  if (columnsLog2 + rowsLog2 > 0) bits.skip(columnsLog2 + rowsLog2 + 2)
}

/** The least k for which 2^k blocks reach a size. */
function tileLog2(block: number, size: number): number {
  return Math.max(0, Math.ceil(Math.log2(size / block)))
}

function uniformLog2(bits: BitReader, least: number, superblocks: number): number {
  const most = tileLog2(1, Math.min(superblocks, 64))
  let log2 = least
  while (log2 < most && bits.flag()) log2++
  return log2
}

/** Sizes of tiles that differ; each is stored in as few bits as its limit needs. */
function tileSizes(bits: BitReader, superblocks: number, largest: number): readonly number[] {
  const sizes: number[] = []
  for (let left = superblocks; left > 0; left -= sizes.at(-1)!) {
    const values = Math.min(left, largest)
    const width = Math.floor(Math.log2(values))
    const short = 2 ** (width + 1) - values
    const value = bits.number(width)
    sizes.push(1 + (value < short ? value : 2 * value - short + bits.number(1)))
  }
  return sizes
}

/** Sections 5.9.12 and 5.9.14. */
function hasNoQuantizer(bits: BitReader, { isMonochrome, hasSeparateChroma }: Sequence): boolean {
  let isZero = bits.number(8) === 0
  const readDelta = () => {
    if (bits.flag() && bits.number(7) !== 0) isZero = false
  }
  readDelta()
  if (!isMonochrome) {
    const differs = hasSeparateChroma && bits.flag()
    for (let i = 0; i < (differs ? 4 : 2); i++) readDelta()
  }
  if (bits.flag()) bits.skip(hasSeparateChroma ? 12 : 8)
  const hasSegments = bits.flag()
  return isZero && !hasSegments
}
