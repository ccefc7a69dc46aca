// How DASR is trained (arXiv:2104.00416 §3 and §4.1; SYSU-SAIL/DASR@51524af): an encoder that tells degradations apart by contrast,
// then both networks together.

import { RestoreError } from '../../core/errors.ts'
import { l1Loss } from '../../core/functional.ts'
import type { Random } from '../../core/random.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import type { Image } from '../../data/image.ts'
import { cutPatch, type Dihedral, drawPlace, scalePlace } from '../../data/patches.ts'
import {
  anisotropicGaussian,
  covarianceOf,
  isotropicGaussian,
  type Kernel,
} from '../../degrade/numerics/kernels.ts'
import { srmdImage } from '../../degrade/srmd.ts'
import { contrastiveLoss, Dasr, type DasrOptions } from '../../models/dasr.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import type { Draw } from '../loader/samples.ts'
import type { LossContext, Weights } from '../recipe/recipe.ts'
import { type ContrastViews, contrastStep, type MocoOptions } from './moco.ts'
import { localWaves } from './waves.ts'

type Range = readonly [low: number, high: number]

export interface BlindDegradation {
  readonly kernel: 'iso' | 'aniso'
  /** Deviation of the blur in pixels of the large image; of an anisotropic one along either axis. */
  readonly sigma: Range
  /** Deviation of the noise in 0..255. */
  readonly noise?: Range
  /** How many degradations the pictures of a batch share, for `sharedDasrLosses`; each has its own unless given, as in the paper. */
  readonly perBatch?: number
}

export type TwoViews = {
  /** First crop, degraded: what is restored and encoded as a query. */
  readonly input: Image
  readonly target: Image
  /** Second crop of the same picture under the same blur and strength of noise: what is encoded as its key. */
  readonly key: Image
  /** Equal for pictures of a batch that share their degradation. */
  readonly degradation: number
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

/** Two crops of a picture, in one orientation, that a single draw of blur and noise level degrades. */
export function twoViews(degradation: BlindDegradation): (draw: Draw) => TwoViews {
  return ({ views, data, phase, random, shared }) => {
    const pixels = views.target
    if (!pixels)
      throw new RestoreError('usage', `twoViews: expected a view target, got ${Object.keys(views)}`)
    const { scale, channels } = data.images
    const mode = random.integer(8) as Dihedral
    const { perBatch } = degradation
    const number = random.fork(2).integer(perBatch ?? 2 ** 31)
    const chance = perBatch === undefined ? random : shared.fork(number)
    const [kernel, noise] = [drawKernel(degradation, chance), between(chance, degradation.noise ?? [0, 0])]
    const view = (which: number) => {
      const size = { width: Math.floor(pixels.width / scale), height: Math.floor(pixels.height / scale) }
      const place = { ...drawPlace(size, phase.crop, random, { isUpright: true }), mode }
      const target = cutPatch(pixels, scalePlace(place, scale), channels)
      const options = { kernel, scale, downsampling: 'bicubic', noise } as const
      return { target, input: srmdImage(target, options, random.fork(which)) }
    }
    const { input, target } = view(0)
    return { input, target, key: view(1).input, degradation: number }
  }
}

export interface DasrConstants extends Readonly<Record<string, number>> {
  /** Steps at the beginning in which the encoder learns alone. */
  readonly encoderSteps: number
}

type DasrContext<C extends DasrConstants> = LossContext<Dasr, TwoViews, C>

/** The encoder's contrast and, once its own steps are over, L1 in 0..255, whose gradient reaches the encoder too. */
export function dasrLosses(context: DasrContext<DasrConstants>): Losses {
  const { input, key } = context.batch
  return lossesWith(context, { queries: input, keys: key })
}

export interface SharedConstants extends DasrConstants {
  /** What the key encoder keeps of its weights in a step. */
  readonly momentum: number
}

/**
 * The same for degradations that pictures of a batch share: the key of a picture is a view of another one, and the batch's keys of other
 * degradations are negatives too. Those of the queue alone are told from a batch's by its statistics.
 */
export function sharedDasrLosses(context: DasrContext<SharedConstants>): Losses {
  const { input, key, degradation } = context.batch
  const keys = rowsOf(key, keyOrder(degradation))
  const { momentum } = context.constants
  return lossesWith(context, { queries: input, keys, labels: degradation }, { momentum })
}

type Losses = Readonly<Record<string, Tensor>>

function lossesWith(
  { model, batch, step, constants }: DasrContext<DasrConstants>,
  views: ContrastViews,
  options?: MocoOptions,
): Losses {
  const { representation, logits } = contrastStep(model.E, views, options)
  const contrast = contrastiveLoss(logits)
  if (step < constants.encoderSteps) return { contrast }
  return { contrast, l1: l1Loss(model.restore(batch.input, representation), batch.target).mul(255) }
}

/** For each picture whose key is its own: the next with the same degradation, the first after the last. */
export function keyOrder(degradations: readonly number[]): readonly number[] {
  return degradations.map((degradation, i) => {
    const next = degradations.indexOf(degradation, i + 1)
    return next < 0 ? degradations.indexOf(degradation) : next
  })
}

function rowsOf(x: Tensor, order: readonly number[]): Tensor {
  const [first, ...rest] = order.map((i) => x.slice(0, i, i + 1))
  return first ? cat([first, ...rest], 0) : x
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
