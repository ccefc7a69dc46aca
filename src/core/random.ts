// Seeded random streams for data and degradations, the same on every platform and for any number of workers.

import { RestoreError } from './errors.ts'
import { exp, log } from './exactMath.ts'
import { type PhiloxSequence, philox, philoxWords } from './philox.ts'

/** A stream of random numbers. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number
  /** Standard normal. */
  normal(): number
  /** Fills `values` with independent standard normal numbers; faster than repeated `normal()`. */
  fillNormal(values: Float32Array): void
  /** Integer, uniform in [0, below). */
  integer(below: number): number
  /** Derives an independent stream from this one and `key`, without advancing this one. */
  fork(key: number): Random
}

/** Position of a counter-based stream, as plain JSON: all that is needed to resume it. */
export interface RandomState extends PhiloxSequence {
  /** 32-bit words drawn so far. */
  readonly taken: number
}

/** A stream whose state, and that of its forks, can be saved. */
export interface CounterRandom extends Random {
  readonly state: RandomState
  fork(key: number): CounterRandom
}

/** The ziggurat of Marsaglia and Tsang (2000): 128 layers of equal area under exp(−x²/2). */
const ziggurat = (() => {
  const layers = 128
  const area = 9.91256303526217e-3
  const tail = 3.442619855899
  const height = (x: number) => exp(-0.5 * x * x)
  const edges = new Float64Array(layers + 1)
  edges[0] = area / height(tail)
  edges[1] = tail
  for (let i = 2; i < layers; i++) {
    const below = edges[i - 1]!
    edges[i] = Math.sqrt(-2 * log(area / below + height(below)))
  }
  return {
    tail,
    heights: edges.map((edge, i) => (i === layers ? 1 : height(edge))),
    /** Scales of 24-bit numbers by the low byte of a word: layer and sign. */
    scales: Float64Array.from({ length: 2 * layers }, (_, i) => {
      return ((i < layers ? 1 : -1) * edges[i % layers]!) / 2 ** 24
    }),
    /**
     * 24-bit numbers below this bound lie under the curve at any height; by the same byte.
     * NOTE: the bound of the top layer, -1, wraps to the largest, so all of that layer is accepted. Seeds
     * reproduce the numbers of earlier versions only with it.
     */
    inside: Uint32Array.from({ length: 2 * layers }, (_, i) => {
      return Math.floor((edges[(i % layers) + 1]! / edges[i % layers]!) * 2 ** 24 - 0.5)
    }),
  }
})()

class Philox implements CounterRandom {
  readonly #sequence: PhiloxSequence
  readonly #words = new Uint32Array(philoxWords)
  /** Number of times that `#words` has been used up. */
  #batch: number
  #next: number

  constructor({ key, stream, taken }: RandomState) {
    this.#sequence = { key, stream }
    this.#next = taken % philoxWords
    this.#batch = (taken - this.#next) / philoxWords
    // At a batch boundary, `#prepare` computes the batch when the first word is drawn.
    if (this.#next > 0) this.#compute()
  }

  get state(): RandomState {
    return { ...this.#sequence, taken: this.#batch * philoxWords + this.#next }
  }

  #compute(): void {
    philox(this.#words, this.#sequence, (this.#batch * philoxWords) / 4)
  }

  /** Ensures that at least one word is available. */
  #prepare(): void {
    if (this.#next === philoxWords) {
      this.#next = 0
      this.#batch++
    }
    if (this.#next === 0) this.#compute()
  }

  #word(): number {
    this.#prepare()
    return this.#words[this.#next++]!
  }

  uniform(): number {
    return ((this.#word() >>> 5) * 67108864 + (this.#word() >>> 6)) / 9007199254740992
  }

  normal(): number {
    return this.#normalFrom(this.#word())
  }

  #normalFrom(first: number): number {
    const { heights, scales, inside, tail } = ziggurat
    for (let word = first; ; word = this.#word()) {
      const layer = word & 127
      const x = ((word >>> 8) + 0.5) * scales[word & 255]!
      if (word >>> 8 < inside[word & 255]!) return x
      if (layer === 0) return Math.sign(x) * this.#sampleTail(tail)
      const low = heights[layer]!
      const high = heights[layer + 1]!
      if (low + this.uniform() * (high - low) < exp(-0.5 * x * x)) return x
    }
  }

  /** Samples the tail of the normal distribution (Marsaglia, 1964). */
  #sampleTail(tail: number): number {
    for (;;) {
      const x = -log(1 - this.uniform()) / tail
      if (-2 * log(1 - this.uniform()) > x * x) return tail + x
    }
  }

  fillNormal(values: Float32Array): void {
    const { scales, inside } = ziggurat
    const words = this.#words
    for (let i = 0; i < values.length; ) {
      this.#prepare()
      let next = this.#next
      for (; i < values.length && next < philoxWords; i++) {
        const word = words[next++]!
        if (word >>> 8 < inside[word & 255]!) {
          values[i] = ((word >>> 8) + 0.5) * scales[word & 255]!
          continue
        }
        this.#next = next
        values[i] = this.#normalFrom(word)
        next = this.#next
      }
      this.#next = next
    }
  }

  integer(below: number): number {
    checkBelow(below)
    return Math.floor(this.uniform() * below)
  }

  fork(key: number): CounterRandom {
    checkInteger('fork: key', key, Number.MAX_SAFE_INTEGER)
    const { key: own, stream } = this.#sequence
    const words = new Uint32Array(4)
    // The complemented stream separates these counters from those used for drawing numbers.
    philox(words, { key: own, stream: [stream[0], ~stream[1]] }, key)
    const [k0, k1, s0, s1] = [...words] as [number, number, number, number]
    return new Philox({ key: [k0, k1], stream: [s0, s1], taken: 0 })
  }
}

function checkInteger(where: string, value: number, largest: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= largest) return
  throw new RestoreError('usage', `${where}: expected an integer from 0 to ${largest}, got ${value}`)
}

/** Throws if `below` is not a valid bound for {@link Random.integer}. */
export function checkBelow(below: number): void {
  if (Number.isInteger(below) && below >= 1 && below <= 2 ** 32) return
  throw new RestoreError(
    'usage',
    `random integer: expected an integer bound from 1 to ${2 ** 32}, got ${below}`,
  )
}

/** Creates a stream from a seed (0 … 2^53 − 1), or resumes one from its saved `state`. */
export function counterRandom(seed: number | RandomState): CounterRandom {
  if (typeof seed !== 'number') return new Philox(seed)
  checkInteger('random seed', seed, Number.MAX_SAFE_INTEGER)
  return new Philox({ key: [seed >>> 0, Math.floor(seed / 4294967296)], stream: [0, 0], taken: 0 })
}

/** A random order of 0 … count − 1. */
export function permutation(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1)
    const moved = order[i]!
    order[i] = order[j]!
    order[j] = moved
  }
  return order
}

/** Draws an index with probability proportional to its weight; weights are at least 0, not all 0. */
export function weightedIndex(weights: readonly number[], random: Random): number {
  let remaining = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0)
  const chosen = weights.findIndex((weight) => {
    remaining -= weight
    return remaining < 0
  })
  // Rounding may leave a remainder after the last choice.
  return chosen < 0 ? weights.findLastIndex((weight) => weight > 0) : chosen
}
