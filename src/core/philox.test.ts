import { expect, test } from 'vitest'
import { type PhiloxSequence, philox, philoxWords } from './philox.ts'

type Words = [bigint, bigint, bigint, bigint]

const mask = 0xffffffffn

/** Philox4x32-10 of one counter, as the paper states it. */
function encrypted({ key, stream }: PhiloxSequence, counter: number): number[] {
  const word = (value: number) => BigInt(value) & mask
  let [k0, k1] = [word(key[0]), word(key[1])]
  let words: Words = [BigInt(counter) & mask, BigInt(counter) >> 32n, word(stream[0]), word(stream[1])]
  for (let round = 0; round < 10; round++) {
    const [c0, c1, c2, c3] = words
    const first = c0 * 0xd2511f53n
    const second = c2 * 0xcd9e8d57n
    words = [(second >> 32n) ^ c1 ^ k0, second & mask, (first >> 32n) ^ c3 ^ k1, first & mask]
    k0 = (k0 + 0x9e3779b9n) & mask
    k1 = (k1 + 0xbb67ae85n) & mask
  }
  return words.map(Number)
}

test('the assembled module encrypts every counter as the formula of Philox does', () => {
  const sequences: readonly PhiloxSequence[] = [
    { key: [0, 0], stream: [0, 0] },
    { key: [0xffffffff, 0x80000000], stream: [0x7fffffff, ~5] },
    { key: [0xa4093822, 0x299f31d0], stream: [0x13198a2e, 0x03707344] },
  ]
  for (const sequence of sequences) {
    for (const start of [0, 64, 2 ** 31 - 64, 2 ** 32 - 64, 2 ** 32, 2 ** 50 + 64]) {
      const words = new Uint32Array(philoxWords)
      philox(words, sequence, start)
      const expected = Array.from({ length: 64 }, (_, i) => encrypted(sequence, start + i)).flat()
      expect([...words]).toEqual(expected)
      const four = new Uint32Array(4)
      philox(four, sequence, start)
      expect([...four]).toEqual(expected.slice(0, 4))
    }
  }
})
