// RealPLKSR, PLKSR (arXiv:2404.11848) for real photos, of the community: muslll/neosr neosr/archs/realplksr_arch.py, whose keys
// checkpoints have.
// Input [b 3 h w] in 0..1 of any size.

import { scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { DySample } from '../../nn/dysample.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { GroupNorm, LayerNorm2d } from '../../nn/norm.ts'
import { runSteps, type Step, shuffled } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { ElementAttention, PartialConv } from '../plksr/blocks.ts'
import { realPlksrFacts } from './cards.ts'

/** Options of RealPLKSR. */
export interface RealPlksrOptions {
  readonly scale: number
  readonly width: number
  readonly blocks: number
  /** Side of the large kernel. */
  readonly kernel: number
  /** Channels that the large kernel sees. */
  readonly mixed: number
  readonly attention: boolean
  /** Whether to enlarge by sampling at learnt positions instead of a pixel shuffle. */
  readonly dysample: boolean
  /** Whether a layer norm before each block replaces the group norm after it, which sees the whole picture. */
  readonly layerNorm: boolean
}

/** Options of most ×4 models. */
export const realPlksrDefaults: RealPlksrOptions = {
  scale: 4,
  width: 64,
  blocks: 28,
  kernel: 17,
  mixed: 16,
  attention: true,
  dysample: false,
  layerNorm: false,
}

const normGroups = 4

class PlkBlock {
  layer_norm?: LayerNorm2d
  channel_mixer: readonly Step[]
  lk: PartialConv
  attn?: ElementAttention
  refine: Conv2d
  norm?: GroupNorm

  constructor(init: Init, { width, kernel, mixed, attention, layerNorm }: RealPlksrOptions) {
    if (layerNorm) this.layer_norm = new LayerNorm2d(init, width)
    this.channel_mixer = [
      new Conv2d(init, width, 2 * width, { kernel: 3, bias: true }),
      (x) => x.mish(),
      new Conv2d(init, 2 * width, width, { kernel: 3, bias: true }),
    ]
    this.lk = new PartialConv(init, mixed, kernel)
    if (attention) this.attn = new ElementAttention(init, width)
    this.refine = new Conv2d(init, width, width, { kernel: 1, bias: true })
    if (!layerNorm) this.norm = new GroupNorm(init, width, { groups: normGroups, eps: 1e-5 })
  }

  forward(x: Tensor): Tensor {
    const residual = scoped(x, () => {
      const normal = this.layer_norm ? this.layer_norm.forward(x) : x
      const mixed = this.lk.forward(runSteps(this.channel_mixer, normal))
      const refined = this.refine.forward(this.attn ? this.attn.forward(mixed) : mixed)
      return this.norm ? this.norm.forward(refined) : refined
    })
    return x.add(residual)
  }
}

/** Adds detail to a picture upscaled by nearest neighbor. */
export class RealPlksr {
  readonly options: RealPlksrOptions
  feats: readonly Step[]
  to_img?: DySample

  constructor(init: Init, options: RealPlksrOptions) {
    const { scale, width, blocks, dysample } = options
    const dropout = (x: Tensor) => x
    this.options = options
    this.feats = [
      new Conv2d(init, 3, width, { kernel: 3, bias: true }),
      ...Array.from({ length: blocks }, () => new PlkBlock(init, options)),
      dropout,
      new Conv2d(init, width, 3 * scale ** 2, { kernel: 3, bias: true }),
    ]
    if (dysample)
      this.to_img = new DySample(init, {
        channels: 3 * scale ** 2,
        scale,
        groups: scale % 2 === 1 ? 3 : 4,
        outChannels: scale === 1 ? undefined : 3,
      })
  }

  /** [b 3 h w] -> [b 3 h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { scale } = this.options
    const details = runSteps(this.feats, image)
    if (!this.to_img) return details.pixelShuffle(scale).add(image.upsampleNearest(scale))
    const { b, c, h, w } = image.axes('b c h w')
    const repeated = image
      .reshape([b, c, 1, h, w])
      .expand([b, c, scale ** 2, h, w])
      .reshape([b, 3 * scale ** 2, h, w])
    return this.to_img.forward(details.add(repeated))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function realPlksrOptionsFromWeights(shapes: KeyShapes): RealPlksrOptions {
  const { size } = shapeReader('RealPLKSR', shapes)
  let blocks = 0
  while (shapes.has(`feats.${blocks + 1}.refine.weight`)) blocks++
  return {
    scale: shuffled(size(`feats.${blocks + 2}.weight`, 0), 3).scale,
    width: size('feats.0.weight', 0),
    blocks,
    kernel: size('feats.1.lk.conv.weight', 2),
    mixed: size('feats.1.lk.conv.weight', 0),
    attention: shapes.has('feats.1.attn.f.0.weight'),
    dysample: shapes.has('to_img.init_pos'),
    layerNorm: shapes.has('feats.1.layer_norm.weight'),
  }
}

export const realPlksr = defineNetwork({
  facts: realPlksrFacts,
  defaults: realPlksrDefaults,
  optionsFromWeights: realPlksrOptionsFromWeights,
  create: (init, options) => new RealPlksr(init, options),
  inputs: { x: 'b 3 h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  scale: ({ scale }) => scale,
  channels: () => ({ input: 3, output: 3 }),
  tiling: ({ layerNorm }) =>
    layerNorm
      ? { whole: 'needless', tilePx: 256, overlapPx: 48, batch: 1 }
      : { whole: 'preferred', tilePx: 512, overlapPx: 64, batch: 1 },
  memory: ({ width, scale, dysample }) => ({
    fixedBytes: 150e6,
    bytesPerPixel: 4 * (6 * width + (dysample ? 60 : 9) * scale ** 2),
  }),
  role: () => ({ kind: 'restores' }),
})
