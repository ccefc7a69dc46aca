// Bytes in memory or a file, read in parts: a header is a small part of a file, and may be at its end.

/** Bytes at positions; reading past the end gives fewer. */
export interface ByteSource {
  readonly size: number
  read(start: number, length: number): Uint8Array
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (start, length) => bytes.subarray(Math.min(start, bytes.length), start + length),
  }
}
