// Limpid's light network as a diffusion model: from a state of IR-SDE (arXiv:2301.11699) it predicts what
// separates the state from the clean image. It is conditioned on the time and, as in DA-CLIP
// (arXiv:2310.01018 §4.2), on the degradation: both scale and shift the norms of all blocks and the last
// features. As in DiT (arXiv:2212.09748 §3.2), these modulations start at zero, and so do the features of
// state − degraded image. Training thus starts from a light network that restores in one step.
// Images [b channels h w] in 0..1, reflect-padded inside to a multiple of 8.

import { RestoreError } from '../../core/errors.ts'
import { pixelUnshuffle } from '../../core/functional.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { sinusoid } from '../../nn/unetBlocks.ts'
import { Light, type LightOptions, lightDefaults, lightOptionsFromWeights, modulate } from '../light/light.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { type UnetInputs, unetInputs } from '../unetInputs.ts'
import { lightDiffusionFacts } from './cards.ts'

/** Options of LightDiffusion. */
export interface LightDiffusionOptions extends LightOptions {
  /** Width of DA-CLIP's embeddings. */
  readonly contextWidth: number
}

/** Default options of LightDiffusion. */
export const lightDiffusionDefaults: LightDiffusionOptions = { ...lightDefaults, contextWidth: 128 }

const multipleOf = 8

type Mlp = readonly [Linear, (x: Tensor) => Tensor, Linear]

function mlp(init: Init, channelsIn: number, features: number): Mlp {
  const linear = (from: number) => new Linear(init, from, features, { bias: true })
  return [linear(channelsIn), (x) => x.silu(), linear(features)]
}

function runMlp([first, activate, second]: Mlp, x: Tensor): Tensor {
  return second.forward(activate(first.forward(x)))
}

/** Predicts the scaled output of an SDE with `dataSigma`. */
export class LightDiffusion {
  trunk: Light
  /** Features of state − degraded image, added to those of the degraded image. */
  stateIntro: Conv2d
  time: Mlp
  context: Mlp
  /** Modulations of the blocks, in the order in which they run. */
  modulations: readonly Linear[]
  /** Modulation of the last features: little more than a scale and a shift removes haze or darkness. */
  lastModulation: Linear
  readonly options: LightDiffusionOptions

  constructor(init: Init, options: LightDiffusionOptions) {
    const { channels, width, contextWidth } = options
    const features = 2 * width
    const zeroInit: Init = { ...init, weight: (shape) => init.weight(shape, { constant: 0 }) }
    this.options = options
    this.trunk = new Light(init, options)
    this.stateIntro = new Conv2d(zeroInit, 4 * channels, width, { kernel: 3, bias: false })
    this.time = mlp(init, features, features)
    this.context = mlp(init, contextWidth, features)
    this.modulations = this.trunk.blocks().map((block) => {
      return new Linear(zeroInit, features, 4 * block.beta.size(1), { bias: true })
    })
    this.lastModulation = new Linear(zeroInit, features, 2 * width, { bias: true })
  }

  /**
   * Maps DA-CLIP's degradation embedding [b contextWidth] to the prompt [b 2·width] that is added to the time
   * embedding; called once per photo.
   * @throws RestoreError 'shape' for an embedding of another width
   */
  condition({ degradation }: { readonly degradation: Tensor }): Tensor {
    const { contextWidth } = this.options
    if (degradation.shape[1] === contextWidth) return runMlp(this.context, degradation)
    throw new RestoreError(
      'shape',
      `light diffusion: expected a degradation embedding [b ${contextWidth}], got [${degradation.shape.join(' ')}]; use the DA-CLIP that the weights were trained with`,
    )
  }

  /** Predicts the scaled output [b channels h w]. @throws RestoreError 'usage' without a degraded image */
  forward({ state, degraded, time }: UnetInputs, prompt: Tensor): Tensor {
    if (!degraded)
      throw new RestoreError(
        'usage',
        'light diffusion: expected a degraded image besides the state, got none',
      )
    const conditioning = runMlp(this.time, sinusoid(time, 2 * this.options.width))
      .add(prompt)
      .silu()
    const [image, difference] = [degraded, state.sub(degraded)].map((x) =>
      padTo(x, multipleOf, 'reflect'),
    ) as [Tensor, Tensor]
    const features = this.trunk.embed(image).add(this.stateIntro.forward(pixelUnshuffle(difference, 2)))
    const restored = this.trunk.body(
      features,
      this.modulations.map((linear) => perChannel(linear, conditioning).chunk(4, 1)),
    )
    const [scale, shift] = perChannel(this.lastModulation, conditioning).chunk(2, 1)
    return cropLike(this.trunk.residual(modulate(restored, scale, shift)), state)
  }
}

/** [b features] -> [b c 1 1]. */
function perChannel(linear: Linear, conditioning: Tensor): Tensor {
  return linear.forward(conditioning).reshape([-1, linear.weight.size(0), 1, 1])
}

/** Derives the options from the key shapes of a checkpoint. */
export function lightDiffusionOptionsFromWeights(shapes: KeyShapes): LightDiffusionOptions {
  const prefix = 'trunk.'
  const trunk = new Map(
    [...shapes].flatMap(([key, shape]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), shape] as const] : [],
    ),
  )
  const { size } = shapeReader('light diffusion', shapes)
  return { ...lightOptionsFromWeights(trunk), contextWidth: size('context.0.weight', 1) }
}

export const lightDiffusion = defineNetwork({
  facts: lightDiffusionFacts,
  defaults: lightDiffusionDefaults,
  optionsFromWeights: lightDiffusionOptionsFromWeights,
  create: (init, options) => new LightDiffusion(init, options),
  inputs: { state: 'b channels h w', degraded: 'b channels h w', time: 'b', degradation: 'b contextWidth' },
  outputs: ['prediction'],
  forward: (network, inputs) => ({
    prediction: network.forward(
      unetInputs(inputs),
      network.condition({ degradation: input(inputs, 'degradation') }),
    ),
  }),
  parts: {
    condition: (network, inputs) => ({
      prompt: network.condition({ degradation: input(inputs, 'degradation') }),
    }),
    predict: (network, inputs) => ({
      prediction: network.forward(unetInputs(inputs), input(inputs, 'prompt')),
    }),
  },
  size: () => ({ multipleOf: 1, minimum: 1, padToMultiple: 8 }),
  channels: ({ channels }) => ({ input: channels, output: channels }),
  // Measured peak of the process: 0.25, 0.34 and 0.83 GB for 256², 512² and 1024² pixels.
  memory: () => ({ fixedBytes: 200e6, bytesPerPixel: 700 }),
  role: ({ contextWidth }) => ({
    kind: 'samples',
    guide: { kind: 'embeddings', width: contextWidth },
    sampling: undefined,
    isMaxSigmaEnough: false,
  }),
})
