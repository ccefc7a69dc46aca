// The transformer block of latent diffusion (arXiv:2112.10752 §3.3) as used in DA-CLIP's U-Net, with a
// context of one token: Algolzw/daclip-uir@c2cc141 models/modules/attention.py.

import { rearrange } from '../core/rearrange.ts'
import type { Tensor } from '../core/tensor.ts'
import { Conv2d } from './conv.ts'
import type { Init } from './init.ts'
import { Linear } from './linear.ts'
import { GroupNorm, LayerNorm } from './norm.ts'
import { attend, type ChannelGainNorm, type MapAttention } from './unetBlocks.ts'

const headFeatures = 32

/**
 * Query, key, value and output projections for attention between tokens [b n c] and
 * context tokens [b m context].
 */
class Projections {
  to_q: Linear
  to_k: Linear
  to_v: Linear
  to_out: readonly [Linear]

  constructor(init: Init, channels: number, contextWidth: number) {
    this.to_q = new Linear(init, channels, channels, { bias: false })
    this.to_k = new Linear(init, contextWidth, channels, { bias: false })
    this.to_v = new Linear(init, contextWidth, channels, { bias: false })
    this.to_out = [new Linear(init, channels, channels, { bias: true })]
  }

  /** Self-attention of tokens [b n c]. */
  attendSelf(x: Tensor): Tensor {
    const heads = x.size(2) / headFeatures
    // Scaling the weights of q saves a pass over the logits [b heads n n].
    const q = x.linear(this.to_q.weight.mul(headFeatures ** -0.5))
    const out = attend(
      rearrange(q, 'b n (heads d) -> b heads n d', { heads }),
      rearrange(this.to_k.forward(x), 'b m (heads d) -> b heads d m', { heads }),
      rearrange(this.to_v.forward(x), 'b m (heads d) -> b heads m d', { heads }),
    )
    return this.to_out[0].forward(rearrange(out, 'b heads n d -> b n (heads d)'))
  }

  /**
   * Attention to a single token [b context]: its weight is 1 for every query, so each
   * pixel gets this vector [b c].
   */
  attendOne(context: Tensor): Tensor {
    return this.to_out[0].forward(this.to_v.forward(context))
  }
}

/** Gated feed-forward layer: half the features times the GELU of the other half. */
class FeedForward {
  net: readonly [{ proj: Linear }, (x: Tensor) => Tensor, Linear]

  constructor(init: Init, channels: number) {
    const proj = new Linear(init, channels, 8 * channels, { bias: true })
    this.net = [{ proj }, (x) => x, new Linear(init, 4 * channels, channels, { bias: true })]
  }

  forward(x: Tensor): Tensor {
    const [{ proj }, , out] = this.net
    // Slicing the weights saves a copy of the features.
    const half = (part: number) => {
      const size = proj.weight.size(0) / 2
      const rows = (t: Tensor) => t.slice(0, part * size, (part + 1) * size)
      return x.linear(rows(proj.weight), proj.bias && rows(proj.bias))
    }
    return out.forward(half(0).mul(half(1).gelu()))
  }
}

class TransformerBlock {
  attn1: Projections
  ff: FeedForward
  attn2: Projections
  norm1: LayerNorm
  norm2: LayerNorm // no effect with a single context token; present in checkpoints
  norm3: LayerNorm

  constructor(init: Init, channels: number, contextWidth: number) {
    this.attn1 = new Projections(init, channels, channels)
    this.ff = new FeedForward(init, channels)
    this.attn2 = new Projections(init, channels, contextWidth)
    this.norm1 = new LayerNorm(init, channels)
    this.norm2 = new LayerNorm(init, channels)
    this.norm3 = new LayerNorm(init, channels)
  }

  /** [b n c] -> [b n c]. */
  forward(x: Tensor, vector: Tensor): Tensor {
    const { c } = vector.axes('b c')
    const attended = x.add(this.attn1.attendSelf(this.norm1.forward(x))).add(vector.reshape([-1, 1, c]))
    return attended.add(this.ff.forward(this.norm3.forward(attended)))
  }
}

/** Self-attention between all pixels of a small map, and cross-attention to one vector. */
export class SpatialTransformer implements MapAttention {
  norm: GroupNorm
  proj_in: Conv2d
  transformer_blocks: readonly [TransformerBlock]
  proj_out: Conv2d

  constructor(init: Init, channels: number, contextWidth: number) {
    this.norm = new GroupNorm(init, channels, { groups: 32, eps: 1e-6 })
    this.proj_in = new Conv2d(init, channels, channels, { kernel: 1, bias: true })
    this.transformer_blocks = [new TransformerBlock(init, channels, contextWidth)]
    this.proj_out = new Conv2d(init, channels, channels, { kernel: 1, bias: true })
    this.proj_out.weight = init.weight([channels, channels, 1, 1], { constant: 0 })
    this.proj_out.bias = init.weight([channels], { constant: 0 })
  }

  /** Vector [b c] that the context [b contextWidth] adds to every pixel; the same at every step. */
  contextVector(context: Tensor): Tensor {
    return this.transformer_blocks[0].attn2.attendOne(context)
  }

  forward(x: Tensor, norm: ChannelGainNorm, vector: Tensor): Tensor {
    const { h, w } = x.axes('b c h w')
    const normed = norm.forward(x)
    const tokens = rearrange(this.proj_in.forward(this.norm.forward(normed)), 'b c h w -> b (h w) c')
    const out = this.transformer_blocks[0].forward(tokens, vector)
    return normed.add(this.proj_out.forward(rearrange(out, 'b (h w) c -> b c h w', { h, w })))
  }
}
