import { describe, expect, test } from 'vitest'
import { RestoreError } from '../core/errors.ts'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { blur } from './blur.ts'
import { chain, maybe, oneOf, parseChain, shuffled } from './chain.ts'
import type { Degrade } from './defineDegradation.ts'
import { degradations } from './degradationTable.ts'
import { noise, saltAndPepper } from './noise.ts'
import { resize } from './resize.ts'

const image: Image = (() => {
  const random = counterRandom(1)
  return {
    channels: 3,
    height: 24,
    width: 28,
    data: Float32Array.from({ length: 2016 }, () => random.uniform()),
  }
})()

const add =
  (amount: number): Degrade =>
  (input) => ({ ...input, data: input.data.map((value) => value + amount) })
const double: Degrade = (input) => ({ ...input, data: input.data.map((value) => value * 2) })
const zero: Image = { channels: 1, height: 1, width: 1, data: new Float32Array(1) }

function values(degrade: Degrade, count = 2000): number[] {
  return Array.from({ length: count }, (_, i) => degrade(zero, counterRandom(i)).data[0]!)
}

function share(all: readonly number[], value: number): number {
  return all.filter((x) => x === value).length / all.length
}

describe('chain', () => {
  test('applies its steps in order and does not modify the input', () => {
    const before = image.data.slice()
    expect(values(chain([add(1), double]), 1)).toEqual([2])
    chain([noise({ sigma: 20 }), blur()])(image, counterRandom(2))
    expect(image.data).toEqual(before)
  })

  test('gives every step its own random stream', () => {
    const steps = (sigma: number | readonly [number, number]) =>
      chain([noise({ sigma }), saltAndPepper({ amount: 0.3 })])
    const hits = (degrade: Degrade) =>
      degrade({ ...image, data: new Float32Array(2016).fill(0.5) }, counterRandom(3)).data.map((x) =>
        x === 0 || x === 1 ? x : 0.5,
      )
    expect(hits(steps(1))).toEqual(hits(steps([1, 2])))
  })

  test('shuffled, oneOf and maybe draw with the given probabilities', () => {
    const orders = values(shuffled([add(1), double]))
    expect(share(orders, 2) + share(orders, 1)).toBe(1)
    expect(share(orders, 2)).toBeCloseTo(0.5, 1)
    const chosen = values(
      oneOf([
        [3, add(1)],
        [1, add(2)],
        [0, add(3)],
      ]),
    )
    expect(share(chosen, 1)).toBeCloseTo(0.75, 1)
    expect(share(chosen, 2)).toBeCloseTo(0.25, 1)
    expect(share(values(oneOf([add(1), add(2)])), 1)).toBeCloseTo(0.5, 1)
    expect(share(values(maybe(0.2, add(1))), 1)).toBeCloseTo(0.2, 1)
    expect(share(values(maybe(0, add(1))), 1)).toBe(0)
  })

  test('invalid weights and probabilities are rejected', () => {
    expect(() => oneOf([])).toThrow('oneOf: expected weights of at least 0, not all 0, got no choices')
    expect(() => oneOf([[0, double]])).toThrow('got 0')
    expect(() =>
      oneOf([
        [2, double],
        [-1, double],
      ]),
    ).toThrow('got 2, -1')
    expect(() => maybe(1.5, double)).toThrow('maybe: expected a probability from 0 to 1, got 1.5')
  })
})

describe('parseChain', () => {
  test('is equivalent to the same chain in code', () => {
    const text = parseChain('blur:kernel=iso,sigma=2.4  resize:scale=0.25,method=bicubic\n noise:sigma=0..50')
    const code = chain([
      blur({ kernel: 'iso', sigma: 2.4 }),
      resize({ scale: 0.25, method: 'bicubic' }),
      noise({ sigma: [0, 50] }),
    ])
    expect(text(image, counterRandom(6))).toEqual(code(image, counterRandom(6)))
    expect(parseChain('noise')(image, counterRandom(1))).toEqual(chain([noise()])(image, counterRandom(1)))
    expect(parseChain('noise:sigma=.5..1e1')(image, counterRandom(1))).toEqual(
      chain([noise({ sigma: [0.5, 10] })])(image, counterRandom(1)),
    )
  })

  test.each([
    ['', 'expected at least one, such as noise:sigma=25, got none'],
    ['nose:sigma=3', /unknown degradation 'nose': expected one of blur, .*; did you mean noise\?/],
    ['toString', "unknown degradation 'toString'"],
    ['blur:__proto__=1', /unknown parameter of blur '__proto__': expected one of/],
    [
      'noise:sgima=3',
      "unknown parameter of noise 'sgima': expected one of sigma, color, clip; did you mean sigma?",
    ],
    ['noise:sigma', "noise: expected settings such as sigma=VALUE, got 'sigma'"],
    ['noise:', "got ''"],
    ['noise:sigma=1,sigma=2', 'noise: expected each setting once, got sigma twice'],
    [
      'noise:sigma=300',
      'noise: sigma: expected a number from 0 to 255 (unit: 0..255), or a range LOW..HIGH within, got 300',
    ],
    ['noise:sigma=50..10', 'got 50..10'],
    ['noise:sigma=10..', 'got 10..'],
    ['noise:sigma=loud', 'got loud'],
    ['noise:clip=maybe', 'noise: clip: expected one of off, on, got maybe'],
    ['noise:clip=1', 'got 1'],
    [
      'srmd:scale=2.5',
      'srmd: scale: expected a whole number from 1 to 16, or a range LOW..HIGH within, got 2.5',
    ],
    ['blur:size=0', 'blur: size: expected a whole number from 1 to 255 (unit: px)'],
  ])('rejects %j', (text, message) => {
    expect(() => parseChain(text)).toThrow(message)
    expect(() => parseChain(text)).toThrow(RestoreError)
  })
})

describe('every degradation', () => {
  const entries = Object.entries(degradations)

  test.each(entries)(
    '%s has a name equal to its key, a summary, a source and valid defaults',
    (key, degradation) => {
      expect(degradation.name).toBe(key)
      expect(degradation.summary).toMatch(/^[^.]+$/)
      expect(degradation.source).not.toBe('')
      expect(degradation.configure({})).toBeTypeOf('function')
      for (const name of Object.keys(degradation.parameters)) expect(name).toMatch(/^[a-z][a-zA-Z0-9]*$/)
    },
  )

  test.each(entries)(
    '%s is determined by its random stream, does not modify its input, and returns finite numbers',
    (_, degradation) => {
      const input: Image = { ...image, data: image.data.map((_value, i) => 0.5 + 0.5 * Math.sin(i / 9)) }
      const before = input.data.slice()
      const [a, b] = [1, 1].map((seed) => degradation.configure({})(input, counterRandom(seed)))
      expect(a).toEqual(b)
      expect(input.data).toEqual(before)
      expect(a?.data.length).toBe((a?.channels ?? 0) * (a?.height ?? 0) * (a?.width ?? 0))
      expect(a?.data.every(Number.isFinite)).toBe(true)
    },
  )
})

describe('golden hashes', () => {
  /** 32-bit hash of an image's bits. */
  function hash({ data }: Image): string {
    let sum = 0x811c9dc5
    for (const word of new Uint32Array(data.buffer, data.byteOffset, data.length))
      sum = Math.imul(sum ^ word, 0x01000193)
    return (sum >>> 0).toString(16)
  }

  // Multiples of 1/64, so the input does not depend on the JavaScript engine.
  const input: Image = { ...image, data: image.data.map((_, i) => ((i * 37) % 64) / 64) }

  test.each([
    ['noise:sigma=0..50', 'a2b09d22'],
    ['poisson speckle salt-and-pepper', '627e17'],
    ['camera-noise', '743d4c1d'],
    ['blur:kernel=iso resize:scale=0.4,method=lanczos', 'd11308cd'],
    ['blur:kernel=aniso blur:kernel=sinc blur:kernel=plateau-aniso', 'dfd52547'],
    ['blur:kernel=shake blur:kernel=line,length=5 blur:kernel=disc', '1731fdae'],
    ['blur:kernel=generalized-iso srmd:kernel=aniso,scale=2,noise=10', '6a15c4b2'],
  ])('%s is bit-identical to its golden hash', (text, expected) => {
    expect(hash(parseChain(text)(input, counterRandom(2026)))).toBe(expected)
  })
})

describe('plain pictures', () => {
  const side = 48
  const plain = (channels: number, level: number): Image => ({
    ...{ channels, height: side, width: side },
    data: new Float32Array(channels * side * side).fill(level),
  })

  test.each(Object.entries(degradations))('%s leaves finite values in black, gray and white', (_, make) => {
    for (const channels of [1, 3])
      for (const level of [0, 0.5, 1])
        for (const seed of [1, 2, 3]) {
          const { data } = make()(plain(channels, level), counterRandom(seed))
          expect(data.every(Number.isFinite)).toBe(true)
        }
  })
})
