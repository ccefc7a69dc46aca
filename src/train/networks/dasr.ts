// How DASR is trained (arXiv:2104.00416 §3 and §4.1; SYSU-SAIL/DASR@51524af): an encoder that tells degradations apart by contrast,
// then both networks together.

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
import { localWaves } from './dctFilters.ts'
import { contrastStep, followBatch } from './momentumContrast.ts'

type Range = readonly [low: number, high: number]

export interface BlindDegradation {
  readonly kernel: 'iso' | 'aniso'
  /** Deviation of the blur in pixels of the large image; of an anisotropic one along either axis. */
  readonly sigma: Range
  /** Deviation of the noise in 0..255. */
  readonly noise?: Range
}

export interface TwoViews extends Readonly<Record<string, Image>> {
  /** First crop, degraded: what is restored and encoded as a query. */
  readonly input: Image
  readonly target: Image
  /** Second crop of the same picture under the same blur and strength of noise: what is encoded as its key. */
  readonly key: Image
}

const kernelPx = 21

function between(random: Random, [low, high]: Range): number {
  return low + (high - low) * random.uniform()
}

function drawKernel({ kernel, sigma }: BlindDegradation, random: Random): Kernel {
  if (kernel === 'iso') return isotropicGaussian(kernelPx, between(random, sigma))
  const axes = [between(random, sigma), between(random, sigma)] as const
  return anisotropicGaussian(kernelPx, covarianceOf(...axes, Math.PI * random.uniform()))
}

type Pair = { readonly input: Image; readonly target: Image }

interface Blurred {
  readonly kernel: Kernel
  readonly noise: number
}

/** Crops of a picture in one orientation, clean and degraded, one after the other. */
function cropper({ views, data, phase, random }: Draw): (blurred: Blurred, number: number) => Pair {
  const pixels = views.target
  if (!pixels)
    throw new RestoreError('usage', `DASR's samples: expected a view target, got ${Object.keys(views)}`)
  const { scale, channels } = data.images
  const mode = random.integer(8) as Dihedral
  const size = { width: Math.floor(pixels.width / scale), height: Math.floor(pixels.height / scale) }
  return (blurred, number) => {
    const place = { ...drawPlace(size, phase.crop, random, { isUpright: true }), mode }
    const target = cutPatch(pixels, scalePlace(place, scale), channels)
    const options = { ...blurred, scale, downsampling: 'bicubic' } as const
    return { target, input: srmdImage(target, options, random.fork(number)) }
  }
}

/** Two crops of a picture, in one orientation, that a single draw of blur and noise level degrades. */
export function twoViews(degradation: BlindDegradation): (draw: Draw) => TwoViews {
  return (draw) => {
    const crop = cropper(draw)
    const { random } = draw
    const kernel = drawKernel(degradation, random)
    const blurred = { kernel, noise: between(random, degradation.noise ?? [0, 0]) }
    return { ...crop(blurred, 0), key: crop(blurred, 1).input }
  }
}

export type BlurredView = Pair & {
  /** Deviation of its isotropic blur in pixels of the large image. */
  readonly width: number
}

/** One crop of a picture under an isotropic blur of its own, whose width is told. */
export function oneView({ sigma }: Pick<BlindDegradation, 'sigma'>): (draw: Draw) => BlurredView {
  return (draw) => {
    const crop = cropper(draw)
    const width = between(draw.random, sigma)
    return { ...crop({ kernel: isotropicGaussian(kernelPx, width), noise: 0 }, 0), width }
  }
}

export interface DasrConstants extends Readonly<Record<string, number>> {
  /** Steps at the beginning in which the encoder learns alone. */
  readonly encoderSteps: number
}

type Losses = Readonly<Record<string, Tensor>>

/** The encoder's contrast and, once its own steps are over, L1 in 0..255, whose gradient reaches the encoder too. */
export function dasrLosses(context: LossContext<Dasr, TwoViews, DasrConstants>): Losses {
  const { input, key } = context.batch
  const { representation, logits } = contrastStep(context.model.E, { queries: input, keys: key })
  return withRestoration(context, contrastiveLoss(logits), representation)
}

/** The same with {@link rankedContrast} of known widths: no queue, no key encoder, and far fewer pictures than the paper's contrast needs. */
export function rankedDasrLosses(context: LossContext<Dasr, BlurredView, DasrConstants>): Losses {
  const { model, batch } = context
  const { encoder_q } = model.E
  const representation = encoder_q.forward(batch.input, () => {}, followBatch)
  // As `project` has it, of any length.
  const projected = runSteps(encoder_q.mlp, representation)
  return withRestoration(context, rankedContrast(projected, batch.width), representation)
}

function withRestoration(
  { model, batch, step, constants }: LossContext<Dasr, Pair, DasrConstants>,
  contrast: Tensor,
  representation: Tensor,
): Losses {
  if (step < constants.encoderSteps) return { contrast }
  return { contrast, l1: l1Loss(model.restore(batch.input, representation), batch.target).mul(255) }
}

/** That of the paper's official code. */
const rankedTemperature = 2

/**
 * Contrast for quantities (Rank-N-Contrast, Zha et al., arXiv:2210.01189, equation 1): for each pair of rows, all that are at least as far
 * in the quantity are negatives. Similarity is the negative distance.
 *
 * @param rows [n d]
 * @param values their quantity, n of them
 */
export function rankedContrast(rows: Tensor, values: readonly number[]): Tensor {
  const [n, d] = [rows.size(0), rows.size(1)]
  const apart = rows.reshape([n, 1, d]).sub(rows.reshape([1, n, d]))
  // A row's distance to itself has no gradient.
  const similarity = apart
    .mul(apart)
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
  const shares = similarity
    .reshape([n, 1, n])
    .add(constant(mask, [n, n, n]))
    .logSoftmax(2)
  return shares.mul(constant(pairs, [n, n, n])).sum([0, 1, 2])
}

/** A DASR whose encoder starts with waves: with few photos it learns no blur from weights by chance. */
export function dasrWithWaves(init: Init, options: DasrOptions): Dasr {
  const network = new Dasr(init, options)
  const [first] = network.E.encoder_q.E
  if (first instanceof Conv2d) first.weight = localWaves(init, first.weight)
  return network
}

/** Whether a tensor serves only the contrast: published files have neither queue nor key encoder. */
export function isForContrastAlone(key: string): boolean {
  return /^E\.(queue|queue_ptr|encoder_k\..*)$/.test(key)
}

/** Starts from a published file: what the contrast needs besides is made anew. */
export function withContrast(checkpoint: Weights, random: Weights): Weights {
  const made = [...random].filter(([key]) => isForContrastAlone(key))
  return new Map([...made, ...checkpoint])
}
