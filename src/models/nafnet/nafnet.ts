// NAFNet: Simple Baselines for Image Restoration, arXiv:2204.04676. Checkpoint keys: megvii-research/NAFNet
// basicsr/models/archs/NAFNet_arch.py.
// Input [b c h w] in 0..1 of any size, zero-padded inside to a multiple of 2^levels.

import { scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d, convInParts, convolve, scaleFolded } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { LayerNorm2d } from '../../nn/norm.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { nafnetFacts } from './cards.ts'
import { globalMean, localMean } from './pooling.ts'

/** Options of NAFNet. */
export interface NafnetOptions {
  readonly channels: number
  readonly width: number
  /** Blocks of each level, from full resolution down. */
  readonly encoderBlocks: readonly number[]
  readonly middleBlocks: number
  /** Blocks of each level, from low resolution up. */
  readonly decoderBlocks: readonly number[]
  /**
   * Pools over windows of the size of the training's crops instead of the whole picture (TLC,
   * arXiv:2112.04491), as the published figures do.
   */
  readonly tlc: boolean
}

/** Options of the official network of width 32 for GoPro. */
export const nafnetDefaults: NafnetOptions = {
  channels: 3,
  width: 32,
  encoderBlocks: [1, 1, 1, 28],
  middleBlocks: 1,
  decoderBlocks: [1, 1, 1, 1],
  tlc: false,
}

/** Nonlinear activation free block (§3.2–3.4): products of two halves replace activations. */
class NafBlock {
  conv1: Conv2d
  conv2: Conv2d
  conv3: Conv2d
  sca: readonly [(x: Tensor) => Tensor, Conv2d]
  conv4: Conv2d
  conv5: Conv2d
  norm1: LayerNorm2d
  norm2: LayerNorm2d
  beta: Tensor // [1 c 1 1]
  gamma: Tensor // [1 c 1 1]

  constructor(init: Init, c: number, pool: (x: Tensor) => Tensor) {
    const conv1x1 = (to: number) => new Conv2d(init, c, to, { kernel: 1, bias: true })
    this.conv1 = conv1x1(2 * c)
    this.conv2 = new Conv2d(init, 2 * c, 2 * c, { kernel: 3, groups: 2 * c, bias: true })
    this.conv3 = conv1x1(c)
    this.sca = [pool, conv1x1(c)]
    this.conv4 = conv1x1(2 * c)
    this.conv5 = conv1x1(c)
    this.norm1 = new LayerNorm2d(init, c)
    this.norm2 = new LayerNorm2d(init, c)
    this.beta = init.weight([1, c, 1, 1], { constant: 0 })
    this.gamma = init.weight([1, c, 1, 1], { constant: 0 })
  }

  /** [b c h w] -> [b c h w]. */
  forward(x: Tensor): Tensor {
    const mixed = scoped(x, () => {
      const [a, b] = convInParts(this.norm1.normalize(x), 2, [this.norm1.foldInto(this.conv1), this.conv2])
      const gated = a.mul(b)
      const [pool, weigh] = this.sca
      return convolve(gated.mul(weigh.forward(pool(gated))), scaleFolded(this.conv3, this.beta))
    })
    const y = x.add(mixed)
    const fed = scoped(y, () => {
      const [a, b] = convInParts(this.norm2.normalize(y), 2, [this.norm2.foldInto(this.conv4)])
      return convolve(a.mul(b), scaleFolded(this.conv5, this.gamma))
    })
    return y.add(fed)
  }
}

/** U-Net of NAF blocks; keys match the official code. */
export class Nafnet {
  intro: Conv2d
  ending: Conv2d
  encoders: readonly (readonly NafBlock[])[]
  decoders: readonly (readonly NafBlock[])[]
  middle_blks: readonly NafBlock[]
  ups: readonly (readonly [Conv2d])[]
  downs: readonly Conv2d[]

  constructor(init: Init, options: NafnetOptions) {
    const { channels, width, encoderBlocks, middleBlocks, decoderBlocks, tlc } = options
    const levels = encoderBlocks.length
    const blocks = (count: number, level: number) =>
      Array.from(
        { length: count },
        () => new NafBlock(init, width * 2 ** level, tlc ? localMean(level) : globalMean),
      )
    this.intro = new Conv2d(init, channels, width, { kernel: 3, bias: true })
    this.ending = new Conv2d(init, width, channels, { kernel: 3, bias: true })
    this.encoders = encoderBlocks.map(blocks)
    this.decoders = decoderBlocks.map((count, i) => blocks(count, levels - 1 - i))
    this.middle_blks = blocks(middleBlocks, levels)
    this.ups = decoderBlocks.map((_, i) => {
      const c = width * 2 ** (levels - i)
      return [new Conv2d(init, c, 2 * c, { kernel: 1, bias: false })]
    })
    this.downs = encoderBlocks.map((_, level) => {
      const c = width * 2 ** level
      return new Conv2d(init, c, 2 * c, { kernel: 2, bias: true, stride: 2, padding: 0 })
    })
  }

  /** [b channels h w] -> [b channels h w], not clamped. */
  forward(image: Tensor): Tensor {
    const run = (blocks: readonly NafBlock[], x: Tensor) => blocks.reduce((y, block) => block.forward(y), x)
    const padded = padTo(image, 2 ** this.encoders.length, 'constant')
    const skips: Tensor[] = []
    let x = this.intro.forward(padded)
    for (const [level, blocks] of this.encoders.entries()) {
      x = run(blocks, x)
      skips.push(x)
      x = this.downs[level]!.forward(x)
    }
    x = run(this.middle_blks, x)
    for (const [i, blocks] of this.decoders.entries())
      x = run(blocks, this.ups[i]![0].forward(x).pixelShuffle(2).add(skips.pop()!))
    return cropLike(this.ending.forward(x).add(padded), image)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function nafnetOptionsFromWeights(shapes: KeyShapes): NafnetOptions {
  const { size, count } = shapeReader('NAFNet', shapes)
  const levels = count('downs', 'weight')
  const blocks = (stage: string) => Array.from({ length: levels }, (_, i) => count(`${stage}.${i}`, 'beta'))
  return {
    channels: size('intro.weight', 1),
    width: size('intro.weight', 0),
    encoderBlocks: blocks('encoders'),
    middleBlocks: count('middle_blks', 'beta'),
    decoderBlocks: blocks('decoders'),
    tlc: false,
  }
}

export const nafnet = defineNetwork({
  facts: nafnetFacts,
  defaults: nafnetDefaults,
  optionsFromWeights: nafnetOptionsFromWeights,
  optionsNotInWeights: ['tlc'],
  create: (init, options) => new Nafnet(init, options),
  inputs: { x: 'b channels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ encoderBlocks }) => ({ multipleOf: 1, minimum: 1, padToMultiple: 2 ** encoderBlocks.length }),
  channels: ({ channels }) => ({ input: channels, output: channels }),
  tiling: () => ({ whole: 'preferred', tilePx: 768, overlapPx: 96, batch: 1 }),
  memory: ({ width }) => ({ fixedBytes: 300e6, bytesPerPixel: 4 * 9 * width }),
  role: () => ({ kind: 'restores' }),
})
