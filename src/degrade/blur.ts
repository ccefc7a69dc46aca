// Blur: correlates every channel with a kernel, as two 1-D passes if the kernel is separable, else by FFT.

import type { Random } from '../core/random.ts'
import type { Image } from '../data/image.ts'
import { type Drawn, defineDegradation, type Parameters } from './defineDegradation.ts'
import { correlator } from './numerics/fft.ts'
import {
  anisotropicGaussian,
  box,
  covarianceOf,
  disc,
  generalizedGaussian,
  isotropicGaussian,
  type Kernel,
  lineMotion,
  plateau,
  sincFilter,
  trajectoryMotion,
} from './numerics/kernels.ts'
import { type Border, borderIndex, type Taps } from './numerics/taps.ts'
import { resample } from './resize.ts'

/** Factors a separable kernel into a column and a row; undefined for others. */
function factorize({ size, weights }: Kernel): readonly [Float64Array, Float64Array] | undefined {
  let largest = 0
  weights.forEach((weight, i) => {
    if (Math.abs(weight) > Math.abs(weights[largest]!)) largest = i
  })
  const peak = weights[largest]!
  const y = Math.floor(largest / size)
  const x = largest % size
  const row = weights.slice(y * size, (y + 1) * size)
  const column = Float64Array.from({ length: size }, (_, i) => weights[i * size + x]! / peak)
  const isProduct = weights.every((weight, i) => {
    const product = column[Math.floor(i / size)]! * row[i % size]!
    return Math.abs(weight - product) <= 1e-12 * Math.abs(peak)
  })
  return isProduct ? [column, row] : undefined
}

/** Taps that apply the same weights around every sample. */
function slidingTaps(inputSize: number, weights: Float64Array, border: Border): Taps {
  const count = weights.length
  const repeated = new Float64Array(inputSize * count)
  for (let j = 0; j < inputSize; j++) repeated.set(weights, j * count)
  const starts = Int32Array.from({ length: inputSize }, (_, j) => j - (count >> 1))
  return { inputSize, count, starts, weights: repeated, border }
}

/** Where the output of a tile starts. */
interface Corner {
  readonly channel: number
  readonly top: number
  readonly left: number
}

function cornersOf({ channels, height, width }: Image, step: number): readonly Corner[] {
  const corners: Corner[] = []
  for (let channel = 0; channel < channels; channel++)
    for (let top = 0; top < height; top += step)
      for (let left = 0; left < width; left += step) corners.push({ channel, top, left })
  return corners
}

function correlateTiles(image: Image, { size, weights }: Kernel, border: Border): Image {
  const { width, height } = image
  const { tile, valid, pair, correlate } = correlator(size, weights)
  const indices = (length: number) =>
    Int32Array.from({ length: length + tile }, (_, i) => borderIndex(i - (size >> 1), length, border))
  const rows = indices(height)
  const columns = indices(width)
  const data = new Float32Array(image.data.length)

  const read = (values: Float64Array, { channel, top, left }: Corner) => {
    for (let y = 0; y < tile; y++) {
      const from = (channel * height + rows[top + y]!) * width
      for (let x = 0; x < tile; x++) values[y * tile + x] = image.data[from + columns[left + x]!]!
    }
  }
  const write = (values: Float64Array, { channel, top, left }: Corner) => {
    const count = Math.min(valid, width - left)
    for (let y = 0; y < Math.min(valid, height - top); y++)
      data.set(values.subarray(y * tile, y * tile + count), (channel * height + top + y) * width + left)
  }
  const corners = cornersOf(image, valid)
  for (let i = 0; i < corners.length; i += 2) {
    const both = corners.slice(i, i + 2)
    both.forEach((corner, k) => {
      read(pair[k]!, corner)
    })
    correlate()
    both.forEach((corner, k) => {
      write(pair[k]!, corner)
    })
  }
  return { ...image, data }
}

/** Correlates every channel with a kernel (not flipped); keeps the size. */
export function blurImage(image: Image, kernel: Kernel, border: Border = 'reflect'): Image {
  const factors = factorize(kernel)
  if (!factors) return correlateTiles(image, kernel, border)
  const [column, row] = factors
  return resample(image, {
    rows: slidingTaps(image.height, column, border),
    columns: slidingTaps(image.width, row, border),
  })
}

const kernelChoices = [
  'iso',
  'aniso',
  'generalized-iso',
  'generalized-aniso',
  'plateau-iso',
  'plateau-aniso',
  'sinc',
  'box',
  'disc',
  'line',
  'shake',
] as const

const blurParameters = {
  kernel: {
    type: 'choice',
    summary:
      'isotropic (iso) or anisotropic (aniso) Gaussians and plateaus, ringing (sinc), box, defocus (disc), motion (line, shake)',
    choices: kernelChoices,
    default: 'iso',
  },
  sigma: {
    type: 'number',
    summary: 'standard deviation of iso kernels, or of aniso kernels along their axis; 0 disables the blur',
    unit: 'px',
    minimum: 0,
    maximum: 50,
    default: [0.2, 4],
  },
  sigma2: {
    type: 'number',
    summary: 'standard deviation of aniso kernels across their axis',
    unit: 'px',
    minimum: 0.05,
    maximum: 50,
    default: [0.2, 4],
  },
  angle: {
    type: 'number',
    summary: 'axis direction of aniso and line kernels, clockwise from the right',
    unit: 'degrees',
    minimum: -360,
    maximum: 360,
    default: [0, 180],
  },
  beta: {
    type: 'number',
    summary: 'exponent of generalized and plateau kernels',
    unit: '',
    minimum: 0.1,
    maximum: 10,
    default: [0.5, 2],
  },
  cutoff: {
    type: 'number',
    summary: 'cutoff frequency of the sinc kernel',
    unit: 'radians per px',
    minimum: 0.05,
    maximum: Math.PI,
    default: [Math.PI / 3, Math.PI],
  },
  radius: {
    type: 'number',
    summary: 'radius of the disc',
    unit: 'px',
    minimum: 0.1,
    maximum: 100,
    default: [1, 6],
  },
  length: {
    type: 'number',
    summary: 'extent of line and shake motion',
    unit: 'px',
    minimum: 0.1,
    maximum: 100,
    default: [4, 20],
  },
  size: {
    type: 'number',
    summary: 'kernel side; disc, line and shake size themselves',
    unit: 'px',
    minimum: 1,
    maximum: 255,
    isWhole: true,
    default: 21,
  },
} as const satisfies Parameters

function makeKernel(drawn: Drawn<typeof blurParameters>, random: Random): Kernel {
  const { size, sigma, sigma2, beta, cutoff, radius, length } = drawn
  const angle = (drawn.angle * Math.PI) / 180
  const circular = () => covarianceOf(sigma, sigma, 0)
  const elliptic = () => covarianceOf(sigma, sigma2, angle)
  const make: Readonly<Record<(typeof kernelChoices)[number], () => Kernel>> = {
    iso: () => isotropicGaussian(size, sigma),
    aniso: () => anisotropicGaussian(size, elliptic()),
    'generalized-iso': () => generalizedGaussian(size, circular(), beta),
    'generalized-aniso': () => generalizedGaussian(size, elliptic(), beta),
    'plateau-iso': () => plateau(size, circular(), beta),
    'plateau-aniso': () => plateau(size, elliptic(), beta),
    sinc: () => sincFilter(size, cutoff),
    box: () => box(size),
    disc: () => disc(radius),
    line: () => lineMotion(length, angle),
    shake: () => trajectoryMotion(length, random),
  }
  return make[drawn.kernel]()
}

/** Blur with a kernel: lens, motion, ringing. */
export const blur = defineDegradation({
  name: 'blur',
  summary: 'blur with a kernel: lens, motion, ringing',
  source: 'DASR@51524af utils/util.py (iso, aniso); Real-ESRGAN section 3.1 (generalized, plateau, sinc)',
  parameters: blurParameters,
  apply: (image, drawn, random) =>
    drawn.kernel === 'iso' && drawn.sigma === 0 ? image : blurImage(image, makeKernel(drawn, random)),
})
