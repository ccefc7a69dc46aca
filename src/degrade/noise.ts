// Noise: Gaussian (as denoisers are trained and tested), Poisson, speckle, salt and pepper. Strengths in 0..255 units.

import { numpyRandom } from '../core/numpyRandom.ts'
import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { samplePoisson } from './numerics/poisson.ts'

/** Clamps to 0..1. */
export function clamp01(value: number): number {
  return Math.min(Math.max(value, 0), 1)
}

function withData(image: Image, change: (value: number, i: number) => number): Image {
  return { ...image, data: image.data.map(change) }
}

/** Adds N(0, (sigma / 255)²) to every value, without clipping. */
export function addGaussianNoise(image: Image, sigma: number, random: Random): Image {
  const normals = new Float32Array(image.data.length)
  random.fillNormal(normals)
  const deviation = sigma / 255
  return withData(image, (value, i) => value + deviation * normals[i]!)
}

/**
 * The noise that published denoising results are measured with: NumPy's legacy generator, seed 0 for each image, drawn by row, column,
 * channel; neither clipped nor rounded. Source: swz30/Restormer@df766d5 Denoising/test_gaussian_color_denoising.py.
 */
export function publishedGaussianNoise(image: Image, sigma: number): Image {
  const random = numpyRandom(0)
  const { channels } = image
  const pixels = image.data.length / channels
  const data = new Float32Array(image.data.length)
  const deviation = sigma / 255
  for (let i = 0; i < data.length; i++) {
    const at = (i % channels) * pixels + Math.floor(i / channels)
    data[at] = image.data[at]! + deviation * random.normal()
  }
  return { ...image, data }
}

/** A field of values for every channel, or the same for all. */
function fieldFor(
  { channels, data }: Image,
  color: 'color' | 'gray',
  values: (count: number) => Float32Array,
): Float32Array {
  if (color === 'color') return values(data.length)
  const plane = values(data.length / channels)
  return data.map((_, i) => plane[i % plane.length]!)
}

function normalsOf(random: Random): (count: number) => Float32Array {
  return (count) => {
    const values = new Float32Array(count)
    random.fillNormal(values)
    return values
  }
}

const sigma = {
  type: 'number',
  summary: 'standard deviation',
  unit: '0..255',
  minimum: 0,
  maximum: 255,
} as const

const color = {
  type: 'choice',
  summary: 'independent in every channel, or the same in all',
  choices: ['color', 'gray'],
  default: 'color',
} as const

const clip = {
  type: 'choice',
  summary: 'whether values are kept in 0..255',
  choices: ['off', 'on'],
  default: 'off',
} as const

export const noise = defineDegradation({
  name: 'noise',
  summary: 'Gaussian noise',
  source: 'swz30/Restormer@df766d5 (sigma 0..50, not clipped); Pretrained-IPT@675540e (30 and 50, clipped)',
  parameters: { sigma: { ...sigma, default: [0, 50] }, color, clip } as const satisfies Parameters,
  apply: (image, drawn, random) => {
    const field = fieldFor(image, drawn.color, normalsOf(random))
    const deviation = drawn.sigma / 255
    const add = (value: number, i: number) => value + deviation * field[i]!
    return withData(image, drawn.clip === 'on' ? (value, i) => clamp01(add(value, i)) : add)
  },
})

export const speckle = defineDegradation({
  name: 'speckle',
  summary: 'Gaussian noise in proportion to the brightness, as of radar and ultrasound',
  source: 'value · (1 + sigma / 255 · N(0, 1))',
  parameters: { sigma: { ...sigma, default: [0, 50] }, color, clip } as const satisfies Parameters,
  apply: (image, drawn, random) => {
    const field = fieldFor(image, drawn.color, normalsOf(random))
    const deviation = drawn.sigma / 255
    const scaled = (value: number, i: number) => value * (1 + deviation * field[i]!)
    return withData(image, drawn.clip === 'on' ? (value, i) => clamp01(scaled(value, i)) : scaled)
  },
})

function grayOf({ channels, data }: Image): Float32Array {
  const pixels = data.length / channels
  const shares = channels === 3 ? [0.299, 0.587, 0.114] : Array.from({ length: channels }, () => 1 / channels)
  const gray = new Float32Array(pixels)
  shares.forEach((share, c) => {
    for (let i = 0; i < pixels; i++) gray[i] = gray[i]! + share * data[c * pixels + i]!
  })
  return gray
}

export const poisson = defineDegradation({
  name: 'poisson',
  summary: 'shot noise: each value is a count of photons',
  source: 'Real-ESRGAN section 3.3; wild restoration of DA-CLIP (peak 256, scale 0.01..0.5)',
  parameters: {
    peak: {
      type: 'number',
      summary: 'photons that white stands for on average',
      unit: 'photons',
      minimum: 1,
      maximum: 1_000_000,
      default: 256,
    },
    scale: {
      type: 'number',
      summary: 'factor of the noise',
      unit: '',
      minimum: 0,
      maximum: 10,
      default: [0.05, 1],
    },
    color,
    clip,
  } as const satisfies Parameters,
  apply: (image, { peak, scale, color, clip }, random) => {
    const expected = color === 'color' ? image.data : grayOf(image)
    const errors = expected.map((value) => {
      const mean = clamp01(value)
      return scale * (samplePoisson(mean * peak, random) / peak - mean)
    })
    const add = (value: number, i: number) => value + errors[i % errors.length]!
    return withData(image, clip === 'on' ? (value, i) => clamp01(add(value, i)) : add)
  },
})

export const saltAndPepper = defineDegradation({
  name: 'salt-and-pepper',
  summary: 'pixels that are black or white',
  source: 'impulse noise of broken sensor elements and transmission',
  parameters: {
    amount: {
      type: 'number',
      summary: 'share of the values that are hit',
      unit: '0..1',
      minimum: 0,
      maximum: 1,
      default: [0, 0.1],
    },
    salt: {
      type: 'number',
      summary: 'share of white among them',
      unit: '0..1',
      minimum: 0,
      maximum: 1,
      default: 0.5,
    },
    color: { ...color, default: 'gray' },
  } as const satisfies Parameters,
  apply: (image, { amount, salt, color }, random) => {
    // 0.5 where a value stays.
    const hits = fieldFor(image, color, (count) =>
      new Float32Array(count).map(() => {
        const u = random.uniform()
        return u < amount * salt ? 1 : u < amount ? 0 : 0.5
      }),
    )
    return withData(image, (value, i) => (hits[i] === 0.5 ? value : hits[i]!))
  },
})
