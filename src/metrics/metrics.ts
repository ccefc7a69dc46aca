// THE list of metrics that compare pixels: a name stands for one convention, so that every figure says what it is.

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

export interface MetricOptions {
  /** Border in pixels that is left out on every side. */
  readonly cropPx: number
}

/** What a figure is, wherever it is printed. */
export interface MetricFacts {
  /** What is compared and how, in a sentence that follows the name. */
  readonly convention: string
  readonly needsReference: boolean
  readonly lowerIsBetter: boolean
}

export interface Metric extends MetricFacts {
  /** Of two images [c h w] in [0, 1]; without a reference only where none is needed. */
  compute(reference: Image | undefined, output: Image, options: MetricOptions): number
  /** The same of images whose levels other metrics may have asked for. */
  measure(reference: Viewed | undefined, output: Viewed): number
}

/** An image without its border as metrics look at it; each look is computed once, however many metrics share it. */
class Viewed {
  readonly image: Image
  readonly cropPx: number
  readonly #levels = new Map<View, Levels>()

  constructor(image: Image, cropPx: number) {
    this.image = image
    this.cropPx = cropPx
  }

  as(view: View): Levels {
    const known = this.#levels.get(view)
    if (known) return known
    const levels = view(this)
    this.#levels.set(view, levels)
    return levels
  }
}

type View = (viewed: Viewed) => Levels

const rounded: View = ({ image, cropPx }) => channelLevels(image, 'uint8', cropPx)
const clamped: View = ({ image, cropPx }) => channelLevels(image, 'float', cropPx)
const brightness =
  (luma: Luma): View =>
  (viewed) =>
    lumaOf(viewed.as(rounded), luma)
const matlabY = brightness(matlabLuma)
const floatY = brightness(floatLuma)
const differenceY = brightness(differenceLuma)
const dasrY = brightness(dasrLuma)

const valid: SsimOptions = { window: gaussianWindow, border: 'valid' }
const replicated: SsimOptions = { window: gaussianWindow, border: 'replicate' }
const volume: SsimOptions = { ...replicated, isVolume: true }

function defineMetric(facts: MetricFacts, measure: Metric['measure']): Metric {
  return {
    ...facts,
    measure,
    compute: (reference, output, { cropPx }) =>
      measure(reference && new Viewed(reference, cropPx), new Viewed(output, cropPx)),
  }
}

function compared(
  convention: string,
  view: View,
  of: (reference: Levels, output: Levels) => number,
  { lowerIsBetter = false } = {},
): Metric {
  return defineMetric({ convention, needsReference: true, lowerIsBetter }, (reference, output) => {
    if (!reference) throw new RestoreError('usage', `metrics: expected a reference for ${convention}`)
    checkPair('metrics', reference.image, output.image, output.cropPx)
    return of(reference.as(view), output.as(view))
  })
}

const ssimWith = (options: SsimOptions) => (reference: Levels, output: Levels) =>
  ssim(reference, output, options)

export const metrics = {
  psnr: compared('dB, RGB rounded to 8 bits, channels pooled', rounded, psnr),
  'psnr-float': compared('dB, RGB clamped but not rounded, channels pooled', clamped, psnr),
  'psnr-y': compared('dB, Y of MATLAB’s rgb2ycbcr, rounded to 8 bits', matlabY, psnr),
  'psnr-y-float': compared('dB, Y of BasicSR and IR-SDE: of the 8-bit image, not rounded', floatY, psnr),
  'psnr-y-diff': compared(
    'dB, Y of IPT and DASR: 65.738, 129.057, 25.064 over 256 of the 8-bit images’ difference',
    differenceY,
    psnr,
  ),
  ssim: compared(
    'RGB rounded to 8 bits, 11×11 Gaussian of 1.5 px, inside only, mean of channels',
    rounded,
    ssimWith(valid),
  ),
  'ssim-y': compared(
    'Y of MATLAB’s rgb2ycbcr rounded to 8 bits, 11×11 Gaussian of 1.5 px, inside only',
    matlabY,
    ssimWith(valid),
  ),
  'ssim-y-float': compared(
    'Y of IR-SDE: of the 8-bit image, not rounded; 11×11 Gaussian of 1.5 px, inside only',
    floatY,
    ssimWith(valid),
  ),
  'ssim-y-basicsr': compared(
    'Y of BasicSR: of the 8-bit image, not rounded; 11×11 Gaussian of 1.5 px, edges repeated',
    floatY,
    ssimWith(replicated),
  ),
  'ssim-y-dasr': compared(
    'Y of DASR: 65.738, 129.057, 25.064 over 255 of the 8-bit image; 11×11 Gaussian of 1.5 px, inside only',
    dasrY,
    ssimWith(valid),
  ),
  'ssim-3d': compared(
    'MATLAB’s ssim of an h×w×3 array: RGB rounded to 8 bits, 11×11×11 Gaussian of 1.5 px, edges repeated',
    rounded,
    ssimWith(volume),
  ),
  'ssim-3d-float': compared(
    'MATLAB’s ssim of an h×w×3 array: RGB clamped but not rounded, 11×11×11 Gaussian of 1.5 px, edges repeated',
    clamped,
    ssimWith(volume),
  ),
  'ssim-gaussian-float': compared(
    'scikit-image with gaussian_weights: RGB clamped but not rounded, 1.5 px, population covariance, mean of channels',
    clamped,
    ssimWith(valid),
  ),
  'ssim-uniform-float': compared(
    'scikit-image’s default: RGB clamped but not rounded, 7×7 equal weights, sample covariance, mean of channels',
    clamped,
    ssimWith({ window: uniformWindow, border: 'valid' }),
  ),
  mae: compared('mean absolute difference in 0..1, RGB clamped but not rounded', clamped, meanAbsoluteError, {
    lowerIsBetter: true,
  }),
  niqe: defineMetric(
    {
      convention:
        'NIQE of BasicSR: Y of the 8-bit image, not rounded, blocks of 96×96, published pristine model',
      needsReference: false,
      lowerIsBetter: true,
    },
    (_, output) => {
      checkCrop('niqe', output.image, output.cropPx)
      return niqe(output.as(floatY))
    },
  ),
} as const satisfies Readonly<Record<string, Metric>>

export type MetricName = keyof typeof metrics

/** Figures of one pair, in the order of the names. */
export function measurePair(
  reference: Image | undefined,
  output: Image,
  names: readonly MetricName[],
  { cropPx }: MetricOptions,
): readonly number[] {
  const truth = reference && new Viewed(reference, cropPx)
  const seen = new Viewed(output, cropPx)
  return names.map((name) => metrics[name].measure(truth, seen))
}

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(metrics, name)
}
