// Walks the chunks of a PNG. PNG (third edition), sections 5 and 11.

import { bigEndian, concat, latin1Bytes } from '../../core/bytes.ts'
import { crc32 } from '../../core/crc32.ts'
import { latin1, viewOf } from '../../core/data.ts'
import type { ByteSource } from './byteSource.ts'

export interface PngChunk {
  readonly type: string
  readonly body: Uint8Array
  /** With length, type and checksum. */
  readonly whole: Uint8Array
}

/** The chunks in their order; a damaged end is left out. */
export function* pngChunks(bytes: Uint8Array): Generator<PngChunk> {
  const view = viewOf(bytes)
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at)
    if (end > bytes.length) return
    const whole = bytes.subarray(at, end)
    yield { type: latin1(whole, 4, 8), body: whole.subarray(8, -4), whole }
    at = end
  }
}

/** The chunks before the samples. */
export function* headChunks(bytes: Uint8Array): Generator<PngChunk> {
  for (const chunk of pngChunks(bytes)) {
    if (chunk.type === 'IDAT') return
    yield chunk
  }
}

/** Builds a chunk with its length and checksum. */
export function pngChunk(type: string, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat([latin1Bytes(type), ...parts])
  return concat([bigEndian(body.length - 4, 4), body, bigEndian(crc32(body), 4)])
}

/** Refuses a damaged header, which libpng reports without a word. */
export function checkPng(head: Uint8Array): void {
  if (head.length < 33) throw new Error('a truncated PNG; download or export it again')
  const view = viewOf(head)
  if (view.getUint32(29) !== crc32(head.subarray(12, 29)))
    throw new Error('a damaged PNG, whose header does not match its checksum; download or export it again')
  const [width, height] = [view.getUint32(16), view.getUint32(20)]
  if (width === 0 || height === 0) throw new Error(`an image of ${width} × ${height} pixels; export it again`)
}

/** Counts the frames of a PNG; 1 where it is not animated. */
export function countFrames(source: ByteSource): number {
  let isAnimated = false
  let frames = 0
  for (let at = 8; ; ) {
    const head = source.read(at, 8)
    const type = latin1(head, 4, 8)
    if (head.length < 8 || (type === 'IDAT' && !isAnimated)) return Math.max(1, frames)
    if (type === 'acTL') isAnimated = true
    if (type === 'fcTL') frames++
    at += 12 + viewOf(head).getUint32(0)
  }
}
