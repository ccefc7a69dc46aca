// Frames of animated PNGs, of which libvips reads the first only. PNG (third edition), section 11.3.6.

import { deflateSync } from 'node:zlib'
import { viewAs, viewOf } from '../../core/data.ts'
import { sharp } from '../sharp.ts'
import { type PngChunk, pngChunk, pngChunks } from './png.ts'

type Samples = Uint8Array | Uint16Array

interface Region {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

interface Frame {
  readonly region: Region
  /** What becomes of the region before the next frame. */
  readonly dispose: 'keep' | 'clear' | 'restore'
  /** Whether the frame replaces what is there, with its transparency, or is drawn over it. */
  readonly isReplacing: boolean
  readonly data: Uint8Array[]
}

/** The picture before it is encoded: RGBA [h w 4]. */
interface Canvas {
  readonly width: number
  readonly height: number
  readonly samples: Samples
}

/** Chunks that describe the samples or the animation, and do not hold for a composed frame. */
const replaced = /^(?:IHDR|PLTE|tRNS|sBIT|bKGD|hIST|sPLT|acTL|fcTL|fdAT|IDAT|IEND)$/

/**
 * Composes a frame, from 0, and returns it as a PNG with the colors and texts of the file.
 * @throws Error for a damaged frame
 */
export async function composeFrame(file: Uint8Array, index: number): Promise<Uint8Array> {
  const chunks = [...pngChunks(file)]
  const header = chunks[0]!.body
  const size = viewOf(header)
  const canvas = newCanvas(size.getUint32(0), size.getUint32(4), header[8] === 16)
  const frames = framesIn(chunks, canvas)
  for (let i = firstNeeded(frames, canvas, index); i <= index; i++) {
    const frame = frames[i]!
    if (i < index && frame.dispose === 'restore') continue
    draw(canvas, frame, await decodeFrame(chunks, frame))
    if (i < index && frame.dispose === 'clear') clear(canvas, frame.region)
  }
  const isGray = header[9] === 0 || header[9] === 4
  const hasAlpha = header[9]! >= 4 || chunks.some(({ type }) => type === 'tRNS') || hasHoles(canvas)
  return encodeCanvas(canvas, { chunks, isGray, hasAlpha })
}

function newCanvas(width: number, height: number, is16Bit: boolean): Canvas {
  const count = width * height * 4
  return { width, height, samples: is16Bit ? new Uint16Array(count) : new Uint8Array(count) }
}

/** Frames with their data; the first may be the picture that other decoders show. */
function framesIn(chunks: readonly PngChunk[], { width, height }: Canvas): readonly Frame[] {
  const frames: Frame[] = []
  for (const { type, body } of chunks) {
    if (type === 'fcTL') frames.push(frameOf(body))
    else if (type === 'IDAT') frames.at(-1)?.data.push(body)
    else if (type === 'fdAT') frames.at(-1)?.data.push(body.subarray(4))
  }
  for (const [i, { region }] of frames.entries()) {
    const { left, top } = region
    const isInside = left + region.width <= width && top + region.height <= height
    if (!isInside || region.width === 0 || region.height === 0)
      throw new Error(`a damaged animated PNG: frame ${i + 1} lies outside the picture; export it again`)
  }
  return frames
}

function frameOf(control: Uint8Array): Frame {
  if (control.length < 26) throw new Error('a damaged animated PNG; export it again')
  const view = viewOf(control)
  return {
    region: {
      width: view.getUint32(4),
      height: view.getUint32(8),
      left: view.getUint32(12),
      top: view.getUint32(16),
    },
    dispose: (['keep', 'clear', 'restore'] as const)[control[24]!] ?? 'keep',
    isReplacing: control[25] === 0,
    data: [],
  }
}

/** The last frame up to one that hides all before it. */
function firstNeeded(frames: readonly Frame[], { width, height }: Canvas, index: number): number {
  const hidesAll = ({ region, isReplacing }: Frame) =>
    isReplacing && region.width === width && region.height === height
  return Math.max(
    0,
    frames.findLastIndex((frame, i) => i <= index && hidesAll(frame)),
  )
}

/** Decodes a frame as a PNG of its own. */
async function decodeFrame(chunks: readonly PngChunk[], { region, data }: Frame): Promise<Samples> {
  const header = Buffer.from(chunks[0]!.body)
  header.writeUInt32BE(region.width, 0)
  header.writeUInt32BE(region.height, 4)
  const png = Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    ...chunks.filter(({ type }) => type === 'PLTE' || type === 'tRNS').map(({ whole }) => whole),
    pngChunk('IDAT', ...data),
    pngChunk('IEND'),
  ])
  const is16Bit = header[8] === 16
  const raw = await sharp(png, { failOn: 'error', limitInputPixels: false })
    .ensureAlpha()
    .toColourspace(is16Bit ? 'rgb16' : 'srgb')
    .raw({ depth: is16Bit ? 'ushort' : 'uchar' })
    .toBuffer()
  return is16Bit ? viewAs(raw, Uint16Array) : raw
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

/** Draws a frame [h w 4], which replaces what is there or is blended with it by its alpha. */
function draw({ width, samples }: Canvas, { region, isReplacing }: Frame, drawn: Samples): void {
  const peak = samples instanceof Uint16Array ? 65535 : 255
  for (let y = 0; y < region.height; y++) {
    const row = drawn.subarray(y * region.width * 4, (y + 1) * region.width * 4)
    const start = ((region.top + y) * width + region.left) * 4
    if (isReplacing) samples.set(row, start)
    else blend(samples.subarray(start, start + row.length), row, peak)
  }
}

function blend(below: Samples, above: Samples, peak: number): void {
  for (let i = 0; i < above.length; i += 4) {
    const top = above[i + 3]! * peak
    const bottom = below[i + 3]! * (peak - above[i + 3]!)
    const alpha = top + bottom
    if (alpha === 0) continue
    for (let c = i; c < i + 3; c++) below[c] = Math.round((above[c]! * top + below[c]! * bottom) / alpha)
    below[i + 3] = Math.round(alpha / peak)
  }
}

function clear({ width, samples }: Canvas, { left, top, width: columns, height }: Region): void {
  for (let y = top; y < top + height; y++)
    samples.fill(0, (y * width + left) * 4, (y * width + left + columns) * 4)
}

function hasHoles({ samples }: Canvas): boolean {
  const peak = samples instanceof Uint16Array ? 65535 : 255
  for (let i = 3; i < samples.length; i += 4) if (samples[i] !== peak) return true
  return false
}

interface Content {
  /** Chunks of the animation. */
  readonly chunks: readonly PngChunk[]
  readonly isGray: boolean
  readonly hasAlpha: boolean
}

function encodeCanvas({ width, height, samples }: Canvas, { chunks, isGray, hasAlpha }: Content): Uint8Array {
  const kept = isGray ? (hasAlpha ? [0, 3] : [0]) : hasAlpha ? [0, 1, 2, 3] : [0, 1, 2]
  const bytes = samples.BYTES_PER_ELEMENT
  const stride = 1 + width * kept.length * bytes
  const rows = Buffer.alloc(stride * height)
  for (let y = 0; y < height; y++) {
    let at = y * stride + 1
    for (let from = y * width * 4; from < (y + 1) * width * 4; from += 4) {
      for (const channel of kept) at = rows.writeUIntBE(samples[from + channel]!, at, bytes)
    }
  }
  const header = Buffer.from(chunks[0]!.body)
  header[8] = 8 * bytes
  header[9] = (isGray ? 0 : 2) + (hasAlpha ? 4 : 0)
  header[12] = 0
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    ...chunks.flatMap(({ type, whole }) => (replaced.test(type) ? [] : [whole])),
    pngChunk('IDAT', deflateSync(rows, { level: 0 })),
    pngChunk('IEND'),
  ])
}
