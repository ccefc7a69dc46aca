// NAFNet (arXiv:2204.04676) conditioned on time, which predicts noise in Refusion (arXiv:2304.08291 §3.2).
// Checkpoint keys: Algolzw/image-restoration-sde@2598d73 models/modules/DenoisingNAFNet_arch.py.
// Images [b c h w] of any size, zero-padded inside to a multiple of 2^levels.

import { RestoreError } from '../../core/errors.ts'
import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { denoisingSde, restoringSde } from '../../diffusion/irsde.ts'
import { Conv2d, convInParts } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { ChannelGainNorm, sinusoid } from '../../nn/unetBlocks.ts'
import { defineNetwork, type Tap } from '../networkDescriptor.ts'
import { type UnetInputs, unetInputs } from '../unetInputs.ts'
import { conditionalNafnetFacts } from './cards.ts'

/** Options of the conditional NAFNet. */
export interface ConditionalNafnetOptions {
  /** Channels of the image or latent. */
  readonly channels: number
  readonly width: number
  readonly encoderBlocks: readonly number[]
  readonly middleBlocks: number
  readonly decoderBlocks: readonly number[]
  /** Whether the network takes the degraded image besides the state; networks of the denoising SDE do not. */
  readonly isConditional: boolean
  /** Adds the first features before the last convolution, as the network for latents does. */
  readonly addsFirstFeatures: boolean
}

/** Default options of the conditional NAFNet. */
export const conditionalNafnetDefaults: ConditionalNafnetOptions = {
  channels: 3,
  width: 64,
  encoderBlocks: [1, 1, 1, 28],
  middleBlocks: 1,
  decoderBlocks: [1, 1, 1, 1],
  isConditional: true,
  addsFirstFeatures: false,
}

/** Multiplies the two halves of the features. */
function gate(x: Tensor): Tensor {
  const [a, b] = x.chunk(2, 1)
  return a.mul(b)
}

class NafBlock {
  beta: Tensor // [1 c 1 1]
  gamma: Tensor // [1 c 1 1]
  mlp: readonly [(x: Tensor) => Tensor, Linear]
  conv1: Conv2d
  conv2: Conv2d
  conv3: Conv2d
  sca: readonly [(x: Tensor) => Tensor, Conv2d]
  conv4: Conv2d
  conv5: Conv2d
  norm1: ChannelGainNorm
  norm2: ChannelGainNorm

  constructor(init: Init, c: number, timeFeatures: number) {
    const conv1x1 = (to: number) => new Conv2d(init, c, to, { kernel: 1, bias: true })
    this.beta = init.weight([1, c, 1, 1], { constant: 0 })
    this.gamma = init.weight([1, c, 1, 1], { constant: 0 })
    this.mlp = [gate, new Linear(init, timeFeatures / 2, 4 * c, { bias: true })]
    this.conv1 = conv1x1(2 * c)
    this.conv2 = new Conv2d(init, 2 * c, 2 * c, { kernel: 3, groups: 2 * c, bias: true })
    this.conv3 = conv1x1(c)
    this.sca = [(x) => x.mean([2, 3], { keepDim: true }), conv1x1(c)]
    this.conv4 = conv1x1(2 * c)
    this.conv5 = conv1x1(c)
    this.norm1 = new ChannelGainNorm(init, c)
    this.norm2 = new ChannelGainNorm(init, c)
  }

  /** [b c h w] and time [b features] -> [b c h w]. */
  forward(x: Tensor, time: Tensor): Tensor {
    const c = x.size(1)
    const [activate, project] = this.mlp
    const modulation = project.forward(activate(time)).reshape([-1, 4 * c, 1, 1])
    const [shift1, scale1, shift2, scale2] = modulation.chunk(4, 1)
    const mixed = scoped(x, () => {
      const y = modulate(x, this.norm1, scale1, shift1)
      const [a, b] = convInParts(y, 2, [this.conv1, this.conv2])
      const gated = a.mul(b)
      const [pool, weigh] = this.sca
      return this.conv3.forward(gated.mul(weigh.forward(pool(gated))))
    })
    const y = x.add(mixed.mul(this.beta))
    const fed = scoped(y, () => {
      const [a, b] = convInParts(modulate(y, this.norm2, scale2, shift2), 2, [this.conv4])
      return this.conv5.forward(a.mul(b))
    })
    return y.add(fed.mul(this.gamma))
  }
}

/** norm(x)·(scale + 1) + shift, with the gain of the norm folded into the scale. */
function modulate(x: Tensor, norm: ChannelGainNorm, scale: Tensor, shift: Tensor): Tensor {
  return norm.normalize(x).mul(scale.add(1).mul(norm.g)).add(shift)
}

/** Predicts the noise in x_t; keys match the official code. */
export class ConditionalNafnet {
  readonly options: ConditionalNafnetOptions
  time_mlp: readonly [(time: Tensor) => Tensor, Linear, (x: Tensor) => Tensor, Linear]
  intro: Conv2d
  ending: Conv2d
  encoders: readonly (readonly NafBlock[])[]
  decoders: readonly (readonly NafBlock[])[]
  middle_blks: readonly NafBlock[]
  ups: readonly (readonly [Conv2d])[]
  downs: readonly Conv2d[]

  constructor(init: Init, options: ConditionalNafnetOptions) {
    const { channels, width, encoderBlocks, decoderBlocks, isConditional } = options
    const timeFeatures = 4 * width
    const levels = encoderBlocks.length
    const blocks = (count: number, c: number) =>
      Array.from({ length: count }, () => new NafBlock(init, c, timeFeatures))
    this.options = options
    this.time_mlp = [
      (time) => sinusoid(time, width),
      new Linear(init, width, 2 * timeFeatures, { bias: true }),
      gate,
      new Linear(init, timeFeatures, timeFeatures, { bias: true }),
    ]
    this.intro = new Conv2d(init, isConditional ? 2 * channels : channels, width, { kernel: 3, bias: true })
    this.ending = new Conv2d(init, width, channels, { kernel: 3, bias: true })
    this.encoders = encoderBlocks.map((count, level) => blocks(count, width * 2 ** level))
    this.decoders = decoderBlocks.map((count, i) => blocks(count, width * 2 ** (levels - 1 - i)))
    this.middle_blks = blocks(options.middleBlocks, width * 2 ** levels)
    this.ups = decoderBlocks.map((_, i) => {
      const c = width * 2 ** (levels - i)
      return [new Conv2d(init, c, 2 * c, { kernel: 1, bias: false })]
    })
    this.downs = encoderBlocks.map((_, level) => {
      const c = width * 2 ** level
      return new Conv2d(init, c, 2 * c, { kernel: 2, bias: true, stride: 2, padding: 0 })
    })
  }

  /** Predicts the noise [b channels h w]. @throws RestoreError 'usage' for inputs of another variant */
  forward({ state, degraded, time }: UnetInputs, tap: Tap = () => {}): Tensor {
    const { isConditional, addsFirstFeatures, encoderBlocks } = this.options
    if (isConditional !== (degraded !== undefined)) {
      const [expected, got] = isConditional ? ['a degraded image', 'none'] : ['no degraded image', 'one']
      throw new RestoreError('usage', `NAFNet: expected ${expected} besides the state, got ${got}`)
    }
    const input = degraded ? cat([state.sub(degraded), degraded], 1) : state
    const [embed, first, activate, second] = this.time_mlp
    const timeEmbedding = second.forward(activate(first.forward(embed(time))))
    tap('time_mlp', timeEmbedding)
    const run = (name: string, list: readonly NafBlock[], x: Tensor) =>
      list.reduce((y, block, i) => {
        const out = block.forward(y, timeEmbedding)
        tap(`${name}.${i}`, out)
        return out
      }, x)

    const features = this.intro.forward(padTo(input, 2 ** encoderBlocks.length, 'constant'))
    tap('intro', features)
    const skips: Tensor[] = []
    let x = features
    for (const [level, blocks] of this.encoders.entries()) {
      x = run(`encoders.${level}`, blocks, x)
      skips.push(x)
      x = this.downs[level]!.forward(x)
      tap(`downs.${level}`, x)
    }
    x = run('middle_blks', this.middle_blks, x)
    for (const [i, blocks] of this.decoders.entries()) {
      const [widen] = this.ups[i] as readonly [Conv2d]
      const enlarged = widen.forward(x).pixelShuffle(2)
      tap(`ups.${i}`, enlarged)
      x = run(`decoders.${i}`, blocks, enlarged.add(skips.pop()!))
    }
    return cropLike(this.ending.forward(addsFirstFeatures ? x.add(features) : x), state)
  }
}

/** Derives the options from key shapes; more than 3 channels mean a network for latents. */
export function conditionalNafnetOptionsFromWeights(shapes: KeyShapes): ConditionalNafnetOptions {
  const { size, count } = shapeReader('NAFNet', shapes)
  const levels = count('downs', 'weight')
  const blocks = (stage: string) => Array.from({ length: levels }, (_, i) => count(`${stage}.${i}`, 'beta'))
  const channels = size('ending.weight', 0)
  return {
    channels,
    width: size('intro.weight', 0),
    encoderBlocks: blocks('encoders'),
    middleBlocks: count('middle_blks', 'beta'),
    decoderBlocks: blocks('decoders'),
    isConditional: size('intro.weight', 1) === 2 * channels,
    addsFirstFeatures: channels > 3,
  }
}

export const conditionalNafnet = defineNetwork({
  facts: conditionalNafnetFacts,
  defaults: conditionalNafnetDefaults,
  optionsFromWeights: conditionalNafnetOptionsFromWeights,
  create: (init, options) => new ConditionalNafnet(init, options),
  inputs: { state: 'b channels h w', degraded: 'b channels h w', time: 'b' },
  inputNames: ({ isConditional }) => ['state', ...(isConditional ? ['degraded'] : []), 'time'],
  outputs: ['prediction'],
  forward: (network, inputs, { tap }) => ({ prediction: network.forward(unetInputs(inputs), tap) }),
  parts: { predict: (network, inputs) => ({ prediction: network.forward(unetInputs(inputs)) }) },
  size: ({ encoderBlocks }) => ({ multipleOf: 1, minimum: 1, padToMultiple: 2 ** encoderBlocks.length }),
  channels: ({ channels }) => ({ input: channels, output: channels }),
  memory: () => ({ fixedBytes: 1.5e9, bytesPerPixel: 4000 }),
  role: ({ channels, isConditional }) => ({
    kind: 'samples',
    guide: channels > 3 ? { kind: 'latents', width: channels } : undefined,
    sampling: isConditional
      ? { sde: restoringSde, sampler: 'posterior' }
      : { sde: denoisingSde, sampler: 'ode' },
    isMaxSigmaEnough: true,
  }),
})
