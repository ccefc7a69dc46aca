// Noise: Gaussian (as denoisers are trained and tested), Poisson, speckle, salt and pepper. Sigmas are in
// 0..255.

import { numpyRandom } from '../core/numpyRandom.ts'
import type { Random } from '../core/random.ts'
import { grayWeights } from '../data/color.ts'
import type { Image } from '../data/image.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { samplePoisson } from './numerics/poisson.ts'

/** Clamps to 0..1. */
export function clamp01(value: number): number {
  return Math.min(Math.max(value, 0), 1)
}

function mapValues(image: Image, change: (value: number, i: number) => number): Image {
  return { ...image, data: image.data.map(change) }
}

/** Adds N(0, (sigma / 255)²) noise to every value, without clipping. */
export function addGaussianNoise(image: Image, sigma: number, random: Random): Image {
  const normals = new Float32Array(image.data.length)
  random.fillNormal(normals)
  const deviation = sigma / 255
  return mapValues(image, (value, i) => value + deviation * normals[i]!)
}

/**
 * Adds the noise used for published denoising results: NumPy's legacy generator with seed 0 for each image,
 * drawn by row, column, channel; neither clipped nor rounded. Source: swz30/Restormer@df766d5
 * Denoising/test_gaussian_color_denoising.py.
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

/** Draws values for every channel ('color'), or one plane shared by all channels ('gray'). */
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
  summary: 'whether noise is independent per channel (color) or shared by all (gray)',
  choices: ['color', 'gray'],
  default: 'color',
} as const

const clip = {
  type: 'choice',
  summary: 'whether to clip the result to 0..255',
  choices: ['off', 'on'],
  default: 'off',
} as const

/** Gaussian noise. */
export const noise = defineDegradation({
  name: 'noise',
  summary: 'Gaussian noise',
  source: 'swz30/Restormer@df766d5 (sigma 0..50, not clipped); Pretrained-IPT@675540e (30 and 50, clipped)',
  parameters: { sigma: { ...sigma, default: [0, 50] }, color, clip } as const satisfies Parameters,
  apply: (image, drawn, random) => {
    const field = fieldFor(image, drawn.color, normalsOf(random))
    const deviation = drawn.sigma / 255
    const isClipped = drawn.clip === 'on'
    // In the field's place: trainings spend their loading time here.
    for (let i = 0; i < field.length; i++) {
      const value = image.data[i]! + deviation * field[i]!
      field[i] = isClipped ? clamp01(value) : value
    }
    return { ...image, data: field }
  },
})

/** Gaussian noise proportional to brightness. */
export const speckle = defineDegradation({
  name: 'speckle',
  summary: 'Gaussian noise proportional to brightness, as in radar and ultrasound images',
  source: 'value · (1 + sigma / 255 · N(0, 1))',
  parameters: { sigma: { ...sigma, default: [0, 50] }, color, clip } as const satisfies Parameters,
  apply: (image, drawn, random) => {
    const field = fieldFor(image, drawn.color, normalsOf(random))
    const deviation = drawn.sigma / 255
    const scaled = (value: number, i: number) => value * (1 + deviation * field[i]!)
    return mapValues(image, drawn.clip === 'on' ? (value, i) => clamp01(scaled(value, i)) : scaled)
  },
})

function toGray({ channels, data }: Image): Float32Array {
  const pixels = data.length / channels
  const weights = channels === 3 ? grayWeights : Array.from({ length: channels }, () => 1 / channels)
  const gray = new Float32Array(pixels)
  weights.forEach((weight, c) => {
    for (let i = 0; i < pixels; i++) gray[i] = gray[i]! + weight * data[c * pixels + i]!
  })
  return gray
}

/** Shot noise: each value is a photon count. */
export const poisson = defineDegradation({
  name: 'poisson',
  summary: 'shot noise: each value is a photon count',
  source: 'Real-ESRGAN section 3.3; wild restoration of DA-CLIP (peak 256, scale 0.01..0.5)',
  parameters: {
    peak: {
      type: 'number',
      summary: 'mean photon count of white',
      unit: 'photons',
      minimum: 1,
      maximum: 1_000_000,
      default: 256,
    },
    scale: {
      type: 'number',
      summary: 'noise multiplier',
      unit: '',
      minimum: 0,
      maximum: 10,
      default: [0.05, 1],
    },
    color,
    clip,
  } as const satisfies Parameters,
  apply: (image, { peak, scale, color, clip }, random) => {
    const expected = color === 'color' ? image.data : toGray(image)
    const errors = expected.map((value) => {
      const mean = clamp01(value)
      return scale * (samplePoisson(mean * peak, random) / peak - mean)
    })
    const add = (value: number, i: number) => value + errors[i % errors.length]!
    return mapValues(image, clip === 'on' ? (value, i) => clamp01(add(value, i)) : add)
  },
})

/** Random black and white pixels. */
export const saltAndPepper = defineDegradation({
  name: 'salt-and-pepper',
  summary: 'random black and white pixels',
  source: 'impulse noise of broken sensor elements and transmission',
  parameters: {
    amount: {
      type: 'number',
      summary: 'share of values replaced',
      unit: '0..1',
      minimum: 0,
      maximum: 1,
      default: [0, 0.1],
    },
    salt: {
      type: 'number',
      summary: 'share of white among those',
      unit: '0..1',
      minimum: 0,
      maximum: 1,
      default: 0.5,
    },
    color: { ...color, default: 'gray' },
  } as const satisfies Parameters,
  apply: (image, { amount, salt, color }, random) => {
    // 0.5 marks unchanged values.
    const hits = fieldFor(image, color, (count) =>
      new Float32Array(count).map(() => {
        const u = random.uniform()
        return u < amount * salt ? 1 : u < amount ? 0 : 0.5
      }),
    )
    return mapValues(image, (value, i) => (hits[i] === 0.5 ? value : hits[i]!))
  },
})
