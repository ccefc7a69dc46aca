// Builds byte arrays, in Node and browsers alike.

/** Joins byte arrays. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Characters of Latin-1 as bytes. */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}

/** A whole number as big-endian bytes. */
export function bigEndian(value: number, size: 1 | 2 | 3 | 4): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => value >>> (8 * (size - 1 - i)))
}

/** A whole number as little-endian bytes. */
export function littleEndian(value: number, size: 1 | 2 | 3 | 4): Uint8Array<ArrayBuffer> {
  return bigEndian(value, size).reverse()
}

/** Text as UTF-8. */
export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}

/** UTF-8 as text; damaged letters are replaced. */
export function utf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}
