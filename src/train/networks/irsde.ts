// Training of IR-SDE and Refusion (arXiv:2301.11699 §3.3 and §4; arXiv:2304.08291;
// Algolzw/image-restoration-sde@2598d73). The network predicts the noise in a state at a random time, or a
// scaled estimate of x0; validation samples with it.

import { float32Data } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { l1Loss } from '../../core/functional.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Image } from '../../data/image.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import { imresize } from '../../degrade/resize.ts'
import {
  cleanLoss,
  evaluate,
  initial,
  matchingLoss,
  reverseStep,
  type Sampler,
  type Sde,
  startStep,
} from '../../diffusion/irsde.ts'
import { drawsNoise } from '../../diffusion/samplers.ts'
import { LatentUnet, latentUnetOptionsFromWeights } from '../../models/latentUnet/latentUnet.ts'
import type { UnetInputs } from '../../models/unetInputs.ts'
import { deviceOf, noGrad, scope, toTorch } from '../../torch/backend.ts'
import { RandomGenerator } from '../../torch/rng.ts'
import type { LossContext } from '../recipe/recipe.ts'
import { cropViews, type Draw } from '../samples/samples.ts'
import { frozenNetworks } from './frozenNetworks.ts'

/** Predicts the noise in a state of the SDE, or the network's scaled output [b c h w]. */
export type Predict = (inputs: UnetInputs) => Tensor

/** Clean and degraded images. */
export interface SdePair {
  /** [b c h w]. */
  readonly clean: Tensor
  /** Undefined for the denoising SDE. */
  readonly degraded?: Tensor | undefined
}

type RandomSources = Pick<LossContext<object, Record<string, never>>, 'random' | 'generator'>

/**
 * Matching loss (eq. 14) at a time t in 1 … T drawn uniformly for each image. For networks with a scaled
 * output, the loss of x0 with p(t) proportional to t, because early states already show most of the clean
 * image.
 */
export function sdeLoss(
  sde: Sde,
  { clean, degraded }: SdePair,
  { random, generator }: RandomSources,
  predict: Predict,
): Tensor {
  const shape = clean.shape as readonly number[]
  const drawTime = () =>
    sde.dataSigma === undefined
      ? 1 + random.integer(sde.steps)
      : Math.max(1, Math.ceil(sde.steps * Math.sqrt(random.uniform())))
  const times = Array.from({ length: shape[0] ?? 0 }, drawTime)
  const networkTimes = Float32Array.from(times, (t) => sde.times[t]!)
  const time = toTorch(float32Data(networkTimes, [times.length]), generator.device)
  const inputs = { clean, degraded, noise: generator.randn(shape), times }
  const output = (state: Tensor) => predict({ state, degraded, time })
  return sde.dataSigma === undefined ? matchingLoss(sde, inputs, output).loss : cleanLoss(sde, inputs, output)
}

/** Options of {@link restoreBySampling}. */
export interface SamplingOptions {
  readonly sampler: Sampler
  /** Standard deviation of the input's noise in 0..255; selects the denoising SDE's first step. */
  readonly noise255?: number
}

/** Restores an image [b c h w] by sampling, with identical noise every time; for validation. */
export function restoreBySampling(
  sde: Sde,
  degraded: Tensor,
  { sampler, noise255 }: SamplingOptions,
  predict: Predict,
): Tensor {
  const device = deviceOf(degraded)
  const shape = degraded.shape as readonly number[]
  const generator = new RandomGenerator(0, device)
  const noiseIf = (isNeeded: boolean) => (isNeeded ? { noise: generator.randn(shape) } : {})
  const first = noise255 === undefined ? sde.steps : Math.max(1, startStep(sde, noise255 / 255))
  const start = initial(sde)
  let state = scope(() => evaluate(start, { degraded, ...noiseIf(start.noise !== undefined) }))
  for (let t = first; t >= 1; t--) {
    state = scope(() => {
      const time = toTorch(float32Data(Float32Array.of(sde.times[t]!), [1]), device)
      const condition = sde.kind === 'restoring' ? degraded : undefined
      const prediction = predict({ state, degraded: condition, time })
      const images = { state, prediction, degraded, ...noiseIf(drawsNoise(sampler)) }
      return evaluate(reverseStep(sde, t, sampler), images)
    })
  }
  return state
}

/** Samples without an input, for losses that add the noise themselves. */
export function targetOnly(): (draw: Draw) => { target: Image } {
  return (draw) => {
    const { target } = cropViews(draw)
    if (target) return { target }
    throw new RestoreError('usage', `targetOnly: expected a view target, got ${Object.keys(draw.views)}`)
  }
}

/**
 * Downscales as MATLAB's imresize does and upscales again by bicubic interpolation: IR-SDE's input for
 * super-resolution.
 * NOTE: the bicubic kernel has a = −0.5 here; the official code's torch interpolation has −0.75.
 */
export function lowResolution(scale: number): Degrade {
  return (image) => {
    const small = imresize(image, 1 / scale, { rounding: 'uint8' })
    return imresize(small, scale, { antialias: false })
  }
}

/**
 * Losses of Refusion's latent compression (§3.3): reconstruction of both images, each decoded with the
 * degraded image's hidden features, and the scale of the latents.
 */
export function latentLosses(
  model: LatentUnet,
  { clean, degraded }: Required<SdePair> & { readonly degraded: Tensor },
): { readonly degraded: Tensor; readonly clean: Tensor; readonly scale: Tensor } {
  const { latent, hidden } = model.encode(degraded)
  const cleanLatent = model.encode(clean).latent
  const decode = (encoded: Tensor) => model.decode({ latent: encoded, hidden })
  return {
    degraded: l1Loss(decode(latent), degraded),
    clean: l1Loss(decode(cleanLatent), clean),
    scale: scaleLoss(latent, degraded).mul(0.001),
  }
}

/** Distance of a latent's mean and deviation from the image's mean and half its deviation. */
function scaleLoss(latent: Tensor, image: Tensor): Tensor {
  const meanDistance = latent.mean().sub(image.mean()).abs()
  return meanDistance.add(deviation(latent).sub(deviation(image).mul(0.5)).abs())
}

function deviation(x: Tensor): Tensor {
  const centered = x.sub(x.mean())
  return centered.mul(centered).mean().sqrt()
}

const compressors = frozenNetworks({
  optionsFromWeights: latentUnetOptionsFromWeights,
  create: (init, options) => new LatentUnet(init, options),
})

/** Opens a trained latent compressor; call it in `network.start`. */
export const openCompressor = compressors.open

/** Encodes both images to latents [b c h/s w/s] with a trained compressor, without gradients. */
export function latentsOf(file: string, { clean, degraded }: Required<SdePair>): Required<SdePair> {
  return scope(() =>
    noGrad(() => {
      const compressor = compressors.get(file, deviceOf(clean))
      const latent = (image: Tensor) => compressor.encode(image).latent
      return { clean: latent(clean), degraded: degraded && latent(degraded) }
    }),
  )
}

/** Restores an image [b c h w] in latent space; its sides must be multiples of the compressor's factor. */
export function restoreInLatents(
  file: string,
  degraded: Tensor,
  restore: (latent: Tensor) => Tensor,
): Tensor {
  const compressor = compressors.get(file, deviceOf(degraded))
  const { latent, hidden } = compressor.encode(degraded)
  return compressor.decode({ latent: restore(latent), hidden })
}
