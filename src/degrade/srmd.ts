// Low-resolution images as DASR is trained and tested on: blurred, downsampled, noisy, rounded to 8 bits.
// Source: SYSU-SAIL/DASR@51524af utils/util.py; Wang et al., CVPR 2021, section
// 4.1.

import { RestoreError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { type Image, roundHalfEven } from '../data/image.ts'
import { blurImage } from './blur.ts'
import { defineDegradation, type Parameters } from './defineDegradation.ts'
import { addGaussianNoise } from './noise.ts'
import { anisotropicGaussian, covarianceOf, isotropicGaussian, type Kernel } from './numerics/kernels.ts'
import type { Taps } from './numerics/taps.ts'
import { resample } from './resize.ts'

const downsamplings = ['bicubic', 's-fold'] as const
export type Downsampling = (typeof downsamplings)[number]

const { fround } = Math

function cubic32(x: number): number {
  const d = Math.abs(x)
  const square = fround(d * d)
  const cube = fround(fround(d * d) * d)
  if (d <= 1) return fround(fround(fround(1.5 * cube) - fround(2.5 * square)) + 1)
  if (d > 2) return 0
  return fround(fround(fround(fround(-0.5 * cube) + fround(2.5 * square)) - fround(4 * d)) + 2)
}

/**
 * Computes MATLAB's bicubic weights with two differences: borders repeat the edge, and taps with weight 0 in
 * the first output are dropped from all. Uses float32 like the official code, since rounding decides which
 * weights are 0.
 */
function officialTaps(inputSize: number, scale: number): Taps {
  const size = Math.trunc(inputSize * scale)
  if (!(size >= 1)) {
    throw new RestoreError(
      'usage',
      `bicubic: expected a result of at least 1 px, got ${inputSize} px times ${scale}`,
    )
  }
  const width = scale < 1 ? 4 / scale : 4
  const stretch = Math.min(fround(scale), 1)
  const all = Math.ceil(width) + 2
  const starts = new Int32Array(size)
  const rows = Array.from({ length: size }, (_, j) => {
    const center = fround(fround((j + 1) / fround(scale)) + fround(0.5 * (1 - 1 / scale)))
    const left = Math.floor(fround(center - fround(width / 2)))
    starts[j] = left - 1
    const weights = Array.from({ length: all }, (_, t) =>
      fround(stretch * cubic32(fround(fround(center - (left + t)) * stretch))),
    )
    const sum = fround(weights.reduce((total, weight) => total + weight, 0))
    return weights.map((weight) => fround(weight / sum))
  })
  const kept = rows[0]?.flatMap((weight, t) => (weight === 0 ? [] : [t])) ?? []
  const first = kept[0] ?? 0
  const last = kept.at(-1) ?? 0
  const count = last - first + 1
  const weights = new Float64Array(size * count)
  rows.forEach((row, j) => {
    for (const t of kept) weights[j * count + t - first] = row[t]!
  })
  return { inputSize, count, starts: starts.map((start) => start + first), weights, border: 'clamp' }
}

/** Resizes with DASR's bicubic: each side becomes floor(side · scale). */
export function dasrBicubic(image: Image, scale: number): Image {
  return resample(image, {
    rows: officialTaps(image.height, scale),
    columns: officialTaps(image.width, scale),
  })
}

/** Keeps the top left pixel of every `step` × `step` square. */
export function subsample({ channels, height, width, data }: Image, step: number): Image {
  const rows = Math.floor(height / step)
  const columns = Math.floor(width / step)
  const out = new Float32Array(channels * rows * columns)
  let at = 0
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) out[at++] = data[(c * height + y * step) * width + x * step]!
  return { channels, height: rows, width: columns, data: out }
}

export interface SrmdOptions {
  /** Blur kernel; undefined for no blur. */
  readonly kernel: Kernel | undefined
  readonly scale: number
  readonly downsampling: Downsampling
  /** Standard deviation of the noise in 0..255. */
  readonly noise: number
}

/** Blurs (mirrored at the edges), shrinks by `scale`, adds noise, rounds to multiples of 1/255 and clamps. */
export function srmdImage(
  image: Image,
  { kernel, scale, downsampling, noise }: SrmdOptions,
  random: Random,
): Image {
  const blurred = kernel ? blurImage(image, kernel) : image
  const downscaled = downsampling === 'bicubic' ? dasrBicubic(blurred, 1 / scale) : subsample(blurred, scale)
  const noisy = noise > 0 ? addGaussianNoise(downscaled, noise, random) : downscaled
  const data = noisy.data.map((value) => Math.min(Math.max(roundHalfEven(fround(255 * value)), 0), 255) / 255)
  return { ...noisy, data }
}

const sigmaParameter = { type: 'number', unit: 'px', minimum: 0, maximum: 20 } as const

const srmdParameters = {
  kernel: {
    type: 'choice',
    summary: 'isotropic or anisotropic Gaussian',
    choices: ['iso', 'aniso'],
    default: 'iso',
  },
  sigma: {
    ...sigmaParameter,
    summary:
      'standard deviation of the iso kernel, or of the aniso kernel along its axis; iso with 0 disables the blur',
    default: [0.2, 4],
  },
  sigma2: {
    ...sigmaParameter,
    summary: 'standard deviation of the aniso kernel across its axis',
    minimum: 0.05,
    default: [0.2, 4],
  },
  angle: {
    type: 'number',
    summary: 'axis direction of the aniso kernel, clockwise from the right',
    unit: 'degrees',
    minimum: -360,
    maximum: 360,
    default: [0, 180],
  },
  size: {
    type: 'number',
    summary: 'kernel side',
    unit: 'px',
    minimum: 1,
    maximum: 255,
    isWhole: true,
    default: 21,
  },
  scale: {
    type: 'number',
    summary: 'downscaling factor',
    unit: '',
    minimum: 1,
    maximum: 16,
    isWhole: true,
    default: 4,
  },
  downsampling: {
    type: 'choice',
    summary: 'bicubic, or every scale-th pixel',
    choices: downsamplings,
    default: 'bicubic',
  },
  noise: {
    type: 'number',
    summary: 'standard deviation of the noise on the small image',
    unit: '0..255',
    minimum: 0,
    maximum: 255,
    default: 0,
  },
} as const satisfies Parameters

/** DASR’s degradation for blind super-resolution: Gaussian blur, bicubic downscaling, noise, 8 bits. */
export const srmd = defineDegradation({
  name: 'srmd',
  summary: 'DASR’s degradation for blind super-resolution: Gaussian blur, bicubic downscaling, noise, 8 bits',
  source: 'SYSU-SAIL/DASR@51524af utils/util.py',
  parameters: srmdParameters,
  apply: (image, { kernel: shape, sigma, sigma2, angle, size, scale, downsampling, noise }, random) => {
    const make = () =>
      shape === 'iso'
        ? isotropicGaussian(size, sigma)
        : anisotropicGaussian(size, covarianceOf(sigma, sigma2, (angle * Math.PI) / 180))
    const kernel = shape === 'iso' && sigma === 0 ? undefined : make()
    return srmdImage(image, { kernel, scale, downsampling, noise }, random)
  },
})
