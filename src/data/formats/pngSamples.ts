// Decodes and encodes the samples of PNG with streams of the platform, in Node and browsers, 16 bits included. PNG (third
// edition), sections 4.5, 7, 9 and 11.

import { bigEndian, concat } from '../../core/bytes.ts'
import { viewOf } from '../../core/data.ts'
import { inBands } from '../../core/rowBands.ts'
import type { Pixels } from '../image.ts'
import { pngChunk, pngChunks } from './png.ts'

/** What the header of a PNG states. */
export interface PngHeader {
  readonly width: number
  readonly height: number
  /** Bits of a stored sample, or of an index into the palette. */
  readonly bits: number
  readonly isIndexed: boolean
  readonly isGray: boolean
  readonly isInterlaced: boolean
  /** Stored channels. */
  readonly channels: number
}

/** Reads the header. @throws Error for a kind that there is not */
export function pngHeader(file: Uint8Array): PngHeader {
  const view = viewOf(file)
  const [bits, type, interlace] = [file[24]!, file[25]!, file[28]!]
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[type]
  if (channels === undefined || ![1, 2, 4, 8, 16].includes(bits)) throw damaged()
  return {
    ...{ width: view.getUint32(16), height: view.getUint32(20), bits, channels },
    isIndexed: type === 3,
    isGray: type === 0 || type === 4,
    isInterlaced: interlace === 1,
  }
}

function damaged(): Error {
  return new Error('a damaged PNG; download or export it again')
}

/** Pixels of a pass: start and step along each axis. */
interface Pass {
  readonly x: number
  readonly y: number
  readonly dx: number
  readonly dy: number
}

const adam7: readonly Pass[] = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
]

/** Reads a stream in pieces of any length. */
class Pieces {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #chunk = new Uint8Array()

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader()
  }

  /** Fills `out`. @throws Error at the end of the stream */
  async fill(out: Uint8Array): Promise<void> {
    for (let at = 0; at < out.length; ) {
      if (this.#chunk.length === 0) {
        const { value, done } = await this.#reader.read()
        if (done) throw damaged()
        this.#chunk = new Uint8Array(value)
        continue
      }
      const part = this.#chunk.subarray(0, out.length - at)
      out.set(part, at)
      at += part.length
      this.#chunk = this.#chunk.subarray(part.length)
    }
  }
}

/** The stream that inflates all chunks of samples. */
function inflated(file: Uint8Array): ReadableStream<Uint8Array> {
  const chunks = pngChunks(file)
  const compressed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      for (let next = chunks.next(); !next.done; next = chunks.next())
        if (next.value.type === 'IDAT') return controller.enqueue(new Uint8Array(next.value.body))
      controller.close()
    },
  })
  return compressed.pipeThrough(new DecompressionStream('deflate'))
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)]
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c
}

/** Reverses the filter of a line in place. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, step: number): void {
  if (filter > 4) throw damaged()
  for (let i = 0; i < line.length; i++) {
    const [a, b, c] = [i < step ? 0 : line[i - step]!, above[i]!, i < step ? 0 : above[i - step]!]
    const predicted = filter === 1 ? a : filter === 2 ? b : filter === 3 ? (a + b) >> 1 : paeth(a, b, c)
    line[i] = line[i]! + predicted
  }
}

/** Places the samples of a line. */
type PutLine = (line: Uint8Array, y: number, pass: Pass) => void

/** Decodes a PNG; palettes become color, and bits below 8 fill 8. @throws Error for damaged files */
export async function decodePng(file: Uint8Array): Promise<Pixels> {
  const header = pngHeader(file)
  const { width, height, bits, channels, isInterlaced } = header
  const { pixels, put } = lineWriter(file, header)
  const pieces = new Pieces(inflated(file))
  const step = Math.max(1, (bits * channels) / 8)
  for (const pass of isInterlaced ? adam7 : [{ x: 0, y: 0, dx: 1, dy: 1 }]) {
    const columns = Math.ceil((width - pass.x) / pass.dx)
    if (columns <= 0) continue
    const bytes = Math.ceil((columns * bits * channels) / 8)
    let [line, above] = [new Uint8Array(1 + bytes), new Uint8Array(1 + bytes)]
    for (let y = pass.y; y < height; y += pass.dy) {
      await pieces.fill(line).catch(() => {
        throw damaged()
      })
      if (line[0] !== 0) unfilter(line[0]!, line.subarray(1), above.subarray(1), step)
      put(line.subarray(1), y, pass)
      ;[line, above] = [above, line]
    }
  }
  return pixels
}

/** Writes lines as pixels. */
function lineWriter(file: Uint8Array, header: PngHeader): { readonly pixels: Pixels; readonly put: PutLine } {
  const { width, height, bits, isIndexed, isGray, channels: stored } = header
  const chunks = [...pngChunks(file)]
  const chunkOf = (wanted: string) => chunks.find(({ type }) => type === wanted)?.body
  const transparency = stored < 4 && stored !== 2 ? chunkOf('tRNS') : undefined
  const hasAlpha = stored === 2 || stored === 4 || transparency !== undefined
  const channels = isGray ? 1 : 3
  const count = width * height * (channels + (hasAlpha ? 1 : 0))
  const data = bits === 16 ? new Uint16Array(count) : new Uint8Array(count)
  const pixels: Pixels = { width, height, channels, hasAlpha, data }
  const read = sampleReader(bits)
  const pixel = isIndexed
    ? paletteWriter(chunkOf('PLTE'), transparency, data)
    : plainWriter({ bits, stored, transparency }, data)
  const step = channels + (hasAlpha ? 1 : 0)
  const values = [0, 0, 0, 0]
  const put: PutLine = (line, y, { x: first, dx }) => {
    for (let x = first, i = 0; x < width; x += dx) {
      for (let c = 0; c < stored; c++, i++) values[c] = read(line, i)
      pixel(values, (y * width + x) * step)
    }
  }
  return { pixels, put }
}

function sampleReader(bits: number): (line: Uint8Array, index: number) => number {
  if (bits === 8) return (line, i) => line[i]!
  if (bits === 16) return (line, i) => (line[2 * i]! << 8) | line[2 * i + 1]!
  const perByte = 8 / bits
  return (line, i) =>
    (line[Math.floor(i / perByte)]! >> (8 - bits - (i % perByte) * bits)) & ((1 << bits) - 1)
}

type PutPixel = (values: readonly number[], at: number) => void
type Samples = Uint8Array | Uint16Array

function paletteWriter(
  palette: Uint8Array | undefined,
  transparency: Uint8Array | undefined,
  data: Samples,
): PutPixel {
  if (!palette) throw damaged()
  return ([index], at) => {
    for (let c = 0; c < 3; c++) data[at + c] = palette[3 * index! + c] ?? 0
    if (transparency) data[at + 3] = transparency[index!] ?? 255
  }
}

/** Writes stored samples; a color that `tRNS` names is transparent. */
function plainWriter(
  { bits, stored, transparency }: { bits: number; stored: number; transparency: Uint8Array | undefined },
  data: Samples,
): PutPixel {
  const gain = bits < 8 ? 255 / (2 ** bits - 1) : 1
  const opaque = bits === 16 ? 65535 : 255
  const view = transparency && viewOf(transparency)
  const key = view && Array.from({ length: stored }, (_, c) => view.getUint16(2 * c))
  return (values, at) => {
    for (let c = 0; c < stored; c++) data[at + c] = values[c]! * gain
    if (key) data[at + stored] = key.every((value, c) => value === values[c]) ? 0 : opaque
  }
}

/** Filters of lines: left, above, and the best of three. */
const filters = [1, 2, 4] as const

/** Filters a line with the filter whose result is smallest, as libpng's heuristic does. */
function filterLine(line: Uint8Array, above: Uint8Array, step: number, out: Uint8Array): void {
  let least = Number.POSITIVE_INFINITY
  const trial = new Uint8Array(line.length)
  for (const filter of filters) {
    let sum = 0
    for (let i = 0; i < line.length; i++) {
      const [a, b] = [i < step ? 0 : line[i - step]!, above[i]!]
      const predicted = filter === 1 ? a : filter === 2 ? b : paeth(a, b, i < step ? 0 : above[i - step]!)
      const rest = (line[i]! - predicted) & 255
      trial[i] = rest
      sum += rest < 128 ? rest : 256 - rest
    }
    if (sum >= least) continue
    least = sum
    out[0] = filter
    out.set(trial, 1)
  }
}

/** Encodes pixels in the depth of their samples; yields to the event loop meanwhile. */
export async function encodePng({
  width,
  height,
  channels,
  hasAlpha,
  data,
}: Pixels): Promise<Uint8Array<ArrayBuffer>> {
  const is16Bit = data instanceof Uint16Array
  const stored = channels + (hasAlpha ? 1 : 0)
  const step = stored * (is16Bit ? 2 : 1)
  const { readable, writable } = new CompressionStream('deflate')
  const writer = writable.getWriter()
  const parts = collect(readable)
  let [line, above] = [new Uint8Array(width * step), new Uint8Array(width * step)]
  await inBands({ width, height }, (top, rows) => {
    const band = new Uint8Array(rows * (1 + width * step))
    for (let y = 0; y < rows; y++) {
      const from = (top + y) * width * stored
      if (is16Bit) {
        for (let i = 0; i < width * stored; i++) {
          line[2 * i] = data[from + i]! >> 8
          line[2 * i + 1] = data[from + i]!
        }
      } else line.set(data.subarray(from, from + line.length))
      filterLine(line, above, step, band.subarray(y * (1 + width * step), (y + 1) * (1 + width * step)))
      ;[line, above] = [above, line]
    }
    // Errors surface where the stream ends.
    writer.write(band).catch(() => {})
  })
  await writer.close()
  const type = { 1: 0, 2: 4, 3: 2, 4: 6 }[stored]!
  const size = [bigEndian(width, 4), bigEndian(height, 4)]
  return concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    pngChunk('IHDR', ...size, Uint8Array.of(is16Bit ? 16 : 8, type, 0, 0, 0)),
    ...(await parts).map((part) => pngChunk('IDAT', part)),
    pngChunk('IEND'),
  ])
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<readonly Uint8Array[]> {
  const parts: Uint8Array[] = []
  const reader = stream.getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value)
  return parts
}
