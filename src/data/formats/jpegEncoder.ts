// Encodes baseline JPEG with full color resolution (4:4:4), as libjpeg does at the same quality. ITU-T T.81, annexes F
// and K; JFIF 1.02.

import { bigEndian, concat } from '../../core/bytes.ts'
import { inBands } from '../../core/rowBands.ts'
import type { Pixels } from '../image.ts'
import { chromaSteps, forwardDct, lumaSteps } from './jpegTransform.ts'

/** Rows and columns by position in zigzag order, as row · 8 + column (figure A.6). */
export const zigzag = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46,
  53, 60, 61, 54, 47, 55, 62, 63,
] as const

/** Numbers of codes of 1 to 16 bits, and the values they stand for. */
interface HuffmanTable {
  readonly counts: readonly number[]
  readonly values: readonly number[]
}

// Tables K.3 to K.6.
const lumaDc: HuffmanTable = {
  counts: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
  values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
}
const chromaDc: HuffmanTable = {
  counts: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
  values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
}
const lumaAc: HuffmanTable = {
  counts: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
  values: hex(
    '01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa',
  ),
}
const chromaAc: HuffmanTable = {
  counts: [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
  values: hex(
    '0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa',
  ),
}

function hex(digits: string): readonly number[] {
  return (digits.replace(/ /g, '').match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
}

/** Codes by value, and their lengths in bits. */
interface Codes {
  readonly code: Uint16Array
  readonly bits: Uint8Array
}

/** Annex C. */
function codesOf({ counts, values }: HuffmanTable): Codes {
  const [code, bits] = [new Uint16Array(256), new Uint8Array(256)]
  let next = 0
  let index = 0
  for (const [i, count] of counts.entries()) {
    for (let k = 0; k < count; k++) {
      const value = values[index++]!
      code[value] = next++
      bits[value] = i + 1
    }
    next <<= 1
  }
  return { code, bits }
}

/** Collects bits, with a zero after every 0xff. */
class BitWriter {
  #bytes = new Uint8Array(2 ** 16)
  #length = 0
  #pending = 0
  #count = 0

  put(value: number, bits: number): void {
    this.#pending = (this.#pending << bits) | value
    this.#count += bits
    while (this.#count >= 8) {
      this.#count -= 8
      const byte = (this.#pending >>> this.#count) & 255
      if (this.#length + 2 > this.#bytes.length) this.#grow()
      this.#bytes[this.#length++] = byte
      if (byte === 255) this.#bytes[this.#length++] = 0
    }
    this.#pending &= (1 << this.#count) - 1
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.length)
    larger.set(this.#bytes)
    this.#bytes = larger
  }

  /** All bytes; the last is filled with ones. */
  finish(): Uint8Array {
    if (this.#count > 0) this.put(255 >> this.#count, 8 - this.#count)
    return this.#bytes.subarray(0, this.#length)
  }
}

/** One component of a scan. */
interface Component {
  readonly steps: Int32Array
  readonly dc: Codes
  readonly ac: Codes
  /** The DC level of the block before. */
  previous: number
}

/** Bits of a number without its sign. */
function bitLength(value: number): number {
  return 32 - Math.clz32(value)
}

/** Transforms, quantizes and writes a block of samples minus 128. */
function putBlock(writer: BitWriter, block: Int32Array, component: Component): void {
  const { steps, dc, ac } = component
  for (let y = 0; y < 8; y++) forwardDct(block, y * 8, 1, 11)
  for (let x = 0; x < 8; x++) forwardDct(block, x, 8, 15)
  for (let i = 0; i < 64; i++) {
    const [value, step] = [block[i]!, steps[i]!]
    // The DCT is scaled by 8. Rounds half away from zero.
    const level = (((value < 0 ? -value : value) + (step << 2)) / (step << 3)) | 0
    block[i] = value < 0 ? -level : level
  }
  const difference = block[0]! - component.previous
  component.previous = block[0]!
  const size = bitLength(Math.abs(difference))
  writer.put(dc.code[size]!, dc.bits[size]!)
  if (size > 0) writer.put(difference < 0 ? difference + (1 << size) - 1 : difference, size)
  let zeros = 0
  for (let i = 1; i < 64; i++) {
    const level = block[zigzag[i]!]!
    if (level === 0) {
      zeros++
      continue
    }
    for (; zeros > 15; zeros -= 16) writer.put(ac.code[0xf0]!, ac.bits[0xf0]!)
    const bits = bitLength(Math.abs(level))
    const symbol = (zeros << 4) | bits
    writer.put(ac.code[symbol]!, ac.bits[symbol]!)
    writer.put(level < 0 ? level + (1 << bits) - 1 : level, bits)
    zeros = 0
  }
  if (zeros > 0) writer.put(ac.code[0]!, ac.bits[0]!)
}

/** Y, Cb and Cr of a pixel minus 128, in libjpeg's fixed point. */
function putYcc(blocks: readonly Int32Array[], i: number, r: number, g: number, b: number): void {
  blocks[0]![i] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) - 128
  blocks[1]![i] = (-11059 * r - 21709 * g + 32768 * b + 32767) >> 16
  blocks[2]![i] = (32768 * r - 27439 * g - 5329 * b + 32767) >> 16
}

/** Fills the blocks of all components at a place; edges are repeated. */
function readBlocks(
  { width, height, channels, data }: Pixels,
  [top, left]: readonly [number, number],
  blocks: readonly Int32Array[],
): void {
  for (let i = 0; i < 64; i++) {
    const y = Math.min(top + (i >> 3), height - 1)
    const at = (y * width + Math.min(left + (i & 7), width - 1)) * channels
    if (channels === 1) blocks[0]![i] = data[at]! - 128
    else putYcc(blocks, i, data[at]!, data[at + 1]!, data[at + 2]!)
  }
}

/** Encodes gray or RGB pixels of 8 bits, without opacity; yields to the event loop meanwhile. */
export async function encodeJpeg(pixels: Pixels, quality: number): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, channels } = pixels
  const luma = { steps: lumaSteps(quality), dc: codesOf(lumaDc), ac: codesOf(lumaAc) }
  const chroma = { steps: chromaSteps(quality), dc: codesOf(chromaDc), ac: codesOf(chromaAc) }
  const parts = channels === 1 ? [luma] : [luma, chroma, chroma]
  const components = parts.map((part): Component => ({ ...part, previous: 0 }))
  const blocks = components.map(() => new Int32Array(64))
  const writer = new BitWriter()
  const rows = Math.ceil(height / 8)
  await inBands({ width: 8 * width, height: rows }, (first, count) => {
    for (let row = first; row < first + count; row++) {
      for (let left = 0; left < width; left += 8) {
        readBlocks(pixels, [8 * row, left], blocks)
        for (const [c, component] of components.entries()) putBlock(writer, blocks[c]!, component)
      }
    }
  })
  return concat([head(pixels, components), writer.finish(), Uint8Array.of(0xff, 0xd9)])
}

function segment(marker: number, body: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(0xff, marker), bigEndian(body.length + 2, 2), body])
}

/** Everything before the bits of the scan. */
function head({ width, height }: Pixels, components: readonly Component[]): Uint8Array {
  const isColor = components.length > 1
  const tables = isColor ? [components[0]!, components[1]!] : [components[0]!]
  const quantization = tables.flatMap(({ steps }, i) => [i, ...zigzag.map((at) => steps[at]!)])
  const huffman = [
    [0x00, lumaDc],
    [0x10, lumaAc],
    ...(isColor
      ? ([
          [0x01, chromaDc],
          [0x11, chromaAc],
        ] as const)
      : []),
  ] as const
  const codes = huffman.flatMap(([id, { counts, values }]) => [id, ...counts, ...values])
  const frame = components.flatMap((_, i) => [i + 1, 0x11, i === 0 ? 0 : 1])
  const scan = components.flatMap((_, i) => [i + 1, i === 0 ? 0x00 : 0x11])
  return concat([
    Uint8Array.of(0xff, 0xd8),
    segment(0xe0, Uint8Array.of(0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0)),
    segment(0xdb, Uint8Array.from(quantization)),
    segment(
      0xc0,
      concat([
        Uint8Array.of(8),
        bigEndian(height, 2),
        bigEndian(width, 2),
        Uint8Array.of(components.length, ...frame),
      ]),
    ),
    segment(0xc4, Uint8Array.from(codes)),
    segment(0xda, Uint8Array.of(components.length, ...scan, 0, 63, 0)),
  ])
}
