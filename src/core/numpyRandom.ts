// NumPy's legacy generator (RandomState), used for published test noise: MT19937, polar method for normals.

import { RestoreError } from './errors.ts'
import { log } from './exactMath.ts'
import { checkBelow, type Random } from './random.ts'

const words = 624
const middle = 397

/** init_genrand of Matsumoto and Nishimura. */
function expandSeed(seed: number): Uint32Array {
  const state = new Uint32Array(words)
  state[0] = seed
  for (let i = 1; i < words; i++) {
    const before = state[i - 1]!
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i
  }
  return state
}

/** init_by_array of Matsumoto and Nishimura. */
function expandSeeds(seeds: readonly number[]): Uint32Array {
  const state = expandSeed(19650218)
  let i = 1
  const mix = (factor: number) => {
    const before = state[i - 1]!
    return state[i]! ^ Math.imul(before ^ (before >>> 30), factor)
  }
  const advance = () => {
    if (++i < words) return
    state[0] = state[words - 1]!
    i = 1
  }
  for (let k = 0; k < Math.max(words, seeds.length); k++) {
    const j = k % seeds.length
    state[i] = mix(1664525) + seeds[j]! + j
    advance()
  }
  for (let k = 1; k < words; k++) {
    state[i] = mix(1566083941) - i
    advance()
  }
  state[0] = 0x80000000
  return state
}

class MersenneTwister implements Random {
  readonly #seeds: readonly number[]
  readonly #state: Uint32Array
  #next = words
  #spare: number | undefined

  constructor(seeds: readonly number[]) {
    const [only] = seeds
    this.#seeds = seeds
    this.#state = seeds.length === 1 && only !== undefined ? expandSeed(only) : expandSeeds(seeds)
  }

  #advance(): void {
    const state = this.#state
    for (let i = 0; i < words; i++) {
      const joined = (state[i]! & 0x80000000) | (state[i + 1 < words ? i + 1 : 0]! & 0x7fffffff)
      const far = state[i + middle < words ? i + middle : i + middle - words]!
      state[i] = far ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0)
    }
    this.#next = 0
  }

  #word(): number {
    if (this.#next === words) this.#advance()
    let y = this.#state[this.#next++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  uniform(): number {
    return ((this.#word() >>> 5) * 67108864 + (this.#word() >>> 6)) / 9007199254740992
  }

  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare
      this.#spare = undefined
      return spare
    }
    for (;;) {
      const x1 = 2 * this.uniform() - 1
      const x2 = 2 * this.uniform() - 1
      const square = x1 * x1 + x2 * x2
      if (square >= 1 || square === 0) continue
      const factor = Math.sqrt((-2 * log(square)) / square)
      this.#spare = factor * x1
      return factor * x2
    }
  }

  fillNormal(values: Float32Array): void {
    for (let i = 0; i < values.length; i++) values[i] = this.normal()
  }

  integer(below: number): number {
    checkBelow(below)
    if (below === 1) return 0
    const mask = 0xffffffff >>> Math.clz32(below - 1)
    for (;;) {
      const value = (this.#word() & mask) >>> 0
      if (value < below) return value
    }
  }

  fork(key: number): Random {
    return new MersenneTwister([...this.#seeds, checkSeed(key)])
  }
}

function checkSeed(seed: number): number {
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed
  throw new RestoreError(
    'usage',
    `numpyRandom: expected an integer seed from 0 to ${2 ** 32 - 1}, got ${seed}`,
  )
}

/**
 * `numpy.random.RandomState(seed)`; `fork(key)` is `RandomState([seed, key])`. Bits equal NumPy's, except for
 * about one normal number in 3,000, which differs in the last bit because NumPy's C library rounds its
 * logarithm incorrectly.
 */
export function numpyRandom(seed: number): Random {
  return new MersenneTwister([checkSeed(seed)])
}
