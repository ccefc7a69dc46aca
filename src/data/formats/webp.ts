// The container of WebP. RFC 9649, section 2.

import { latin1, viewOf } from '../../core/data.ts'

/** Refuses a file that ends before its container does: libwebp calls its header corrupt. */
export function checkWebp(head: Uint8Array, size: number): void {
  if (head.length < 20 || viewOf(head).getUint32(4, true) + 8 > size)
    throw new Error('a truncated WebP; download or export it again')
}

/** Whether the pixels of a WebP are in a lossless chunk, VP8L rather than VP8. */
export function isLosslessWebp(file: Uint8Array): boolean {
  const view = viewOf(file)
  for (let at = 12; at + 8 <= file.length; at += 8 + Math.ceil(view.getUint32(at + 4, true) / 2) * 2) {
    const type = latin1(file, at, at + 4)
    if (type === 'VP8L' || type === 'VP8 ') return type === 'VP8L'
  }
  return false
}
