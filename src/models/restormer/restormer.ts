// Restormer: Efficient Transformer for High-Resolution Image Restoration, arXiv:2111.09881.
// Checkpoint keys: swz30/Restormer@df766d5 basicsr/models/archs/restormer_arch.py. Input [b 3 h w] in 0..1, h
// and w multiples of 8.

import { RestoreError } from '../../core/errors.ts'
import { inverseNorm, pixelUnshuffle, toImage } from '../../core/functional.ts'
import { rearrange } from '../../core/rearrange.ts'
import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d, convInParts } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { ChannelLayerNorm } from '../../nn/norm.ts'
import { defaultTiling, defineNetwork, input, type Tap } from '../networkDescriptor.ts'
import { restormerFacts } from './cards.ts'

/** Options of Restormer. */
export interface RestormerOptions {
  readonly channelsIn: number
  readonly channelsOut: number
  readonly dim: number
  readonly numBlocks: readonly [number, number, number, number] // encoder levels 1-3 (decoder the same), latent
  readonly numRefinementBlocks: number
  readonly heads: readonly [number, number, number, number]
  readonly ffnExpansion: number
  /** Whether convolutions have a bias; those of patch_embed and of the resampling never do. */
  readonly bias: boolean
  readonly layerNorm: 'WithBias' | 'BiasFree'
  /** Takes left and right view as [b 6 h w]; a skip from the embedding replaces the image residual. */
  readonly dualPixel: boolean
}

/** Default options of Restormer. */
export const restormerDefaults: RestormerOptions = {
  channelsIn: 3,
  channelsOut: 3,
  dim: 48,
  numBlocks: [4, 6, 6, 8],
  numRefinementBlocks: 4,
  heads: [1, 2, 4, 8],
  ffnExpansion: 2.66,
  bias: false,
  layerNorm: 'WithBias',
  dualPixel: false,
}

interface BlockOptions {
  readonly dim: number
  readonly heads: number
  readonly hidden: number
  readonly bias: boolean
  readonly layerNorm: RestormerOptions['layerNorm']
}

/** Multi-Dconv head transposed attention (§3.1): attends across channels, so its cost is linear in pixels. */
class Attention {
  readonly heads: number
  temperature: Tensor // [heads 1 1]
  qkv: Conv2d
  qkv_dwconv: Conv2d
  project_out: Conv2d

  constructor(init: Init, { dim, heads, bias }: BlockOptions) {
    this.heads = heads
    this.temperature = init.weight([heads, 1, 1], { constant: 1 })
    this.qkv = new Conv2d(init, dim, 3 * dim, { kernel: 1, bias })
    this.qkv_dwconv = new Conv2d(init, 3 * dim, 3 * dim, { kernel: 3, groups: 3 * dim, bias })
    this.project_out = new Conv2d(init, dim, dim, { kernel: 1, bias })
  }

  forward(x: Tensor, norm: ChannelLayerNorm): Tensor {
    const { h, w } = x.axes('b c h w')
    const [q, k, v] = convInParts(norm.normalize(x), 3, [norm.foldInto(this.qkv), this.qkv_dwconv])
    const toHeads = (t: Tensor) => rearrange(t, 'b (heads d) h w -> b heads d (h w)', { heads: this.heads })
    const queries = toHeads(q)
    const keys = toHeads(k)
    // Normalizing the product [b heads d d] equals normalizing q and k, but touches no pixels.
    const cosine = queries
      .matmul(keys.transpose(-2, -1))
      .mul(inverseNorm(queries, -1))
      .mul(inverseNorm(keys, -1).transpose(-2, -1))
    const attention = cosine.mul(this.temperature).softmax(-1)
    return toImage(this.#project(attention, rearrange(v, 'b c h w -> b c (h w)')), h, w)
  }

  /** Computes project_out(attention · v) as (project_out · attention) · v, in one pass over the pixels. */
  #project(attention: Tensor, v: Tensor): Tensor {
    const weight = this.project_out.weight.reshape([v.size(1), this.heads, -1]).transpose(0, 1) // [heads c d]
    const mixed = rearrange(weight.matmul(attention), 'b heads c d -> b c (heads d)').matmul(v)
    const { bias } = this.project_out
    return bias ? mixed.add(bias.reshape([1, -1, 1])) : mixed
  }
}

/** Gated-Dconv feed-forward network (§3.2). */
class FeedForward {
  project_in: Conv2d
  dwconv: Conv2d
  project_out: Conv2d

  constructor(init: Init, { dim, hidden, bias }: BlockOptions) {
    this.project_in = new Conv2d(init, dim, 2 * hidden, { kernel: 1, bias })
    this.dwconv = new Conv2d(init, 2 * hidden, 2 * hidden, { kernel: 3, groups: 2 * hidden, bias })
    this.project_out = new Conv2d(init, hidden, dim, { kernel: 1, bias })
  }

  forward(x: Tensor, norm: ChannelLayerNorm): Tensor {
    const [gate, value] = convInParts(norm.normalize(x), 2, [norm.foldInto(this.project_in), this.dwconv])
    return this.project_out.forward(gate.gelu().mul(value))
  }
}

class TransformerBlock {
  norm1: ChannelLayerNorm
  attn: Attention
  norm2: ChannelLayerNorm
  ffn: FeedForward

  constructor(init: Init, options: BlockOptions) {
    const bias = options.layerNorm === 'WithBias'
    this.norm1 = new ChannelLayerNorm(init, options.dim, { bias })
    this.attn = new Attention(init, options)
    this.norm2 = new ChannelLayerNorm(init, options.dim, { bias })
    this.ffn = new FeedForward(init, options)
  }

  forward(x: Tensor, tap: Tap): Tensor {
    const attended = scoped(x, () => this.attn.forward(x, this.norm1))
    tap('attn', attended)
    const y = x.add(attended)
    const fed = scoped(y, () => this.ffn.forward(y, this.norm2))
    tap('ffn', fed)
    return y.add(fed)
  }
}

/** 3×3 convolution and pixel (un)shuffle: [b c h w] -> [b 2c h/2 w/2] or [b c/2 2h 2w]. */
class Resample {
  readonly body: readonly [Conv2d, (x: Tensor) => Tensor]

  constructor(init: Init, dim: number, direction: 'down' | 'up') {
    this.body =
      direction === 'down'
        ? [new Conv2d(init, dim, dim / 2, { kernel: 3, bias: false }), (x) => pixelUnshuffle(x, 2)]
        : [new Conv2d(init, dim, dim * 2, { kernel: 3, bias: false }), (x) => x.pixelShuffle(2)]
  }

  forward(x: Tensor): Tensor {
    const [conv, shuffle] = this.body
    return shuffle(conv.forward(x))
  }
}

/** Image restoration network; keys and their order match the official code. */
export class Restormer {
  patch_embed: { proj: Conv2d }
  encoder_level1: readonly TransformerBlock[]
  down1_2: Resample
  encoder_level2: readonly TransformerBlock[]
  down2_3: Resample
  encoder_level3: readonly TransformerBlock[]
  down3_4: Resample
  latent: readonly TransformerBlock[]
  up4_3: Resample
  reduce_chan_level3: Conv2d
  decoder_level3: readonly TransformerBlock[]
  up3_2: Resample
  reduce_chan_level2: Conv2d
  decoder_level2: readonly TransformerBlock[]
  up2_1: Resample
  decoder_level1: readonly TransformerBlock[]
  refinement: readonly TransformerBlock[]
  skip_conv?: Conv2d
  output: Conv2d

  constructor(init: Init, options: RestormerOptions) {
    const { channelsIn, channelsOut, dim, numBlocks, heads, bias, layerNorm } = options
    const blocks = (count: number, width: number, headCount: number) =>
      Array.from({ length: count }, () => {
        const hidden = Math.floor(width * options.ffnExpansion)
        return new TransformerBlock(init, { dim: width, heads: headCount, hidden, bias, layerNorm })
      })
    this.patch_embed = { proj: new Conv2d(init, channelsIn, dim, { kernel: 3, bias: false }) }
    this.encoder_level1 = blocks(numBlocks[0], dim, heads[0])
    this.down1_2 = new Resample(init, dim, 'down')
    this.encoder_level2 = blocks(numBlocks[1], 2 * dim, heads[1])
    this.down2_3 = new Resample(init, 2 * dim, 'down')
    this.encoder_level3 = blocks(numBlocks[2], 4 * dim, heads[2])
    this.down3_4 = new Resample(init, 4 * dim, 'down')
    this.latent = blocks(numBlocks[3], 8 * dim, heads[3])
    this.up4_3 = new Resample(init, 8 * dim, 'up')
    this.reduce_chan_level3 = new Conv2d(init, 8 * dim, 4 * dim, { kernel: 1, bias })
    this.decoder_level3 = blocks(numBlocks[2], 4 * dim, heads[2])
    this.up3_2 = new Resample(init, 4 * dim, 'up')
    this.reduce_chan_level2 = new Conv2d(init, 4 * dim, 2 * dim, { kernel: 1, bias })
    this.decoder_level2 = blocks(numBlocks[1], 2 * dim, heads[1])
    this.up2_1 = new Resample(init, 2 * dim, 'up')
    // Level 1 of the decoder keeps the concatenated width 2·dim, with the heads of level 1.
    this.decoder_level1 = blocks(numBlocks[0], 2 * dim, heads[0])
    this.refinement = blocks(options.numRefinementBlocks, 2 * dim, heads[0])
    if (options.dualPixel) this.skip_conv = new Conv2d(init, dim, 2 * dim, { kernel: 1, bias })
    this.output = new Conv2d(init, 2 * dim, channelsOut, { kernel: 3, bias })
  }

  /** [b channelsIn h w] -> [b channelsOut h w], not clamped. */
  forward(image: Tensor, tap: Tap = () => {}): Tensor {
    const embedded = this.patch_embed.proj.forward(image)
    tap('patch_embed', embedded)
    const stage = (name: string, blocks: readonly TransformerBlock[], x: Tensor): Tensor => {
      const out = blocks.reduce(
        (y, block, i) => block.forward(y, (part, t) => tap(`${name}.${i}.${part}`, t)),
        x,
      )
      tap(name, out)
      return out
    }
    const level1 = stage('encoder_level1', this.encoder_level1, embedded)
    const level2 = stage('encoder_level2', this.encoder_level2, this.down1_2.forward(level1))
    const level3 = stage('encoder_level3', this.encoder_level3, this.down2_3.forward(level2))
    const latent = stage('latent', this.latent, this.down3_4.forward(level3))

    const joined3 = this.reduce_chan_level3.forward(cat([this.up4_3.forward(latent), level3], 1))
    const decoded3 = stage('decoder_level3', this.decoder_level3, joined3)
    const joined2 = this.reduce_chan_level2.forward(cat([this.up3_2.forward(decoded3), level2], 1))
    const decoded2 = stage('decoder_level2', this.decoder_level2, joined2)
    const decoded1 = stage(
      'decoder_level1',
      this.decoder_level1,
      cat([this.up2_1.forward(decoded2), level1], 1),
    )
    const refined = stage('refinement', this.refinement, decoded1)

    if (this.skip_conv) return this.output.forward(refined.add(this.skip_conv.forward(embedded)))
    return this.output.forward(refined).add(image)
  }
}

/** Finds the shortest decimal f for which floor(width · f) equals every hidden width. */
function expansionFactor(widths: readonly (readonly [width: number, hidden: number])[]): number {
  const low = Math.max(...widths.map(([width, hidden]) => hidden / width))
  const high = Math.min(...widths.map(([width, hidden]) => (hidden + 1) / width))
  for (let scale = 1; scale <= 1e9; scale *= 10) {
    const factor = Math.ceil(low * scale) / scale
    if (factor < high) return factor
  }
  throw new RestoreError(
    'checkpoint',
    `Restormer: expected hidden widths floor(width · factor), got ${widths.join('; ')}`,
  )
}

/** Derives the options from the key shapes of a checkpoint. */
export function restormerOptionsFromWeights(shapes: KeyShapes): RestormerOptions {
  const { size, count } = shapeReader('Restormer', shapes)
  const blocks = (stage: string) => count(stage, 'attn.temperature')
  const dim = size('patch_embed.proj.weight', 0)
  const stages = ['encoder_level1', 'encoder_level2', 'encoder_level3', 'latent'] as const
  const [n1, n2, n3, n4] = stages.map(blocks)
  const [h1, h2, h3, h4] = stages.map((stage) => size(`${stage}.0.attn.temperature`, 0))
  const widths = stages.map(
    (stage, level) => [dim * 2 ** level, size(`${stage}.0.ffn.project_out.weight`, 1)] as const,
  )
  return {
    channelsIn: size('patch_embed.proj.weight', 1),
    channelsOut: size('output.weight', 0),
    dim,
    numBlocks: [n1 ?? 0, n2 ?? 0, n3 ?? 0, n4 ?? 0],
    numRefinementBlocks: blocks('refinement'),
    heads: [h1 ?? 1, h2 ?? 1, h3 ?? 1, h4 ?? 1],
    ffnExpansion: expansionFactor(widths),
    bias: shapes.has('encoder_level1.0.attn.qkv.bias'),
    layerNorm: shapes.has('encoder_level1.0.norm1.body.bias') ? 'WithBias' : 'BiasFree',
    dualPixel: shapes.has('skip_conv.weight'),
  }
}

export const restormer = defineNetwork({
  facts: restormerFacts,
  defaults: restormerDefaults,
  optionsFromWeights: restormerOptionsFromWeights,
  create: (init, options) => new Restormer(init, options),
  inputs: { x: 'b channelsIn h w' },
  outputs: ['y'],
  forward: (network, inputs, { tap }) => ({ y: network.forward(input(inputs, 'x'), tap) }),
  size: () => ({ multipleOf: 8, minimum: 8 }),
  channels: ({ channelsIn, channelsOut }) => ({ input: channelsIn, output: channelsOut }),
  // Attention across channels sums over all pixels, so tiles differ a little in tone; a wide overlap hides
  // it.
  tiling: () => defaultTiling,
  // Measured peak of the process: 786, 1099 and 2089 MB for 64², 256² and 512² pixels, that is 766 MB plus
  // 5.05 KB per pixel; a margin is added.
  memory: () => ({ fixedBytes: 800e6, bytesPerPixel: 6000 }),
  role: () => ({ kind: 'restores' }),
})
