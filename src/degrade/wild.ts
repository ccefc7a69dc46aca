// The random degradation chain that wild-IR is trained on (Luo et al., arXiv:2404.09732;
// Algolzw/daclip-uir@c2cc141): blur, resizing, noise and JPEG in shuffled order and three stages. Its
// measured under-display PSFs are unpublished, so this file models them as the diffraction orders of a grid
// of display pixels. Kernels of unspecified size have the Gaussian's variance.

import { exp, sinCos } from '../core/exactMath.ts'
import type { Random } from '../core/random.ts'
import { type Image, in8Bits } from '../data/image.ts'
import { blurImage } from './blur.ts'
import { type Degrade, defineDegradation } from './defineDegradation.ts'
import { compressJpeg } from './jpeg.ts'
import { noise, poisson } from './noise.ts'
import { between } from './numerics/fields.ts'
import {
  anisotropicGaussian,
  box,
  covarianceOf,
  disc,
  generalizedGaussian,
  isotropicGaussian,
  type Kernel,
  lineMotion,
  normalize,
  plateau,
  sincFilter,
} from './numerics/kernels.ts'
import { resizeTo } from './resize.ts'

type Range = readonly [low: number, high: number]

interface BlurOptions {
  readonly probability: number
  /** Range of odd sizes, inclusive. */
  readonly size: Range
  readonly sigma: Range
  readonly sincProbability: number
}

const kernelShares = [
  ['iso', 0.35],
  ['aniso', 0.2],
  ['generalized-iso', 0.1],
  ['generalized-aniso', 0.03],
  ['plateau-iso', 0.1],
  ['plateau-aniso', 0.03],
  ['defocus', 0.1],
  ['box', 0.03],
  ['line', 0.03],
  ['psf', 0.03],
] as const

type KernelKind = (typeof kernelShares)[number][0]

function chance(probability: number, random: Random): boolean {
  return random.uniform() < probability
}

function drawKernelKind(random: Random): KernelKind {
  let remaining = random.uniform()
  for (const [kind, share] of kernelShares) {
    remaining -= share
    if (remaining < 0) return kind
  }
  return 'iso'
}

function drawKernel(kind: KernelKind, size: number, sigmas: Range, random: Random): Kernel {
  const sigma = between(random, ...sigmas)
  const sigma2 = between(random, ...sigmas)
  const angle = between(random, -Math.PI, Math.PI)
  const betaGaussian = between(random, 0.5, 2)
  const betaPlateau = between(random, 1, 1.5)
  const circular = covarianceOf(sigma, sigma, 0)
  const elliptic = covarianceOf(sigma, sigma2, angle)
  const make: Readonly<Record<KernelKind, () => Kernel>> = {
    iso: () => perturb(isotropicGaussian(size, sigma), random),
    aniso: () => perturb(anisotropicGaussian(size, elliptic), random),
    'generalized-iso': () => perturb(generalizedGaussian(size, circular, betaGaussian), random),
    'generalized-aniso': () => perturb(generalizedGaussian(size, elliptic, betaGaussian), random),
    'plateau-iso': () => perturb(plateau(size, circular, betaPlateau), random),
    'plateau-aniso': () => perturb(plateau(size, elliptic, betaPlateau), random),
    defocus: () => disc(2 * sigma),
    box: () => box(1 + 2 * Math.round((Math.sqrt(12 * sigma * sigma + 1) - 1) / 2)),
    line: () => lineMotion(Math.sqrt(12) * sigma, angle),
    psf: () => underDisplayPsf(random),
  }
  return make[kind]()
}

/** Multiplies each weight by 0.9..1.1 at random and renormalizes. */
function perturb({ size, weights }: Kernel, random: Random): Kernel {
  return normalize(
    size,
    weights.map((weight) => weight * between(random, 0.9, 1.1)),
  )
}

/**
 * Point spread of a camera under a display: a sharp core, weaker copies from diffraction at the pixel grid,
 * and a veil.
 */
export function underDisplayPsf(random: Random): Kernel {
  const size = 41
  const center = size >> 1
  const core = between(random, 0.5, 1)
  const step = between(random, 5, 9)
  const orders = between(random, 0.1, 0.35)
  const veil = between(random, 0.05, 0.2)
  const spot = (x: number, y: number, sigma: number) =>
    exp((-x * x - y * y) / (2 * sigma * sigma)) / (2 * Math.PI * sigma * sigma)
  const weights = Float64Array.from({ length: size * size }, (_, i) => {
    const x = (i % size) - center
    const y = Math.floor(i / size) - center
    let sum = (1 - orders - veil) * spot(x, y, core) + veil * spot(x, y, 8)
    // Only orders along the grid's axes; diagonal ones are too weak to see.
    for (const order of [-2, -1, 1, 2]) {
      const share = (orders / 4) * (order * order === 1 ? 0.8 : 0.2)
      // Diffraction angles depend on wavelength, which smears the copies.
      const smear = core * (1 + 0.6 * Math.abs(order))
      sum += share * 2 * (spot(x - order * step, y, smear) + spot(x, y - order * step, smear))
    }
    return sum
  })
  return normalize(size, weights)
}

/** Wiener deconvolution kernel conj(H) / (|H|² + ratio), truncated to 31 px around the origin [63 63]. */
export function wienerKernel({ size, weights }: Kernel, ratio: number): Kernel {
  const n = 64
  const roots = Array.from({ length: n }, (_, j) => sinCos((2 * Math.PI * j) / n))
  const sin = Float64Array.from(roots, ([value]) => value)
  const cos = Float64Array.from(roots, ([, value]) => value)
  // Direct DFTs along both axes, forward and back, since n is small.
  const re = new Float64Array(n * n)
  const im = new Float64Array(n * n)
  for (let i = 0; i < weights.length; i++) {
    const y = Math.floor(i / size) - (size >> 1)
    const x = (i % size) - (size >> 1)
    re[((y + n) % n) * n + ((x + n) % n)] = weights[i]!
  }
  for (const along of [1, n]) fourierLines(re, im, along, { sin, cos })
  for (let i = 0; i < re.length; i++) {
    const scale = 1 / ((re[i]! * re[i]! + im[i]! * im[i]! + ratio) * n * n)
    // conj(H) and the conjugation that turns the forward transform into the inverse cancel out.
    re[i] = re[i]! * scale
    im[i] = im[i]! * scale
  }
  for (const along of [1, n]) fourierLines(re, im, along, { sin, cos })
  const side = n - 1
  const out = new Float64Array(side * side)
  for (let i = 0; i < out.length; i++) {
    const y = Math.floor(i / side) - (side >> 1)
    const x = (i % side) - (side >> 1)
    out[i] = re[((y + n) % n) * n + ((x + n) % n)]!
  }
  return { size: side, weights: out }
}

interface Roots {
  readonly sin: Float64Array
  readonly cos: Float64Array
}

/** Discrete Fourier transforms along rows (`along` = 1) or columns (`along` = n) of [n n], in place. */
function fourierLines(re: Float64Array, im: Float64Array, along: number, { sin, cos }: Roots): void {
  const n = cos.length
  const across = along === 1 ? n : 1
  const lineRe = new Float64Array(n)
  const lineIm = new Float64Array(n)
  for (let line = 0; line < n; line++) {
    for (let k = 0; k < n; k++) {
      let sumRe = 0
      let sumIm = 0
      for (let j = 0; j < n; j++) {
        const at = line * across + j * along
        const c = cos[(j * k) % n]!
        const s = sin[(j * k) % n]!
        sumRe += re[at]! * c + im[at]! * s
        sumIm += im[at]! * c - re[at]! * s
      }
      lineRe[k] = sumRe
      lineIm[k] = sumIm
    }
    for (let k = 0; k < n; k++) {
      re[line * across + k * along] = lineRe[k]!
      im[line * across + k * along] = lineIm[k]!
    }
  }
}

/** Blurs with a random kernel or a sinc; if skipped, applies an under-display PSF with probability 0.2. */
function blurStep({ probability, size: [low, high], sigma, sincProbability }: BlurOptions): Degrade {
  return (image, random) => {
    if (!chance(probability, random)) {
      return chance(0.2, random) ? blurImage(image, underDisplayPsf(random)) : image
    }
    const size = low + 2 * random.integer((high - low) / 2 + 1)
    if (chance(sincProbability, random)) {
      return blurImage(
        image,
        sincFilter(size, between(random, size < 13 ? Math.PI / 3 : Math.PI / 5, Math.PI)),
      )
    }
    const kernel = drawKernel(drawKernelKind(random), size, sigma, random)
    const blurred = blurImage(image, kernel)
    return size < 8 && chance(0.1, random) ? deconvolve(blurred, kernel, random) : blurred
  }
}

/** Over-sharpens by deconvolution, which leaves ringing. */
function deconvolve(blurred: Image, kernel: Kernel, random: Random): Image {
  const sharp = blurImage(blurred, wienerKernel(kernel, 0.006))
  if (!chance(0.1, random)) return sharp
  const share = random.uniform()
  return { ...sharp, data: sharp.data.map((value, i) => share * value + (1 - share) * blurred.data[i]!) }
}

function noiseStep(probability: number): Degrade {
  return (image, random) => {
    if (!chance(probability, random)) return image
    const isGaussian = chance(0.6, random)
    const common = { color: chance(0.4, random) ? 'gray' : 'color', clip: 'on' } as const
    return isGaussian
      ? noise.apply(image, { ...common, sigma: between(random, 1, 5) }, random)
      : poisson.apply(image, { ...common, peak: 256, scale: between(random, 0.01, 0.5) }, random)
  }
}

function jpegStep(probability: number, [low, high]: Range): Degrade {
  return (image, random) =>
    chance(probability, random) ? compressJpeg(image, low + random.integer(high - low + 1), '4:2:0') : image
}

/** Resizes to a size computed from the current image. */
function resizeStep(sizeFor: (image: Image, random: Random) => { height: number; width: number }): Degrade {
  return (image, random) => {
    const size = sizeFor(image, random)
    const method = (['area', 'bicubic', 'linear'] as const)[random.integer(3)]!
    return resizeTo(image, size, { method, antialias: false })
  }
}

function applyShuffled(steps: readonly Degrade[]): Degrade {
  return (image, random) => {
    const remaining = [...steps]
    let current = image
    while (remaining.length > 0) {
      const [step] = remaining.splice(random.integer(remaining.length), 1)
      current = step!(current, random)
    }
    return current
  }
}

/** A random chain of blur, resizing, noise and JPEG, like that of photos from the web. */
export const wild = defineDegradation({
  name: 'wild',
  summary: 'a random chain of blur, resizing, noise and JPEG, like that of photos from the web',
  source: 'wild-IR, arXiv:2404.09732: random_degrade with its probabilities; under-display PSFs are modeled',
  parameters: {},
  apply(image, _drawn, random) {
    const { width, height } = image
    const isResized = chance(0.8, random)
    const first = [
      blurStep({ probability: 0.8, size: [5, 19], sigma: [0.2, 2.2], sincProbability: 0.1 }),
      noiseStep(0.4),
      jpegStep(0.4, [60, 95]),
    ]
    const resizeAway = resizeStep((current, source) => {
      const scale = 1 / between(source, 0.5, 1.4)
      const scaled = (side: number) => Math.max(Math.round(side * scale), 1)
      return { height: scaled(current.height), width: scaled(current.width) }
    })
    const second = [
      blurStep({ probability: 0.4, size: [5, 9], sigma: [0.2, 1.5], sincProbability: 0.1 }),
      noiseStep(0.2),
    ]
    const third = [
      blurStep({ probability: 0.8, size: [5, 19], sigma: [0.2, 1], sincProbability: 0.8 }),
      jpegStep(0.4, [80, 100]),
    ]
    const resizeBack = resizeStep(() => ({ height, width }))
    const stages = [
      isResized ? [...first, resizeAway] : first,
      second,
      isResized ? [...third, resizeBack] : third,
    ]
    return in8Bits(stages.reduce((current, steps) => applyShuffled(steps)(current, random), image))
  },
})
