// Reads numbers and strings sequentially from a source, through a window, so that a pickle at the start of a
// large file does not load all of it into memory.

import { type ByteSource, malformed } from './checkpoint.ts'

const windowBytes = 64 * 1024
const maxTextBytes = 64 * 2 ** 20

export class ByteCursor {
  readonly #source: ByteSource
  #window: DataView = new DataView(new ArrayBuffer(0))
  #windowStart = 0
  #position: number

  constructor(source: ByteSource, start = 0) {
    this.#source = source
    this.#position = start
  }

  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#source.size - this.#position
  }

  /** Throws unless `length` more bytes exist. */
  require(length: number): void {
    if (length > this.remaining) {
      throw malformed(
        `expected ${length} bytes at ${this.#position}, but only ${this.remaining} are left: it is cut short or damaged`,
      )
    }
  }

  skip(length: number): void {
    this.require(length)
    this.#position += length
  }

  uint8(): number {
    const at = this.#advance(1)
    return this.#window.getUint8(at)
  }

  uint16(): number {
    const at = this.#advance(2)
    return this.#window.getUint16(at, true)
  }

  uint32(): number {
    const at = this.#advance(4)
    return this.#window.getUint32(at, true)
  }

  int32(): number {
    const at = this.#advance(4)
    return this.#window.getInt32(at, true)
  }

  /** Big-endian, as in pickles. */
  float64(): number {
    const at = this.#advance(8)
    return this.#window.getFloat64(at, false)
  }

  /** A 64-bit length, checked against the remaining bytes. */
  length64(): number {
    const at = this.#advance(8)
    const length = Number(this.#window.getBigUint64(at, true))
    this.require(length)
    return length
  }

  take(length: number): Uint8Array {
    this.require(length)
    const bytes = this.#source.read(this.#position, length)
    this.#position += length
    return bytes
  }

  utf8(length: number): string {
    const at = this.#position
    try {
      return strictUtf8.decode(this.#text(length))
    } catch (error) {
      throw error instanceof TypeError ? malformed(`the string at byte ${at} is not UTF-8`, error) : error
    }
  }

  /** Byte strings of Python 2, which are text in checkpoints; torch.load also decodes them as UTF-8. */
  looseUtf8(length: number): string {
    return looseUtf8.decode(this.#text(length))
  }

  /** Text (Latin-1) up to the next line feed, which is skipped. */
  line(maxLength = windowBytes): string {
    if (this.#lineLength() < 0) this.#refill()
    const length = this.#lineLength()
    if (length < 0 || length > maxLength) {
      throw malformed(
        `expected a line of at most ${maxLength} bytes at byte ${this.#position}: it is damaged`,
      )
    }
    let text = ''
    for (let index = 0; index < length; index++) text += String.fromCharCode(this.uint8())
    this.#position++
    return text
  }

  /** Bytes before the next line feed, or -1 if the window has none. */
  #lineLength(): number {
    const { buffer, byteOffset, byteLength } = this.#window
    const at = Math.min(byteLength, this.#position - this.#windowStart)
    return new Uint8Array(buffer, byteOffset + at, byteLength - at).indexOf(10)
  }

  #text(length: number): Uint8Array {
    if (length > maxTextBytes)
      throw malformed(`a string of ${length} bytes is longer than any checkpoint needs`)
    if (length > windowBytes) return this.take(length)
    const at = this.#advance(length)
    return new Uint8Array(this.#window.buffer, this.#window.byteOffset + at, length)
  }

  /** Advances by `length` bytes, loads them into the window and returns their offset in it. */
  #advance(length: number): number {
    if (this.#position + length > this.#windowStart + this.#window.byteLength) {
      this.require(length)
      this.#refill()
    }
    const at = this.#position - this.#windowStart
    this.#position += length
    return at
  }

  #refill(): void {
    const bytes = this.#source.read(this.#position, Math.min(this.remaining, windowBytes))
    this.#window = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#windowStart = this.#position
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const looseUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })
