// Registry of pixel metrics. Each name stands for exactly one convention, so published values are comparable.

import { RestoreError } from '../core/errors.ts'
import type { Image } from '../data/image.ts'
import {
  channelLevels,
  checkCrop,
  checkPair,
  dasrLuma,
  differenceLuma,
  floatLuma,
  type Levels,
  type Luma,
  lumaOf,
  matlabLuma,
} from './levels.ts'
import { niqe } from './niqe.ts'
import { meanAbsoluteError, psnr } from './psnr.ts'
import { gaussianWindow, type SsimOptions, ssim, uniformWindow } from './ssim.ts'

/** Options of a metric. */
export interface MetricOptions {
  /** Border to exclude on every side, in pixels. */
  readonly cropPx: number
}

/** Description of a metric for tables and reports. */
export interface MetricFacts {
  /** What is compared and how; printed after the name. */
  readonly convention: string
  readonly needsReference: boolean
  readonly lowerIsBetter: boolean
}

/** A metric of an image or a pair of images. */
export interface Metric extends MetricFacts {
  /** Computes the value of two images [c h w] in [0, 1]; the reference may be omitted if none is needed. */
  compute(reference: Image | undefined, output: Image, options: MetricOptions): number
  /** Like `compute`, for images whose converted levels are shared between metrics. */
  measure(reference: CroppedImage | undefined, output: CroppedImage): number
}

/** A cropped image that caches its conversions to levels, so that metrics can share them. */
class CroppedImage {
  readonly image: Image
  readonly cropPx: number
  readonly #levels = new Map<Conversion, Levels>()

  constructor(image: Image, cropPx: number) {
    this.image = image
    this.cropPx = cropPx
  }

  levels(convert: Conversion): Levels {
    const known = this.#levels.get(convert)
    if (known) return known
    const levels = convert(this)
    this.#levels.set(convert, levels)
    return levels
  }
}

type Conversion = (image: CroppedImage) => Levels

const roundedLevels: Conversion = ({ image, cropPx }) => channelLevels(image, 'uint8', cropPx)
const clampedLevels: Conversion = ({ image, cropPx }) => channelLevels(image, 'float', cropPx)
const lumaConversion =
  (luma: Luma): Conversion =>
  (image) =>
    lumaOf(image.levels(roundedLevels), luma)
const matlabY = lumaConversion(matlabLuma)
const floatY = lumaConversion(floatLuma)
const differenceY = lumaConversion(differenceLuma)
const dasrY = lumaConversion(dasrLuma)

const valid: SsimOptions = { window: gaussianWindow, border: 'valid' }
const replicated: SsimOptions = { window: gaussianWindow, border: 'replicate' }
const volume: SsimOptions = { ...replicated, isVolume: true }

function defineMetric(facts: MetricFacts, measure: Metric['measure']): Metric {
  return {
    ...facts,
    measure,
    compute: (reference, output, { cropPx }) =>
      measure(reference && new CroppedImage(reference, cropPx), new CroppedImage(output, cropPx)),
  }
}

function pairMetric(
  convention: string,
  convert: Conversion,
  compare: (reference: Levels, output: Levels) => number,
  { lowerIsBetter = false } = {},
): Metric {
  return defineMetric({ convention, needsReference: true, lowerIsBetter }, (reference, output) => {
    if (!reference)
      throw new RestoreError('usage', `metrics: expected a reference for ${convention}, got none`)
    checkPair('metrics', reference.image, output.image, output.cropPx)
    return compare(reference.levels(convert), output.levels(convert))
  })
}

const ssimWith = (options: SsimOptions) => (reference: Levels, output: Levels) =>
  ssim(reference, output, options)

/** Metrics that need no network, by name, each with its convention. */
export const metrics = {
  psnr: pairMetric('dB, RGB rounded to 8 bits, channels pooled', roundedLevels, psnr),
  'psnr-float': pairMetric('dB, RGB clamped but not rounded, channels pooled', clampedLevels, psnr),
  'psnr-y': pairMetric('dB, Y of MATLAB’s rgb2ycbcr, rounded to 8 bits', matlabY, psnr),
  'psnr-y-float': pairMetric('dB, Y of BasicSR and IR-SDE: from the 8-bit image, not rounded', floatY, psnr),
  'psnr-y-diff': pairMetric(
    'dB, Y of IPT and DASR: weights 65.738, 129.057, 25.064 over 256, applied to the 8-bit images’ difference',
    differenceY,
    psnr,
  ),
  ssim: pairMetric(
    'RGB rounded to 8 bits, 11×11 Gaussian of 1.5 px, interior only, mean of channels',
    roundedLevels,
    ssimWith(valid),
  ),
  'ssim-y': pairMetric(
    'Y of MATLAB’s rgb2ycbcr rounded to 8 bits, 11×11 Gaussian of 1.5 px, interior only',
    matlabY,
    ssimWith(valid),
  ),
  'ssim-y-float': pairMetric(
    'Y of IR-SDE: from the 8-bit image, not rounded; 11×11 Gaussian of 1.5 px, interior only',
    floatY,
    ssimWith(valid),
  ),
  'ssim-y-basicsr': pairMetric(
    'Y of BasicSR: from the 8-bit image, not rounded; 11×11 Gaussian of 1.5 px, edges repeated',
    floatY,
    ssimWith(replicated),
  ),
  'ssim-y-dasr': pairMetric(
    'Y of DASR: weights 65.738, 129.057, 25.064 over 255, from the 8-bit image; 11×11 Gaussian of 1.5 px, interior only',
    dasrY,
    ssimWith(valid),
  ),
  'ssim-3d': pairMetric(
    'MATLAB’s ssim of an h×w×3 array: RGB rounded to 8 bits, 11×11×11 Gaussian of 1.5 px, edges repeated',
    roundedLevels,
    ssimWith(volume),
  ),
  'ssim-3d-float': pairMetric(
    'MATLAB’s ssim of an h×w×3 array: RGB clamped but not rounded, 11×11×11 Gaussian of 1.5 px, edges repeated',
    clampedLevels,
    ssimWith(volume),
  ),
  'ssim-gaussian-float': pairMetric(
    'scikit-image with gaussian_weights: RGB clamped but not rounded, 1.5 px, population covariance, mean of channels',
    clampedLevels,
    ssimWith(valid),
  ),
  'ssim-uniform-float': pairMetric(
    'scikit-image’s default: RGB clamped but not rounded, 7×7 equal weights, sample covariance, mean of channels',
    clampedLevels,
    ssimWith({ window: uniformWindow, border: 'valid' }),
  ),
  mae: pairMetric(
    'mean absolute difference in 0..1, RGB clamped but not rounded',
    clampedLevels,
    meanAbsoluteError,
    {
      lowerIsBetter: true,
    },
  ),
  niqe: defineMetric(
    {
      convention:
        'NIQE of BasicSR: Y of the 8-bit image, not rounded, 96×96 blocks, published pristine model',
      needsReference: false,
      lowerIsBetter: true,
    },
    (_, output) => {
      checkCrop('niqe', output.image, output.cropPx)
      return niqe(output.levels(floatY))
    },
  ),
} as const satisfies Readonly<Record<string, Metric>>

/** Name of a metric that needs no network. */
export type MetricName = keyof typeof metrics

/** Computes metric values of one pair, in the order of the names. */
export function measurePair(
  reference: Image | undefined,
  output: Image,
  names: readonly MetricName[],
  { cropPx }: MetricOptions,
): readonly number[] {
  const truth = reference && new CroppedImage(reference, cropPx)
  const measuredOutput = new CroppedImage(output, cropPx)
  return names.map((name) => metrics[name].measure(truth, measuredOutput))
}

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(metrics, name)
}
