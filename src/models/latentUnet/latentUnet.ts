// U-Net that compresses images to latents for Refusion (arXiv:2304.08291 §3.3). Besides the latent, the
// decoder takes the encoder's features of the degraded image.
// Checkpoint keys: Algolzw/image-restoration-sde@2598d73 latent-dehazing models/modules/UNet_arch.py.
// Images [b c h w], reflect-padded inside to a multiple of 2^levels; sides must be larger than their padding.

import { RestoreError } from '../../core/errors.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { downsample, LinearAttention, ResBlock, ResidualAttention, Upsample } from '../../nn/unetBlocks.ts'
import { defineNetwork, input, type Tap } from '../networkDescriptor.ts'
import { latentUnetFacts } from './cards.ts'

/** Options of the latent U-Net. */
export interface LatentUnetOptions {
  readonly channelsIn: number
  readonly channelsOut: number
  readonly width: number
  /** Channels after every level, in multiples of `width`. */
  readonly multipliers: readonly number[]
  readonly latentChannels: number
}

/** Default options of the latent U-Net. */
export const latentUnetDefaults: LatentUnetOptions = {
  channelsIn: 3,
  channelsOut: 3,
  width: 8,
  multipliers: [4, 8, 8, 16],
  latentChannels: 8,
}

type LevelAttention = ResidualAttention<LinearAttention> | ((x: Tensor) => Tensor)
type LatentLevel = readonly [ResBlock, ResBlock, LevelAttention, Conv2d | Upsample]

/** A latent [b latentChannels h/s w/s] and the encoder's features for the decoder, in the encoder's order. */
export interface Encoded {
  readonly latent: Tensor
  readonly hidden: readonly Tensor[]
}

function attend(attention: LevelAttention, x: Tensor): Tensor {
  return typeof attention === 'function' ? attention(x) : attention.forward(x)
}

/** Latent compressor; keys match the official code. */
export class LatentUnet {
  readonly options: LatentUnetOptions
  init_conv: Conv2d
  encoder: readonly LatentLevel[]
  decoder: readonly LatentLevel[]
  latent_conv: Conv2d
  post_latent_conv: Conv2d
  final_conv: Conv2d

  constructor(init: Init, options: LatentUnetOptions) {
    const { channelsIn, channelsOut, width, multipliers, latentChannels } = options
    const widths = [1, ...multipliers].map((multiplier) => multiplier * width)
    const deepest = widths.at(-1) ?? width
    const last = multipliers.length - 1
    const levels = widths.slice(0, -1).map((from, i) => ({ from, to: widths[i + 1] ?? from, i }))
    const block = (from: number, to: number) => new ResBlock(init, { channelsIn: from, channelsOut: to })
    const attention = (channels: number, i: number): LevelAttention =>
      i === last ? new ResidualAttention(init, channels, new LinearAttention(init, channels)) : (x) => x
    const conv = (from: number, to: number, kernel: number, bias = false) =>
      new Conv2d(init, from, to, { kernel, bias })
    this.options = options
    this.init_conv = conv(channelsIn, width, 3)
    this.encoder = levels.map(({ from, to, i }) => [
      block(from, from),
      block(from, from),
      attention(from, i),
      i < last ? downsample(init, from, to) : conv(from, to, 3),
    ])
    this.decoder = levels
      .toReversed()
      .map(({ from, to, i }) => [
        block(to + from, to),
        block(to + from, to),
        attention(to, i),
        i > 0 ? new Upsample(init, to, from) : conv(to, from, 3),
      ])
    this.latent_conv = conv(deepest, latentChannels, 1)
    this.post_latent_conv = conv(latentChannels, deepest, 1)
    this.final_conv = conv(width, channelsOut, 3, true)
  }

  /** Encodes [b channelsIn h w] to a latent and hidden features. */
  encode(image: Tensor, tap: Tap = () => {}): Encoded {
    let x = this.init_conv.forward(padTo(image, 2 ** this.options.multipliers.length, 'reflect'))
    tap('init_conv', x)
    const hidden = [x]
    for (const [i, [block1, block2, attention, resample]] of this.encoder.entries()) {
      x = block1.forward(x)
      tap(`encoder.${i}.0`, x)
      hidden.push(x)
      x = attend(attention, block2.forward(x))
      hidden.push(x)
      x = resample.forward(x)
    }
    const latent = this.latent_conv.forward(x)
    tap('latent_conv', latent)
    return { latent, hidden }
  }

  /** Decodes to [b channelsOut h w] of the padded size; `cropLike` crops it. */
  decode({ latent, hidden }: Encoded, tap: Tap = () => {}): Tensor {
    const expected = 2 * this.decoder.length + 1
    const [first, ...skips] = hidden
    if (!first || hidden.length !== expected) {
      throw new RestoreError(
        'usage',
        `latent U-Net: expected ${expected} hidden features of the encoder, got ${hidden.length}`,
      )
    }
    let x = this.post_latent_conv.forward(latent)
    tap('post_latent_conv', x)
    for (const [block1, block2, attention, resample] of this.decoder) {
      x = block1.forward(cat([x, skips.pop()!], 1))
      x = block2.forward(cat([x, skips.pop()!], 1))
      x = resample.forward(attend(attention, x))
    }
    return this.final_conv.forward(x.add(first))
  }

  /** Encodes and decodes: [b channelsIn h w] -> [b channelsOut h w]. */
  forward(image: Tensor, tap: Tap = () => {}): Tensor {
    return cropLike(this.decode(this.encode(image, tap), tap), image)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
export function latentUnetOptionsFromWeights(shapes: KeyShapes): LatentUnetOptions {
  const { size, count } = shapeReader('latent U-Net', shapes)
  const width = size('init_conv.weight', 0)
  const levels = Array.from({ length: count('encoder', '3.weight') }, (_, i) =>
    size(`encoder.${i}.3.weight`, 0),
  )
  return {
    channelsIn: size('init_conv.weight', 1),
    channelsOut: size('final_conv.weight', 0),
    width,
    multipliers: levels.map((channels) => channels / width),
    latentChannels: size('latent_conv.weight', 0),
  }
}

export const latentUnet = defineNetwork({
  facts: latentUnetFacts,
  defaults: latentUnetDefaults,
  optionsFromWeights: latentUnetOptionsFromWeights,
  create: (init, options) => new LatentUnet(init, options),
  inputs: { x: 'b channelsIn h w' },
  outputs: ['y'],
  forward: (network, inputs, { tap }) => ({ y: network.forward(input(inputs, 'x'), tap) }),
  parts: {
    encode: (network, inputs) => {
      const { latent, hidden } = network.encode(input(inputs, 'x'))
      return { latent, ...Object.fromEntries(hidden.map((tensor, i) => [`hidden${i}`, tensor])) }
    },
    decode: (network, inputs) => {
      const hidden = Array.from({ length: Object.keys(inputs).length - 1 }, (_, i) =>
        input(inputs, `hidden${i}`),
      )
      return { y: network.decode({ latent: input(inputs, 'latent'), hidden }) }
    },
  },
  size: ({ multipliers }) => ({ multipleOf: 1, minimum: 1, padToMultiple: 2 ** multipliers.length }),
  channels: ({ channelsIn, channelsOut }) => ({ input: channelsIn, output: channelsOut }),
  memory: () => ({ fixedBytes: 300e6, bytesPerPixel: 1000 }),
  // The padding allows for one more halving than the network has.
  role: ({ latentChannels, multipliers }) => ({
    kind: 'guides',
    guidance: { kind: 'latents', width: latentChannels, unitPx: 2 ** (multipliers.length - 1) },
  }),
})
