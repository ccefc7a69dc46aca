// Limpid's light network in a diffusion: at a state of IR-SDE (arXiv:2301.11699) it tells what is missing to the clean image, and is told
// the time and, as in DA-CLIP (arXiv:2310.01018 §4.2), the degradation. Both scale and shift the norms of all blocks and the last features,
// from nothing on, as in DiT (arXiv:2212.09748 §3.2), and what sets the state apart from the degraded image adds to its features: a light
// network that restores at once, told nothing, is where training starts. Images [b channels h w] in 0..1 of any size: mirrored up to a
// multiple of 8 inside.

import { RestoreError } from '../../core/errors.ts'
import { pixelUnshuffle } from '../../core/functional.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { cropLike, padTo, sinusoid } from '../../nn/unetBlocks.ts'
import { Light, type LightOptions, lightDefaults, lightOptionsFromWeights, modulate } from '../light/light.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { type UnetInputs, unetInputs } from '../unetInputs.ts'
import { lightDiffusionFacts } from './cards.ts'

export interface LightDiffusionOptions extends LightOptions {
  /** Width of DA-CLIP's embeddings. */
  readonly contextWidth: number
}

export const lightDiffusionDefaults: LightDiffusionOptions = { ...lightDefaults, contextWidth: 128 }

const multipleOf = 8

type Mlp = readonly [Linear, (x: Tensor) => Tensor, Linear]

function mlp(init: Init, channelsIn: number, features: number): Mlp {
  const linear = (from: number) => new Linear(init, from, features, { bias: true })
  return [linear(channelsIn), (x) => x.silu(), linear(features)]
}

function through([first, activate, second]: Mlp, x: Tensor): Tensor {
  return second.forward(activate(first.forward(x)))
}

/** Predicts the scaled output of an SDE with `dataSigma`. */
export class LightDiffusion {
  trunk: Light
  /** What the state less the degraded image adds to that image's features. */
  stateIntro: Conv2d
  time: Mlp
  context: Mlp
  /** Of the blocks, in the order in which they run. */
  modulations: readonly Linear[]
  /** Of the last features: haze or darkness leaves a picture by little more than a scale and a shift. */
  lastModulation: Linear
  readonly options: LightDiffusionOptions

  constructor(init: Init, options: LightDiffusionOptions) {
    const { channels, width, contextWidth } = options
    const features = 2 * width
    const fromNothing: Init = { ...init, weight: (shape) => init.weight(shape, { constant: 0 }) }
    this.options = options
    this.trunk = new Light(init, options)
    this.stateIntro = new Conv2d(fromNothing, 4 * channels, width, { kernel: 3, bias: false })
    this.time = mlp(init, features, features)
    this.context = mlp(init, contextWidth, features)
    this.modulations = this.trunk.blocks().map((block) => {
      return new Linear(fromNothing, features, 4 * block.beta.size(1), { bias: true })
    })
    this.lastModulation = new Linear(fromNothing, features, 2 * width, { bias: true })
  }

  /** DA-CLIP's embedding of the degradation [b contextWidth] -> what is added to that of the time [b 2·width]: once for a photo. */
  condition({ degradation }: { readonly degradation: Tensor }): Tensor {
    const { contextWidth } = this.options
    if (degradation.shape[1] === contextWidth) return through(this.context, degradation)
    throw new RestoreError(
      'shape',
      `light diffusion: expected a degradation embedding [b ${contextWidth}], got [${degradation.shape.join(' ')}]; use the DA-CLIP that the weights were trained with`,
    )
  }

  /** -> the output [b channels h w]. */
  forward({ state, degraded, time }: UnetInputs, prompt: Tensor): Tensor {
    if (!degraded)
      throw new RestoreError('usage', 'light diffusion: expected a degraded image beside the state, got none')
    const told = through(this.time, sinusoid(time, 2 * this.options.width))
      .add(prompt)
      .silu()
    const [image, difference] = [degraded, state.sub(degraded)].map((x) =>
      padTo(x, multipleOf, 'reflect'),
    ) as [Tensor, Tensor]
    const features = this.trunk.enter(image).add(this.stateIntro.forward(pixelUnshuffle(difference, 2)))
    const restored = this.trunk.body(
      features,
      this.modulations.map((linear) => columns(linear, told).chunk(4, 1)),
    )
    const [scale, shift] = columns(this.lastModulation, told).chunk(2, 1)
    return cropLike(this.trunk.leave(modulate(restored, scale, shift)), state)
  }
}

/** [b features] -> [b c 1 1]. */
function columns(linear: Linear, told: Tensor): Tensor {
  return linear.forward(told).reshape([-1, linear.weight.size(0), 1, 1])
}

/** Options as the shapes of a checkpoint tell them. */
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
  // Peak of the process: 0.25, 0.34 and 0.83 GB for 256², 512² and 1024² pixels.
  memory: () => ({ fixedBytes: 200e6, bytesPerPixel: 700 }),
  role: ({ contextWidth }) => ({
    kind: 'samples',
    guide: { kind: 'embeddings', width: contextWidth },
    sampling: undefined,
    isMaxSigmaEnough: false,
  }),
})
