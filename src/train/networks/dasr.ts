// Training of DASR (arXiv:2104.00416 §3 and §4.1; SYSU-SAIL/DASR@51524af): first the degradation encoder
// alone by contrastive learning, then both networks jointly.

import { RestoreError } from '../../core/errors.ts'
import { l1Loss } from '../../core/functional.ts'
import { constant } from '../../core/hostBackend.ts'
import type { Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Image } from '../../data/image.ts'
import { cutPatch, type Dihedral, drawPlace, scalePlace } from '../../data/patches.ts'
import {
  anisotropicGaussian,
  covarianceOf,
  isotropicGaussian,
  type Kernel,
} from '../../degrade/numerics/kernels.ts'
import { srmdImage } from '../../degrade/srmd.ts'
import { contrastiveLoss, Dasr, type DasrOptions } from '../../models/dasr/dasr.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { runSteps } from '../../nn/upsampler.ts'
import type { LossContext, Weights } from '../recipe/recipe.ts'
import type { Draw } from '../samples/samples.ts'
import { dctFilters } from './dctFilters.ts'
import { contrastStep, updateStatistics } from './momentumContrast.ts'

type Range = readonly [low: number, high: number]

/** Ranges of DASR’s degradation. */
export interface BlindDegradation {
  /** Isotropic or anisotropic Gaussian blur. */
  readonly kernel: 'iso' | 'aniso'
  /** Standard deviation of the blur in pixels of the target; drawn for each axis if anisotropic. */
  readonly sigma: Range
  /** Standard deviation of the noise, in 0..255. @default no noise */
  readonly noise?: Range
}

/** Two crops of an image with the same degradation. */
export interface TwoViews extends Readonly<Record<string, Image>> {
  /** First crop, degraded: input of the restoration, and query of the contrast. */
  readonly input: Image
  readonly target: Image
  /** Second crop of the same image with the same blur and noise level: key of the contrast. */
  readonly key: Image
}

const kernelPx = 21

function uniformIn([low, high]: Range, random: Random): number {
  return low + (high - low) * random.uniform()
}

function drawKernel({ kernel, sigma }: BlindDegradation, random: Random): Kernel {
  if (kernel === 'iso') return isotropicGaussian(kernelPx, uniformIn(sigma, random))
  const axes = [uniformIn(sigma, random), uniformIn(sigma, random)] as const
  return anisotropicGaussian(kernelPx, covarianceOf(...axes, Math.PI * random.uniform()))
}

type Pair = { readonly input: Image; readonly target: Image }

interface Degradation {
  readonly kernel: Kernel
  readonly noise: number
}

/**
 * Returns a function that draws a crop of an image and degrades it; all its crops have one orientation.
 * `number` selects the random stream of the noise.
 */
function cropper({ views, data, phase, random }: Draw): (degradation: Degradation, number: number) => Pair {
  const pixels = views.target
  if (!pixels)
    throw new RestoreError('usage', `DASR's samples: expected a view target, got ${Object.keys(views)}`)
  const { scale, channels } = data.images
  const mode = random.integer(8) as Dihedral
  const size = { width: Math.floor(pixels.width / scale), height: Math.floor(pixels.height / scale) }
  return (degradation, number) => {
    const place = { ...drawPlace(size, phase.crop, random, { isUpright: true }), mode }
    const target = cutPatch(pixels, scalePlace(place, scale), channels)
    const options = { ...degradation, scale, downsampling: 'bicubic' } as const
    return { target, input: srmdImage(target, options, random.fork(number)) }
  }
}

/** Samples of two crops of an image in one orientation, with the same blur and noise level. */
export function twoViews(degradation: BlindDegradation): (draw: Draw) => TwoViews {
  return (draw) => {
    const crop = cropper(draw)
    const { random } = draw
    const kernel = drawKernel(degradation, random)
    const drawn = { kernel, noise: uniformIn(degradation.noise ?? [0, 0], random) }
    return { ...crop(drawn, 0), key: crop(drawn, 1).input }
  }
}

/** A crop whose blur is known. */
export type BlurredView = Pair & {
  /** Standard deviation of the isotropic blur in pixels of the target. */
  readonly width: number
}

/** Samples of one crop of an image with a random isotropic blur, labeled with the width of the blur. */
export function blurredView({ sigma }: Pick<BlindDegradation, 'sigma'>): (draw: Draw) => BlurredView {
  return (draw) => {
    const crop = cropper(draw)
    const width = uniformIn(sigma, draw.random)
    return { ...crop({ kernel: isotropicGaussian(kernelPx, width), noise: 0 }, 0), width }
  }
}

/** Constants of {@link dasrLosses}. */
export interface DasrConstants extends Readonly<Record<string, number>> {
  /** Number of initial steps in which only the encoder is trained. */
  readonly encoderSteps: number
}

type NamedLosses = Readonly<Record<string, Tensor>>

/** Contrast of the encoder and, after `encoderSteps`, L1 in 0..255, whose gradient also reaches it. */
export function dasrLosses(context: LossContext<Dasr, TwoViews, DasrConstants>): NamedLosses {
  const { input, key } = context.batch
  const { representation, logits } = contrastStep(context.model.E, { queries: input, keys: key })
  return withRestoration(context, contrastiveLoss(logits), representation)
}

/**
 * Like {@link dasrLosses}, with `rankedContrast` on known blur widths: needs no queue, no key encoder,
 * and far fewer images than the paper's contrast.
 */
export function rankedDasrLosses(context: LossContext<Dasr, BlurredView, DasrConstants>): NamedLosses {
  const { model, batch } = context
  const { encoder_q } = model.E
  const representation = encoder_q.forward(batch.input, () => {}, updateStatistics)
  // Like `project`, but without normalization.
  const projected = runSteps(encoder_q.mlp, representation)
  return withRestoration(context, rankedContrast(projected, batch.width), representation)
}

function withRestoration(
  { model, batch, step, constants }: LossContext<Dasr, Pair, DasrConstants>,
  contrast: Tensor,
  representation: Tensor,
): NamedLosses {
  if (step < constants.encoderSteps) return { contrast }
  return { contrast, l1: l1Loss(model.restore(batch.input, representation), batch.target).mul(255) }
}

/** Temperature of the official code. */
const rankedTemperature = 2

/**
 * Rank-N-Contrast (Zha et al., arXiv:2210.01189, equation 1), a contrastive loss for continuous labels. For
 * each pair of rows, the negatives are all rows whose label is at least as far away. Similarity is the
 * negative distance.
 *
 * @param rows [n d]
 * @param values label of each row
 */
export function rankedContrast(rows: Tensor, values: readonly number[]): Tensor {
  const n = rows.size(0)
  const d = rows.size(1)
  const differences = rows.reshape([n, 1, d]).sub(rows.reshape([1, n, d]))
  // The small constant keeps the gradient of √0, a row's distance to itself, finite.
  const similarity = differences
    .mul(differences)
    .sum([2])
    .add(1e-12)
    .sqrt()
    .mul(-1 / rankedTemperature)
  const mask = new Float32Array(n * n * n)
  const pairs = new Float32Array(n * n * n)
  const gap = (i: number, j: number) => Math.abs(values[i]! - values[j]!)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < n; k++) {
        const at = (i * n + j) * n + k
        if (k === i || gap(i, k) < gap(i, j)) mask[at] = -1e9
        if (j === k && i !== j) pairs[at] = -1 / (n * (n - 1))
      }
    }
  }
  const logProbabilities = similarity
    .reshape([n, 1, n])
    .add(constant(mask, [n, n, n]))
    .logSoftmax(2)
  return logProbabilities.mul(constant(pairs, [n, n, n])).sum([0, 1, 2])
}

/** DASR whose encoder starts with DCT filters: with few photos, random weights do not learn blur. */
export function dasrWithDctFilters(init: Init, options: DasrOptions): Dasr {
  const network = new Dasr(init, options)
  const [first] = network.E.encoder_q.E
  if (first instanceof Conv2d) first.weight = dctFilters(init, first.weight)
  return network
}

/** Whether only contrastive training needs a tensor: published files have neither queue nor key encoder. */
export function isContrastOnly(key: string): boolean {
  return /^E\.(queue|queue_ptr|encoder_k\..*)$/.test(key)
}

/** Initial weights from a published file; the queue and the key encoder it lacks start random. */
export function withContrastWeights(checkpoint: Weights, random: Weights): Weights {
  const contrast = [...random].filter(([key]) => isContrastOnly(key))
  return new Map([...contrast, ...checkpoint])
}
