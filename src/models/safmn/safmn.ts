// SAFMN: Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution, arXiv:2302.13800. Checkpoint keys: sunny2109/SAFMN
// basicsr/archs/safmn_arch.py.
// Input [b 3 h w] in 0..1, at least 5 pixels a side, padded inside to multiples of 8.

import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { LayerNorm2d } from '../../nn/norm.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { runSteps, type Step, shuffled } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { safmnFacts } from './cards.ts'

/** Options of SAFMN. */
export interface SafmnOptions {
  readonly scale: number
  readonly width: number
  readonly blocks: number
  /** Channels inside the channel mixers. */
  readonly hidden: number
}

/** Options of the official ×4 model. */
export const safmnDefaults: SafmnOptions = { scale: 4, width: 36, blocks: 8, hidden: 72 }

const levels = 4
const coarsest = 2 ** (levels - 1)

/** Spatially-adaptive feature modulation (§3.2): each quarter of the channels at a coarser level than the one before. */
class Safm {
  mfr: readonly Conv2d[]
  aggr: Conv2d

  constructor(init: Init, width: number) {
    const c = width / levels
    this.mfr = Array.from(
      { length: levels },
      () => new Conv2d(init, c, c, { kernel: 3, groups: c, bias: true }),
    )
    this.aggr = new Conv2d(init, width, width, { kernel: 1, bias: true })
  }

  forward(x: Tensor): Tensor {
    const [first, ...coarser] = x.chunk(levels, 1).map((part, level) => {
      const conv = this.mfr[level]!
      if (level === 0) return conv.forward(part)
      const factor = 2 ** level
      return conv.forward(part.maxPool2d(factor)).upsampleNearest(factor)
    })
    return this.aggr
      .forward(cat([first!, ...coarser], 1))
      .gelu()
      .mul(x)
  }
}

class AttentionBlock {
  norm1: LayerNorm2d
  norm2: LayerNorm2d
  safm: Safm
  ccm: { ccm: readonly Step[] }

  constructor(init: Init, { width, hidden }: SafmnOptions) {
    this.norm1 = new LayerNorm2d(init, width)
    this.norm2 = new LayerNorm2d(init, width)
    this.safm = new Safm(init, width)
    this.ccm = {
      ccm: [
        new Conv2d(init, width, hidden, { kernel: 3, bias: true }),
        (x) => x.gelu(),
        new Conv2d(init, hidden, width, { kernel: 1, bias: true }),
      ],
    }
  }

  forward(x: Tensor): Tensor {
    const y = x.add(scoped(x, () => this.safm.forward(this.norm1.forward(x))))
    return y.add(scoped(y, () => runSteps(this.ccm.ccm, this.norm2.forward(y))))
  }
}

/** Small network for enlarging; works at low resolution. */
export class Safmn {
  readonly options: SafmnOptions
  to_feat: Conv2d
  feats: readonly AttentionBlock[]
  to_img: readonly [Conv2d]

  constructor(init: Init, options: SafmnOptions) {
    const { scale, width, blocks } = options
    this.options = options
    this.to_feat = new Conv2d(init, 3, width, { kernel: 3, bias: true })
    this.feats = Array.from({ length: blocks }, () => new AttentionBlock(init, options))
    this.to_img = [new Conv2d(init, width, 3 * scale ** 2, { kernel: 3, bias: true })]
  }

  /** [b 3 h w] -> [b 3 h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { scale } = this.options
    const shallow = this.to_feat.forward(padTo(image, coarsest, 'reflect'))
    const deep = this.feats.reduce((x, block) => block.forward(x), shallow).add(shallow)
    return cropLike(this.to_img[0].forward(deep).pixelShuffle(scale), image, scale)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function safmnOptionsFromWeights(shapes: KeyShapes): SafmnOptions {
  const { size, count } = shapeReader('SAFMN', shapes)
  return {
    scale: shuffled(size('to_img.0.weight', 0), 3).scale,
    width: size('to_feat.weight', 0),
    blocks: count('feats', 'safm.aggr.weight'),
    hidden: size('feats.0.ccm.ccm.0.weight', 0),
  }
}

export const safmn = defineNetwork({
  facts: safmnFacts,
  defaults: safmnDefaults,
  optionsFromWeights: safmnOptionsFromWeights,
  create: (init, options) => new Safmn(init, options),
  inputs: { x: 'b 3 h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: () => ({ multipleOf: 1, minimum: 5, padToMultiple: coarsest }),
  scale: ({ scale }) => scale,
  channels: () => ({ input: 3, output: 3 }),
  tiling: ({ blocks }) => ({ whole: 'needless', tilePx: 384, overlapPx: Math.min(8 * blocks, 64), batch: 1 }),
  memory: ({ width, hidden, scale }) => ({
    fixedBytes: 120e6,
    bytesPerPixel: 4 * (4 * width + 2 * hidden + 6 * scale ** 2),
  }),
  role: () => ({ kind: 'restores' }),
})
