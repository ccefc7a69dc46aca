// Reads the bits of video headers.

/** Bits of bytes, the highest of each first; those past the end are 0. */
export class BitReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  flag(): boolean {
    const byte = this.#bytes[this.#at >> 3] ?? 0
    return ((byte >> (7 - (this.#at++ & 7))) & 1) === 1
  }

  /** An unsigned number of at most 32 bits. */
  number(bits: number): number {
    let value = 0
    for (let i = 0; i < bits; i++) value = value * 2 + (this.flag() ? 1 : 0)
    return value
  }

  skip(bits: number): void {
    this.#at += bits
  }

  /** A number behind as many zeros as it has bits after its first: ue(v) of HEVC, uvlc of AV1. */
  golomb(): number {
    let zeros = 0
    while (zeros < 32 && !this.flag()) zeros++
    return 2 ** zeros - 1 + this.number(zeros)
  }
}
