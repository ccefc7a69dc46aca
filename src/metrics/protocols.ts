// Evaluation protocols of published tables: degradation of the ground truth, metrics, cropping and rounding.

import { RestoreError } from '../core/errors.ts'
import { counterRandom, type Random } from '../core/random.ts'
import { nearestName } from '../core/unknownName.ts'
import { crop, type Image } from '../data/image.ts'
import type { Degrade } from '../degrade/defineDegradation.ts'
import { addGaussianNoise, clamp01, publishedGaussianNoise } from '../degrade/noise.ts'
import { anisotropicGaussian, covarianceOf, isotropicGaussian } from '../degrade/numerics/kernels.ts'
import { imresize } from '../degrade/resize.ts'
import { srmdImage } from '../degrade/srmd.ts'
import type { NetworkMetricName, Sample, Unreadable } from './evaluate.ts'
import type { MetricName } from './metrics.ts'

/** An evaluation as published: test sets, inputs, metrics and conventions. */
export interface Protocol {
  /** The published table that this reproduces. */
  readonly mirrors: string
  readonly sets: readonly string[]
  /** Channels to decode the sets to; 1 for gray. */
  readonly channels: 1 | 3
  /** Output side over input side; the ground truth is cropped at the bottom and right to multiples of it. */
  readonly scale: number
  /**
   * Degradations that make the input from the ground truth, one per table column; empty if the sets are
   * pairs.
   */
  readonly inputs: Readonly<Record<string, Degrade>>
  readonly metrics: readonly (MetricName | NetworkMetricName)[]
  readonly cropPx: number
  /** Depth at which the metrics compare the output: as saved in 8 bits, or in float. */
  readonly output: 'uint8' | 'float'
  /** Why values cannot match the published ones exactly. */
  readonly caveat?: string
}

const pairs = { inputs: {}, scale: 1, channels: 3 } as const
const namedInputs = (entries: readonly (readonly [name: string, degrade: Degrade])[]) =>
  Object.fromEntries(entries)

/** Noise from NumPy's legacy generator, seed 0 for every image; neither clipped nor rounded. */
const restormerNoise = namedInputs(
  [15, 25, 50].map((sigma) => [`sigma=${sigma}`, (image) => publishedGaussianNoise(image, sigma)]),
)

const restormerGaussian = {
  ...pairs,
  inputs: restormerNoise,
  metrics: ['psnr'],
  cropPx: 0,
  output: 'uint8',
} as const

/** Noise clipped to 0..255 but not rounded. */
const iptNoise =
  (sigma: number): Degrade =>
  (image, random) => {
    const noisy = addGaussianNoise(image, sigma, random)
    return { ...noisy, data: noisy.data.map(clamp01) }
  }

const iptSr = (scale: number): Protocol => ({
  mirrors: 'Chen et al. 2021 (IPT), Table 1',
  sets: ['Set5', 'Set14', 'B100', 'Urban100'],
  channels: 3,
  scale,
  inputs: { bicubic: (image) => imresize(image, 1 / scale, { rounding: 'uint8' }) },
  metrics: ['psnr-y-diff'],
  cropPx: scale,
  output: 'uint8',
})

const iptDenoise = (sigma: number): Protocol => ({
  mirrors: 'Chen et al. 2021 (IPT), Table 2',
  sets: ['CBSD68', 'Urban100'],
  channels: 3,
  scale: 1,
  inputs: { [`sigma=${sigma}`]: iptNoise(sigma) },
  metrics: ['psnr-y-diff'],
  cropPx: 0,
  output: 'uint8',
  caveat: 'the published noise depends on the authors’ file order: expect differences of 0.02 dB',
})

const kernelSizePx = 21

const dasr = (scale: number) =>
  ({ channels: 3, scale, metrics: ['psnr-y-diff', 'ssim-y-dasr'], cropPx: scale, output: 'uint8' }) as const

const dasrIso = (scale: number, widths: readonly number[]): Protocol => ({
  mirrors: 'Wang et al. 2021 (DASR), Table 2',
  sets: ['Set5', 'Set14', 'B100', 'Urban100'],
  ...dasr(scale),
  inputs: namedInputs(
    widths.map((width) => {
      const kernel = width > 0 ? isotropicGaussian(kernelSizePx, width) : undefined
      const options = { kernel, scale, downsampling: 'bicubic', noise: 0 } as const
      return [`width=${width}`, (image, random) => srmdImage(image, options, random)]
    }),
  ),
})

/**
 * Standard deviations along two axes in pixels and the direction of the first in degrees, from narrow to
 * wide.
 */
const anisotropicKernels = [
  [0.8, 0.8, 0],
  [1.2, 0.8, 45],
  [2.4, 1.2, 0],
  [2.4, 1.2, 90],
  [2.4, 1.2, 135],
  [3, 1.6, 45],
  [3.2, 2, 0],
  [3.6, 2.4, 90],
  [4, 2.8, 135],
] as const

const dasrAniso: Protocol = {
  mirrors: 'Wang et al. 2021 (DASR), Table 3',
  sets: ['Set14'],
  ...dasr(4),
  inputs: namedInputs(
    [0, 5, 10].flatMap((noise) =>
      anisotropicKernels.map(([sigma1, sigma2, degrees], i) => {
        const kernel = anisotropicGaussian(
          kernelSizePx,
          covarianceOf(sigma1, sigma2, (degrees * Math.PI) / 180),
        )
        const options = { kernel, scale: 4, downsampling: 'bicubic', noise } as const
        const degrade: Degrade = (image, random) => srmdImage(image, options, random)
        return [`kernel=${i + 1},noise=${noise}`, degrade] as const
      }),
    ),
  ),
  caveat:
    'the nine kernels are published only as a figure; these have similar widths, so compare only trends',
}

const irsde = {
  ...pairs,
  metrics: ['psnr', 'ssim', 'psnr-y-float', 'ssim-y-float', 'lpips', 'fid'],
  cropPx: 4,
  output: 'uint8',
} as const

/** Published evaluations by name. */
export const protocols = {
  'restormer-gaussian-color': {
    mirrors: 'Zamir et al. 2022 (Restormer), Table 5',
    sets: ['CBSD68', 'Kodak24', 'McMaster', 'Urban100'],
    ...restormerGaussian,
  },
  'restormer-gaussian-gray': {
    mirrors: 'Zamir et al. 2022 (Restormer), Table 4',
    sets: ['Set12', 'BSD68', 'Urban100'],
    ...restormerGaussian,
    channels: 1,
  },
  'restormer-derain': {
    mirrors: 'Zamir et al. 2022 (Restormer), Table 1',
    sets: ['Test100', 'Rain100H', 'Rain100L', 'Test2800', 'Test1200'],
    ...pairs,
    metrics: ['psnr-y', 'ssim-y'],
    cropPx: 0,
    output: 'uint8',
  },
  'restormer-motion': {
    mirrors: 'Zamir et al. 2022 (Restormer), Table 2, GoPro and HIDE',
    sets: ['GoPro', 'HIDE'],
    ...pairs,
    metrics: ['psnr', 'ssim-3d'],
    cropPx: 0,
    output: 'uint8',
  },
  'restormer-defocus': {
    mirrors: 'Zamir et al. 2022 (Restormer), Table 3',
    sets: ['DPDD indoor', 'DPDD outdoor'],
    ...pairs,
    metrics: ['psnr-float', 'ssim-uniform-float', 'mae', 'lpips'],
    cropPx: 0,
    output: 'float',
  },
  'restormer-sidd': {
    mirrors: 'Zamir et al. 2022 (Restormer), Table 6, SIDD',
    sets: ['SIDD validation blocks'],
    ...pairs,
    metrics: ['psnr-float', 'ssim-3d-float'],
    cropPx: 0,
    output: 'float',
  },
  'ipt-sr-x2': iptSr(2),
  'ipt-sr-x3': iptSr(3),
  'ipt-sr-x4': iptSr(4),
  'ipt-denoise-30': iptDenoise(30),
  'ipt-denoise-50': iptDenoise(50),
  'ipt-derain': {
    mirrors: 'Chen et al. 2021 (IPT), Table 3',
    sets: ['Rain100L'],
    ...pairs,
    metrics: ['psnr-y-diff', 'ssim-y'],
    cropPx: 0,
    output: 'uint8',
    caveat: 'the released code computes no SSIM; this is the usual one for deraining',
  },
  'dasr-iso-x2': dasrIso(2, [0, 0.6, 1.2, 1.8]),
  'dasr-iso-x3': dasrIso(3, [0, 0.8, 1.6, 2.4]),
  'dasr-iso-x4': dasrIso(4, [0, 1.2, 2.4, 3.6]),
  'dasr-aniso': dasrAniso,
  irsde: {
    mirrors: 'Luo et al. 2023 (IR-SDE), Tables 1 to 4',
    sets: ['Rain100H', 'Rain100L', 'GoPro'],
    ...irsde,
  },
  daclip: {
    mirrors: 'Luo et al. 2024 (DA-CLIP), Tables 2 and 3',
    sets: ['the ten tasks of daclip-uir', 'Rain100H', 'LOL', 'RESIDE-6k', 'GoPro'],
    ...irsde,
  },
} as const satisfies Readonly<Record<string, Protocol>>

/** Name of a published evaluation. */
export type ProtocolName = keyof typeof protocols

/**
 * Generates the samples of one table column: each ground truth is cropped to multiples of the scale and
 * degraded. Random streams derive from seed 0 and the image's index, so images are independent of each other.
 */
export async function* degradedSamples(
  truths: AsyncIterable<{ readonly name: string; readonly image: Image } | Unreadable>,
  degrade: Degrade,
  scale: number,
): AsyncGenerator<Sample | Unreadable> {
  const root: Random = counterRandom(0)
  let index = 0
  for await (const truth of truths) {
    const random = root.fork(index++)
    if ('error' in truth) {
      yield truth
      continue
    }
    const reference = cutToMultiple(truth.image, scale)
    yield { name: truth.name, input: degrade(reference, random), reference }
  }
}

/** Crops an image at the bottom and right so that its sides are multiples of the scale. */
export function cutToMultiple(image: Image, scale: number): Image {
  const height = image.height - (image.height % scale)
  const width = image.width - (image.width % scale)
  return height === image.height && width === image.width ? image : crop(image, 0, 0, height, width)
}

/**
 * Finds a protocol by name; a family name such as dasr-iso is resolved by the scale.
 * @throws RestoreError `usage`, listing the choices
 */
export function findProtocol(
  name: string,
  scale: number | undefined,
): { readonly name: ProtocolName; readonly protocol: Protocol } {
  const names = Object.keys(protocols) as ProtocolName[]
  const family = names.filter((known) => known.startsWith(`${name}-`))
  const ofScale = family.filter((known) => scale === undefined || protocols[known].scale === scale)
  const found = names.find((known) => known === name) ?? (ofScale.length === 1 ? ofScale[0] : undefined)
  if (found) return { name: found, protocol: protocols[found] }
  const choices = ofScale.length > 0 ? ofScale : family.length > 0 ? family : names
  throw new RestoreError(
    'usage',
    `protocol: expected one of ${choices.join(', ')}, got ${name}${nearestName(name, choices)}`,
  )
}
