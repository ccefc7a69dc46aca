// Properties that all scene degradations share (pure, size-preserving, deterministic), and the effect of each
// on light.

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { sinCos } from '../core/exactMath.ts'
import { counterRandom } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import type { Degradation, Drawn, Parameters } from './defineDegradation.ts'
import { haze } from './haze.ts'
import { holes } from './holes.ts'
import { jpeg, jpegBlocks } from './jpeg.ts'
import { lowLight, shadow } from './lowLight.ts'
import { rain, snow } from './rainAndSnow.ts'
import { raindrops } from './raindrops.ts'
import { wild } from './wild.ts'

/** Waves, with a bright upper and a darker lower half. */
function scene(width: number, height: number, channels: number): Image {
  const data = new Float32Array(channels * height * width)
  for (let i = 0; i < data.length; i++) {
    const c = Math.floor(i / (width * height))
    const y = Math.floor(i / width) % height
    const x = i % width
    data[i] = (y < height / 2 ? 0.7 : 0.35) + 0.15 * sinCos(x / (3 + c))[0] * sinCos(y / 4)[1]
  }
  return { width, height, channels, data }
}

/** Middle of each parameter's default range. */
function middle<P extends Parameters>(parameters: P): Drawn<P> {
  const values = Object.entries(parameters).map(([name, parameter]) => {
    if (parameter.type === 'choice' || typeof parameter.default === 'number') return [name, parameter.default]
    const mean = (parameter.default[0] + parameter.default[1]) / 2
    return [name, parameter.isWhole ? Math.round(mean) : mean]
  })
  return Object.fromEntries(values) as Drawn<P>
}

interface Kind {
  readonly name: string
  readonly apply: (image: Image, seed: number) => Image
}

function kind<P extends Parameters>(degradation: Degradation<P>): Kind {
  const drawn = middle(degradation.parameters)
  return {
    name: degradation.name,
    apply: (image, seed) => degradation.apply(image, drawn, counterRandom(seed)),
  }
}

const kinds = [
  kind(jpeg),
  kind(jpegBlocks),
  kind(rain),
  kind(snow),
  kind(raindrops),
  kind(haze),
  kind(lowLight),
  kind(shadow),
  kind(holes),
  kind(wild),
]

function digest({ data }: Image): string {
  return createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex')
    .slice(0, 12)
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Digest of each kind's result for seed 1. */
const digests: Readonly<Record<string, string>> = {
  haze: 'ba8b6742cd94',
  holes: 'c88bfbfd06d2',
  jpeg: 'fed6a178780d',
  'jpeg-blocks': '45b840b69bfa',
  'low-light': '224074deee70',
  rain: '2a549172b5fe',
  raindrops: '9d79defba0cb',
  shadow: 'e8fcc70b8a56',
  wild: '4e5e10f4adbf',
  snow: '65abed13c7a4',
}

describe.each(kinds)('$name', ({ name, apply }) => {
  test('is bit-identical to its golden digest, and differs for another seed', () => {
    const image = scene(53, 41, 3)
    const before = digest(image)
    expect(digest(apply(image, 1))).toBe(digests[name])
    expect(digest(apply(image, 1))).toBe(digest(apply(image, 1)))
    if (name !== 'jpeg') expect(digest(apply(image, 2))).not.toBe(digest(apply(image, 1)))
    expect(digest(image)).toBe(before)
  })

  test.each([
    [1, 1],
    [7, 5],
    [1, 40],
    [96, 64],
  ])('keeps the size of %i x %i, in color and gray, with finite values', (width, height) => {
    for (const channels of [1, 3]) {
      const out = apply(scene(width, height, channels), 3)
      expect([out.width, out.height, out.channels, out.data.length]).toEqual([
        width,
        height,
        channels,
        channels * width * height,
      ])
      expect(out.data.every((value) => value >= 0 && value <= 1)).toBe(true)
    }
  })
})

const image = scene(128, 96, 3)
const apply = <P extends Parameters>(degradation: Degradation<P>, settings: Partial<Drawn<P>>, seed = 1) =>
  degradation.apply(image, { ...middle(degradation.parameters), ...settings }, counterRandom(seed)).data

test('rain brightens with its amount, and an amount of 0 changes nothing', () => {
  const before = mean(image.data)
  const light = apply(rain, { amount: 20, veil: 0.1 })
  const heavy = apply(rain, { amount: 120, veil: 0.3 })
  expect(mean(light)).toBeGreaterThan(before + 0.002)
  expect(mean(heavy)).toBeGreaterThan(mean(light) + 0.03)
  expect(apply(rain, { amount: 0, veil: 0 })).toEqual(image.data)
})

test('rain follows its angle: the image varies less along the streaks than across', () => {
  const streaks = apply(rain, { amount: 60, veil: 0, angle: 45 }).map((value, i) => value - image.data[i]!)
  const change = (step: number) => {
    let sum = 0
    for (let i = 0; i < 96 * 128 - 129; i++)
      sum += Math.abs(streaks[i + 1 + (step > 0 ? 128 : 0)]! - streaks[i + (step > 0 ? 0 : 128)]!)
    return sum
  }
  expect(change(1)).toBeLessThan(0.6 * change(-1))
})

test('additive rain adds the same amount regardless of brightness, up to clipping', () => {
  const flat = (value: number): Image => ({ ...image, data: image.data.map(() => value) })
  const drawn = { ...middle(rain.parameters), veil: 0, blend: 'additive', opacity: 0.4 } as const
  const [dark, brighter] = [0.1, 0.3].map((value) => rain.apply(flat(value), drawn, counterRandom(5)).data)
  dark!.forEach((value, i) => {
    if (brighter![i]! < 1) expect(brighter![i]! - value).toBeCloseTo(0.2, 6)
  })
})

test('snow brightens; haze blends towards its light and reduces contrast', () => {
  const deviation = (data: Float32Array) =>
    Math.sqrt(mean(data.map((value) => value * value)) - mean(data) ** 2)
  expect(mean(apply(snow, {}))).toBeGreaterThan(mean(image.data) + 0.02)
  const thin = apply(haze, { density: 0.6, light: 0.9 })
  const thick = apply(haze, { density: 2.5, light: 0.9 })
  expect(deviation(thin)).toBeLessThan(deviation(image.data))
  expect(deviation(thick)).toBeLessThan(0.8 * deviation(thin))
  expect(mean(thick)).toBeGreaterThan(mean(thin))
  expect(apply(haze, { density: 0 })).toEqual(image.data)
})

test('low light has the given exposure and noise variance', () => {
  const flat: Image = { ...image, data: image.data.map(() => 0.5) }
  const settings = { ...middle(lowLight.parameters), gamma: 1, warmth: 0, stops: 1 }
  const clean = lowLight.apply(flat, { ...settings, shot: 0, read: 0 }, counterRandom(1)).data
  // sRGB value of half the linear light of sRGB 0.5.
  expect(mean(clean)).toBeCloseTo(0.3612, 3)
  const gray: Image = { ...flat, channels: 1, data: flat.data.slice(0, 128 * 96) }
  const noisy = lowLight.apply(gray, { ...settings, shot: 0.002, read: 2.55 }, counterRandom(1)).data
  const linear = noisy.map((value) => ((value + 0.055) / 1.055) ** 2.4)
  const variance = mean(linear.map((value) => value * value)) - mean(linear) ** 2
  expect(variance / (0.002 * 0.107 + 0.01 ** 2)).toBeGreaterThan(0.9)
  expect(variance / (0.002 * 0.107 + 0.01 ** 2)).toBeLessThan(1.1)
})

test('warmth adds red and removes blue', () => {
  const planes = apply(lowLight, { warmth: 1, shot: 0, read: 0 })
  const cold = apply(lowLight, { warmth: -1, shot: 0, read: 0 })
  const pixels = 128 * 96
  expect(mean(planes.subarray(0, pixels))).toBeGreaterThan(mean(cold.subarray(0, pixels)))
  expect(mean(planes.subarray(2 * pixels))).toBeLessThan(mean(cold.subarray(2 * pixels)))
})

test.each(['edge', 'patch', 'foliage'] as const)(
  'a %s shadow darkens a part and brightens nothing',
  (shape) => {
    const shaded = apply(shadow, { shape, blue: 0, strength: 0.7, softness: 2 })
    const changes = shaded.map((value, i) => value - image.data[i]!)
    expect(Math.max(...changes)).toBeLessThan(1e-4)
    const touched = changes.filter((change) => change < -0.05).length / changes.length
    expect(touched).toBeGreaterThan(0.03)
    expect(touched).toBeLessThan(0.9)
  },
)

test('raindrops change only part of the pixels', () => {
  const untouched = apply(raindrops, { amount: 3 }).filter((value, i) => value === image.data[i]).length
  expect(untouched / image.data.length).toBeGreaterThan(0.4)
  expect(untouched / image.data.length).toBeLessThan(0.99)
})
