// How IR-SDE and Refusion are trained (arXiv:2301.11699 §3.3 and §4; arXiv:2304.08291; Algolzw/image-restoration-sde@2598d73): the
// network guesses the noise in states of random times, or what is scaled of x0, and validation samples with it.

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
import { frozen } from './frozenNetworks.ts'

/** A network at a state of the SDE -> the noise in it, or its scaled output [b c h w]. */
export type Predict = (inputs: UnetInputs) => Tensor

export interface SdePair {
  /** [b c h w]. */
  readonly clean: Tensor
  /** None for the denoising SDE. */
  readonly degraded?: Tensor | undefined
}

type Chance = Pick<LossContext<object, Record<string, never>>, 'random' | 'generator'>

/**
 * The matching loss (eq. 14), at a time t of 1 … T drawn evenly for each image; or that of a scaled output, with p(t) growing with t:
 * what is to be restored is hidden at late times, and shows in the state at early ones.
 */
export function sdeLoss(
  sde: Sde,
  { clean, degraded }: SdePair,
  { random, generator }: Chance,
  predict: Predict,
): Tensor {
  const shape = clean.shape as readonly number[]
  const drawTime = () =>
    sde.dataSigma === undefined
      ? 1 + random.integer(sde.steps)
      : Math.max(1, Math.ceil(sde.steps * Math.sqrt(random.uniform())))
  const times = Array.from({ length: shape[0] ?? 0 }, drawTime)
  const told = Float32Array.from(times, (t) => sde.times[t] as number)
  const time = toTorch(float32Data(told, [times.length]), generator.device)
  const inputs = { clean, degraded, noise: generator.randn(shape), times }
  const output = (state: Tensor) => predict({ state, degraded, time })
  return sde.dataSigma === undefined ? matchingLoss(sde, inputs, output).loss : cleanLoss(sde, inputs, output)
}

export interface SampleChoices {
  readonly sampler: Sampler
  /** Of the noise in the input, 0..255: where the denoising SDE starts. */
  readonly noise255?: number
}

/** Samples from a degraded image [b c h w] on its device, with the same noise every time; for validation. */
export function restoreBySampling(
  sde: Sde,
  degraded: Tensor,
  { sampler, noise255 }: SampleChoices,
  predict: Predict,
): Tensor {
  const device = deviceOf(degraded)
  const shape = degraded.shape as readonly number[]
  const generator = new RandomGenerator(0, device)
  const draw = (isDrawn: boolean) => (isDrawn ? { noise: generator.randn(shape) } : {})
  const first = noise255 === undefined ? sde.steps : startStep(sde, noise255 / 255)
  const start = initial(sde)
  let state = scope(() => evaluate(start, { degraded, ...draw(start.noise !== undefined) }))
  for (let t = first; t >= 1; t--) {
    state = scope(() => {
      const time = toTorch(float32Data(Float32Array.of(sde.times[t] as number), [1]), device)
      const seen = sde.kind === 'restoring' ? degraded : undefined
      const prediction = predict({ state, degraded: seen, time })
      const images = { state, prediction, degraded, ...draw(drawsNoise(sampler)) }
      return evaluate(reverseStep(sde, t, sampler), images)
    })
  }
  return state
}

/** A sample without an input, where the training itself adds the noise. */
export function cleanOnly(): (draw: Draw) => { target: Image } {
  return (draw) => {
    const { target } = cropViews(draw)
    if (target) return { target }
    throw new RestoreError('usage', `cleanOnly: expected a view target, got ${Object.keys(draw.views)}`)
  }
}

/**
 * Shrunk as by MATLAB's imresize and enlarged again as by torch's bicubic interpolation: what IR-SDE starts from to enlarge.
 * NOTE: Keys' a is −0.5 here and −0.75 in torch.
 */
export function lowResolution(scale: number): Degrade {
  return (image) => {
    const small = imresize(image, 1 / scale, { rounding: 'uint8' })
    return imresize(small, scale, { antialias: false })
  }
}

/** Losses of Refusion's compression (§3.3): both images again through latents that use the degraded one's features, and their scale. */
export function latentLosses(
  model: LatentUnet,
  { clean, degraded }: Required<SdePair> & { readonly degraded: Tensor },
): { readonly degraded: Tensor; readonly clean: Tensor; readonly scale: Tensor } {
  const [ofDegraded, ofClean] = [model.encode(degraded), model.encode(clean)]
  const decode = (latent: Tensor) => model.decode({ latent, hidden: ofDegraded.hidden })
  return {
    degraded: l1Loss(decode(ofDegraded.latent), degraded),
    clean: l1Loss(decode(ofClean.latent), clean),
    scale: scaleLoss(ofDegraded.latent, degraded).mul(0.001),
  }
}

/** How far mean and deviation of a latent are from the image's mean and half its deviation. */
function scaleLoss(latent: Tensor, image: Tensor): Tensor {
  const means = latent.mean().sub(image.mean()).abs()
  return means.add(deviation(latent).sub(deviation(image).mul(0.5)).abs())
}

function deviation(x: Tensor): Tensor {
  const centerd = x.sub(x.mean())
  return centerd.mul(centerd).mean().sqrt()
}

const compressions = frozen({
  optionsFromWeights: latentUnetOptionsFromWeights,
  create: (init, options) => new LatentUnet(init, options),
})

/** Opens a trained compression; for `network.start`. */
export const openCompression = compressions.open

/** Latents of both images [b c h/s w/s] by a trained compression, which gets no gradients. */
export function latentsOf(file: string, { clean, degraded }: Required<SdePair>): Required<SdePair> {
  return scope(() =>
    noGrad(() => {
      const compression = compressions.get(file, deviceOf(clean))
      const latent = (image: Tensor) => compression.encode(image).latent
      return { clean: latent(clean), degraded: degraded && latent(degraded) }
    }),
  )
}

/** Restores an image [b c h w] by what `restore` makes of its latent; sides are multiples of the compression's. */
export function throughLatents(file: string, degraded: Tensor, restore: (latent: Tensor) => Tensor): Tensor {
  const compression = compressions.get(file, deviceOf(degraded))
  const { latent, hidden } = compression.encode(degraded)
  return compression.decode({ latent: restore(latent), hidden })
}
