import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { RestoreError } from './errors.ts'
import { exp, log, power, sinCos } from './exactMath.ts'
import { numpyRandom } from './numpyRandom.ts'
import { counterRandom, permutation, type Random } from './random.ts'

function draw<T>(count: number, next: () => T): T[] {
  return Array.from({ length: count }, next)
}

function moments(values: Float32Array): { mean: number; variance: number; kurtosis: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const power = (n: number) => values.reduce((sum, x) => sum + (x - mean) ** n, 0) / values.length
  return { mean, variance: power(2), kurtosis: power(4) / power(2) ** 2 }
}

/** 32-bit FNV-1a hash of the numbers' bytes. */
function hash(values: Float64Array | Float32Array): string {
  let sum = 0x811c9dc5
  for (const byte of new Uint8Array(values.buffer)) sum = Math.imul(sum ^ byte, 0x01000193)
  return (sum >>> 0).toString(16)
}

describe('counterRandom', () => {
  test('encrypts like Philox4x32-10 of Random123', () => {
    // Known answers in Random123's kat_vectors for counter and key 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    const stream = counterRandom(0)
    const first = ((0x6627e8d5 >>> 5) * 67108864 + (0xe169c58d >>> 6)) / 2 ** 53
    const second = ((0xbc57ac4c >>> 5) * 67108864 + (0x9b00dbd8 >>> 6)) / 2 ** 53
    expect([stream.uniform(), stream.uniform()]).toEqual([first, second])
  })

  test('gives the same bits everywhere', () => {
    const values = new Float32Array(100_000)
    const stream = counterRandom(2 ** 53 - 1)
    stream.fillNormal(values)
    expect(hash(values)).toBe('f796835')
    const fork = stream.fork(3).fork(2 ** 40)
    expect(hash(Float64Array.from(draw(1000, () => fork.normal())))).toBe('59b921e5')
    expect(draw(5, () => stream.integer(1000))).toEqual([941, 452, 258, 631, 555])
  })

  test('draws normal numbers with the moments and tails of a normal distribution', () => {
    const values = new Float32Array(1 << 20)
    counterRandom(11).fillNormal(values)
    const { mean, variance, kurtosis } = moments(values)
    expect(Math.abs(mean)).toBeLessThan(0.004)
    expect(Math.abs(variance - 1)).toBeLessThan(0.006)
    expect(Math.abs(kurtosis - 3)).toBeLessThan(0.03)
    const share = (bound: number) => values.filter((x) => Math.abs(x) > bound).length / values.length
    expect(share(1)).toBeCloseTo(0.3173, 2)
    expect(share(2)).toBeCloseTo(0.0455, 2)
    expect(share(3.5) / 4.653e-4).toBeGreaterThan(0.85)
    expect(share(3.5) / 4.653e-4).toBeLessThan(1.15)
    const neighbors = values.subarray(1).reduce((sum, x, i) => sum + x * values[i]!, 0)
    expect(Math.abs(neighbors / values.length)).toBeLessThan(0.004)
  })

  test('fills with the numbers that single draws return', () => {
    const values = new Float32Array(10_000)
    const a = counterRandom(4)
    const b = counterRandom(4)
    a.uniform()
    b.uniform()
    a.fillNormal(values)
    expect([...values]).toEqual(draw(10_000, () => Math.fround(b.normal())))
    expect(a.state).toEqual(b.state)
  })

  test('resumes from a saved state', () => {
    for (const before of [0, 1, 127, 128, 129, 1000]) {
      const stream = counterRandom(9).fork(1)
      for (let i = 0; i < before; i++) stream.uniform()
      const again = counterRandom(JSON.parse(JSON.stringify(stream.state)))
      expect(draw(300, () => again.uniform())).toEqual(draw(300, () => stream.uniform()))
    }
  })

  test('forks depend on the key, not on the numbers drawn, and differ from their parent', () => {
    const stream = counterRandom(1)
    const first = stream.fork(5).uniform()
    stream.uniform()
    expect(stream.fork(5).uniform()).toBe(first)
    const others = [0, 1, 6, 5 + 2 ** 32].map((key) => stream.fork(key).uniform())
    expect(
      new Set([first, counterRandom(1).uniform(), counterRandom(2).fork(5).uniform(), ...others]).size,
    ).toBe(7)
    const a = new Float32Array(50_000)
    const b = new Float32Array(50_000)
    stream.fork(0).fillNormal(a)
    stream.fork(1).fillNormal(b)
    expect(Math.abs(a.reduce((sum, x, i) => sum + x * b[i]!, 0) / a.length)).toBeLessThan(0.015)
  })

  test('draws integers uniformly below their bound', () => {
    const stream = counterRandom(3)
    const counts = [0, 0, 0, 0, 0]
    for (let i = 0; i < 10_000; i++) counts[stream.integer(5)] = (counts[stream.integer(5)] ?? 0) + 1
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200)
  })
})

interface Golden {
  readonly normal: Readonly<Record<string, string>>
  readonly uniform: Readonly<Record<string, string>>
  readonly forked: string
  readonly forkedTwice: string
  readonly integers: Readonly<Record<string, readonly number[]>>
}

describe('numpyRandom', () => {
  const golden: Golden = JSON.parse(
    readFileSync(new URL('../../test/golden/numpyRandom/numpyRandom.json', import.meta.url), 'utf8'),
  )
  const decode = (text: string) => {
    const { buffer, byteOffset, byteLength } = Buffer.from(text, 'hex')
    const view = new DataView(buffer, byteOffset, byteLength)
    return draw(byteLength / 8, () => 0).map((_, i) => view.getFloat64(8 * i))
  }

  test('gives the normal numbers of NumPy, except for the last bit of a few', () => {
    for (const [seed, text] of Object.entries(golden.normal)) {
      const expected = decode(text)
      const stream = numpyRandom(Number(seed))
      const actual = expected.map(() => stream.normal())
      const different = expected.flatMap((value, i) => (Object.is(value, actual[i]) ? [] : [i]))
      expect(different.length).toBeLessThanOrEqual(2)
      for (const i of different) expect(Math.abs(actual[i]! / expected[i]! - 1)).toBeLessThan(2.3e-16)
    }
    const stream = numpyRandom(0)
    expect(draw(6, () => stream.normal())).toEqual([
      1.764052345967664, 0.4001572083672233, 0.9787379841057392, 2.240893199201458, 1.8675579901499675,
      -0.977277879876411,
    ])
  })

  test('gives the uniform numbers and integers of NumPy bit for bit, also when seeded with arrays', () => {
    const uniform = (stream: Random, text: string) =>
      expect(decode(text).map(() => stream.uniform())).toEqual(decode(text))
    uniform(numpyRandom(7), golden.uniform['7'] ?? '')
    uniform(numpyRandom(7).fork(3), golden.forked)
    uniform(numpyRandom(7).fork(3).fork(4294967295), golden.forkedTwice)
    for (const [below, expected] of Object.entries(golden.integers)) {
      const stream = numpyRandom(5)
      expect(expected.map(() => stream.integer(Number(below)))).toEqual(expected)
    }
  })

  test('fills with the numbers that single draws return', () => {
    const values = new Float32Array(9)
    numpyRandom(0).fillNormal(values)
    const stream = numpyRandom(0)
    expect([...values]).toEqual(draw(9, () => Math.fround(stream.normal())))
  })
})

test('a permutation holds every number once', () => {
  expect(permutation(50, counterRandom(1)).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 50 }, (_, i) => i),
  )
})

test('invalid seeds, keys and bounds are rejected', () => {
  for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53]) {
    expect(() => counterRandom(wrong)).toThrow(RestoreError)
    expect(() => counterRandom(1).fork(wrong)).toThrow('fork: key: expected an integer from 0')
    expect(() => numpyRandom(wrong)).toThrow('numpyRandom: expected an integer seed from 0 to 4294967295')
    expect(() => numpyRandom(1).fork(wrong)).toThrow(RestoreError)
    expect(() => counterRandom(1).integer(wrong)).toThrow('random integer: expected an integer bound from 1')
  }
  expect(() => counterRandom(1).integer(0)).toThrow(`got 0`)
  expect(() => numpyRandom(1).integer(0)).toThrow(`got 0`)
})

describe('elementary functions', () => {
  const stream = counterRandom(77)
  const values = draw(20_000, () => stream.uniform())
  const worst = (errors: readonly number[]) => errors.reduce((most, x) => Math.max(most, Math.abs(x)), 0)

  test('log agrees with Math.log to one unit in the last place, also near 1', () => {
    const all = values.flatMap((value) => [
      value,
      1 + (value - 0.5) / 1000,
      value * 1e300,
      1 / (value * 1e300),
    ])
    expect(worst(all.map((x) => (log(x) - Math.log(x)) / Math.log(x)))).toBeLessThan(2.3e-16)
    expect(log(1)).toBe(0)
    expect(log(2)).toBe(Math.LN2)
  })

  test('exp, power and sinCos agree with Math', () => {
    const angles = values.map((value) => (value - 0.5) * 1400)
    expect(worst(angles.map((x) => exp(x) / Math.exp(x) - 1))).toBeLessThan(5e-16)
    expect(worst(angles.map((x) => sinCos(x)[0] - Math.sin(x)))).toBeLessThan(3e-16)
    expect(worst(angles.map((x) => sinCos(x)[1] - Math.cos(x)))).toBeLessThan(3e-16)
    expect(worst(values.map((value) => power(value, 2.2) / value ** 2.2 - 1))).toBeLessThan(1e-14)
    expect([exp(0), exp(-1000), exp(1000), power(0, 2)]).toEqual([1, 0, Number.POSITIVE_INFINITY, 0])
  })
})
