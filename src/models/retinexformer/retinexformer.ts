// Retinexformer: One-stage Retinex-based Transformer for Low-light Image Enhancement, arXiv:2303.06705. Checkpoint keys:
// caiyuanhao1998/Retinexformer basicsr/models/archs/RetinexFormer_arch.py.
// Input [b c h w] in 0..1, at least 5 pixels a side, padded inside to multiples of 8.

import { inverseNorm, toImage } from '../../core/functional.ts'
import { rearrange } from '../../core/rearrange.ts'
import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { ConvTranspose2x2 } from '../../nn/convTranspose.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { runSteps, type Step } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { retinexformerFacts } from './cards.ts'

/** Options of Retinexformer. */
export interface RetinexformerOptions {
  readonly channels: number
  readonly width: number
  readonly stages: number
  /** Attention blocks at full, half and quarter resolution. */
  readonly blocks: readonly [number, number, number]
}

/** Options of the official network for LOL-v1. */
export const retinexformerDefaults: RetinexformerOptions = {
  channels: 3,
  width: 40,
  stages: 1,
  blocks: [1, 2, 2],
}

/** Illumination estimator (§3.1): features of the light and the factor that lights up the picture. */
class Estimator {
  conv1: Conv2d
  depth_conv: Conv2d
  conv2: Conv2d

  constructor(init: Init, { channels, width }: RetinexformerOptions) {
    const received = channels + 1
    this.conv1 = new Conv2d(init, received, width, { kernel: 1, bias: true })
    this.depth_conv = new Conv2d(init, width, width, { kernel: 5, groups: received, bias: true })
    this.conv2 = new Conv2d(init, width, channels, { kernel: 1, bias: true })
  }

  forward(image: Tensor): { readonly features: Tensor; readonly factor: Tensor } {
    const mean = image.mean([1], { keepDim: true })
    const features = this.depth_conv.forward(this.conv1.forward(cat([image, mean], 1)))
    return { features, factor: this.conv2.forward(features) }
  }
}

/**
 * Illumination-guided multi-head self-attention (§3.2): attends across channels, so its cost is linear in pixels.
 */
class Attention {
  readonly heads: number
  to_q: Linear
  to_k: Linear
  to_v: Linear
  rescale: Tensor // [heads 1 1]
  proj: Linear
  pos_emb: readonly Step[]

  constructor(init: Init, c: number, heads: number) {
    const linear = (bias: boolean) => new Linear(init, c, c, { bias })
    const depthwise = () => new Conv2d(init, c, c, { kernel: 3, groups: c, bias: false })
    this.heads = heads
    this.to_q = linear(false)
    this.to_k = linear(false)
    this.to_v = linear(false)
    this.rescale = init.weight([heads, 1, 1], { constant: 1 })
    this.proj = linear(true)
    this.pos_emb = [depthwise(), (x) => x.gelu(), depthwise()]
  }

  /** [b c h w] and features of the light [b c h w] -> [b c h w]. */
  forward(x: Tensor, light: Tensor): Tensor {
    const { h, w } = x.axes('b c h w')
    const c = x.size(1)
    const { heads } = this
    const project = ({ weight }: Linear) => x.conv2d(weight.reshape([c, c, 1, 1]), undefined)
    const toHeads = (t: Tensor) => rearrange(t, 'b (heads d) h w -> b heads d (h w)', { heads })
    const values = project(this.to_v)
    const queries = toHeads(project(this.to_q))
    const keys = toHeads(project(this.to_k))
    // Normalizing the product [b heads d d] equals normalizing q and k, but touches no pixels.
    const cosine = keys
      .matmul(queries.transpose(-2, -1))
      .mul(inverseNorm(keys, -1))
      .mul(inverseNorm(queries, -1).transpose(-2, -1))
    const attention = cosine.mul(this.rescale).softmax(-1)
    const mixed = attention.matmul(toHeads(values.mul(light)))
    const pixels = rearrange(mixed, 'b heads d n -> b (heads d) n')
    const out = toImage(pixels, h, w).conv2d(this.proj.weight.reshape([c, c, 1, 1]), this.proj.bias)
    return out.add(runSteps(this.pos_emb, values))
  }
}

/** Feed-forward network behind a layer norm. */
class FeedForward {
  fn: { net: readonly Step[] }
  norm: LayerNorm

  constructor(init: Init, c: number) {
    const hidden = 4 * c
    const gelu = (x: Tensor) => x.gelu()
    this.norm = new LayerNorm(init, c)
    this.fn = {
      net: [
        new Conv2d(init, c, hidden, { kernel: 1, bias: false }),
        gelu,
        new Conv2d(init, hidden, hidden, { kernel: 3, groups: hidden, bias: false }),
        gelu,
        new Conv2d(init, hidden, c, { kernel: 1, bias: false }),
      ],
    }
  }

  forward(x: Tensor): Tensor {
    const normal = this.norm.forward(rearrange(x, 'b c h w -> b h w c'))
    return runSteps(this.fn.net, rearrange(normal, 'b h w c -> b c h w'))
  }
}

/** Illumination-guided attention blocks. */
class Blocks {
  blocks: readonly (readonly [Attention, FeedForward])[]

  constructor(init: Init, count: number, { c, heads }: { readonly c: number; readonly heads: number }) {
    this.blocks = Array.from({ length: count }, () => [
      new Attention(init, c, heads),
      new FeedForward(init, c),
    ])
  }

  forward(x: Tensor, light: Tensor): Tensor {
    return this.blocks.reduce((y, [attention, feed]) => {
      const attended = y.add(scoped(y, () => attention.forward(y, light)))
      return attended.add(scoped(attended, () => feed.forward(attended)))
    }, x)
  }
}

/** U-Net that removes what lighting up reveals (§3.2). */
class Denoiser {
  embedding: Conv2d
  encoder_layers: readonly (readonly [Blocks, Conv2d, Conv2d])[]
  bottleneck: Blocks
  decoder_layers: readonly (readonly [ConvTranspose2x2, Conv2d, Blocks])[]
  mapping: Conv2d

  constructor(init: Init, { channels, width, blocks }: RetinexformerOptions) {
    const [full, half, quarter] = blocks
    const atLevel = (count: number, level: number) => {
      const heads = 2 ** level
      return new Blocks(init, count, { c: heads * width, heads })
    }
    const down = (c: number) => new Conv2d(init, c, 2 * c, { kernel: 4, stride: 2, padding: 1, bias: false })
    const encoder = (count: number, level: number) => {
      const c = width * 2 ** level
      return [atLevel(count, level), down(c), down(c)] as const
    }
    const decoder = (count: number, level: number) => {
      const c = width * 2 ** level
      const fuse = new Conv2d(init, 2 * c, c, { kernel: 1, bias: false })
      return [new ConvTranspose2x2(init, 2 * c, c, { bias: true }), fuse, atLevel(count, level)] as const
    }
    this.embedding = new Conv2d(init, channels, width, { kernel: 3, bias: false })
    this.encoder_layers = [encoder(full, 0), encoder(half, 1)]
    this.bottleneck = atLevel(quarter, 2)
    this.decoder_layers = [decoder(half, 1), decoder(full, 0)]
    this.mapping = new Conv2d(init, width, channels, { kernel: 3, bias: false })
  }

  forward(image: Tensor, light: Tensor): Tensor {
    const skips: { x: Tensor; light: Tensor }[] = []
    let x = this.embedding.forward(image)
    let guide = light
    for (const [blocks, shrink, shrinkLight] of this.encoder_layers) {
      x = blocks.forward(x, guide)
      skips.push({ x, light: guide })
      x = shrink.forward(x)
      guide = shrinkLight.forward(guide)
    }
    x = this.bottleneck.forward(x, guide)
    for (const [enlarge, fuse, blocks] of this.decoder_layers) {
      const skip = skips.pop()!
      x = blocks.forward(fuse.forward(cat([enlarge.forward(x), skip.x], 1)), skip.light)
    }
    return this.mapping.forward(x).add(image)
  }
}

class Stage {
  estimator: Estimator
  denoiser: Denoiser

  constructor(init: Init, options: RetinexformerOptions) {
    this.estimator = new Estimator(init, options)
    this.denoiser = new Denoiser(init, options)
  }

  forward(image: Tensor): Tensor {
    const { features, factor } = this.estimator.forward(image)
    return this.denoiser.forward(image.mul(factor).add(image), features)
  }
}

/** Lights up a picture, then removes the noise and color casts that this reveals. */
export class Retinexformer {
  body: readonly Stage[]

  constructor(init: Init, options: RetinexformerOptions) {
    this.body = Array.from({ length: options.stages }, () => new Stage(init, options))
  }

  /** [b channels h w] -> [b channels h w], not clamped. */
  forward(image: Tensor): Tensor {
    return cropLike(runSteps(this.body, padTo(image, 8, 'reflect')), image)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function retinexformerOptionsFromWeights(shapes: KeyShapes): RetinexformerOptions {
  const { size, count } = shapeReader('Retinexformer', shapes)
  const denoiser = 'body.0.denoiser'
  const blocks = (list: string) => count(`${denoiser}.${list}.blocks`, '0.rescale')
  return {
    channels: size(`${denoiser}.embedding.weight`, 1),
    width: size(`${denoiser}.embedding.weight`, 0),
    stages: count('body', 'estimator.conv1.weight'),
    blocks: [blocks('encoder_layers.0.0'), blocks('encoder_layers.1.0'), blocks('bottleneck')],
  }
}

export const retinexformer = defineNetwork({
  facts: retinexformerFacts,
  defaults: retinexformerDefaults,
  optionsFromWeights: retinexformerOptionsFromWeights,
  create: (init, options) => new Retinexformer(init, options),
  inputs: { x: 'b channels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: () => ({ multipleOf: 1, minimum: 5, padToMultiple: 8 }),
  channels: ({ channels }) => ({ input: channels, output: channels }),
  tiling: () => ({ whole: 'preferred', tilePx: 768, overlapPx: 96, batch: 1 }),
  memory: ({ width }) => ({ fixedBytes: 200e6, bytesPerPixel: 4 * 14 * width }),
  role: () => ({ kind: 'restores' }),
})
