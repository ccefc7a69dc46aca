// Expands texts and profiles of files, in Node and browsers.

import { Unzlib } from 'fflate'
import { concat } from '../../core/bytes.ts'

/** Longest text or profile that is read, since a small chunk can expand to any size. */
const maxBytes = 2 ** 24

/** Compressed bytes that are expanded at a time. */
const pieceBytes = 4096

/** Expands bytes as far as a file's texts and profiles are long. */
export function inflate(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  let length = 0
  const stream = new Unzlib((part) => {
    length += part.length
    if (length > maxBytes) throw new RangeError('a block that expands too far')
    parts.push(part)
  })
  // In pieces, so that one that expands too far is left before it is whole.
  for (let at = 0; at < bytes.length; at += pieceBytes)
    stream.push(bytes.subarray(at, at + pieceBytes), at + pieceBytes >= bytes.length)
  return concat(parts)
}
