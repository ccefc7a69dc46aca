// The container of WebP. RFC 9649, section 2.

import { latin1, viewOf } from '../../core/data.ts'

/** Refuses a file that ends before its container does: libwebp calls its header corrupt. */
export function checkWebp(head: Uint8Array, size: number): void {
  if (head.length < 20 || viewOf(head).getUint32(4, true) + 8 > size)
    throw new Error('a truncated WebP; download or export it again')
}

/** Bytes of a frame before the chunks of its picture. */
const frameBytes = 16

/** Whether the pixels of a WebP, or of its first frame, are in a lossless chunk, VP8L rather than VP8. */
export function isLosslessWebp(file: Uint8Array): boolean {
  const view = viewOf(file)
  for (let at = 12; at + 8 <= file.length; ) {
    const type = latin1(file, at, at + 4)
    if (type === 'VP8L' || type === 'VP8 ') return type === 'VP8L'
    at += 8 + (type === 'ANMF' ? frameBytes : Math.ceil(view.getUint32(at + 4, true) / 2) * 2)
  }
  return false
}
