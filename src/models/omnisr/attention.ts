// The attentions of Omni-SR (arXiv:2304.10244 §3.2, §3.3): between pixels and between channels, within windows and on a grid over the image.

import { inverseNorm } from '../../core/functional.ts'
import { rearrange } from '../../core/rearrange.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Conv2d, convInParts } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { Linear } from '../../nn/linear.ts'
import type { LayerNorm2d } from '../../nn/norm.ts'
import { attendInWindows, positionBias } from '../../nn/windowAttention.ts'

export interface AttentionOptions {
  readonly width: number
  /** Side of a window, and of the grid. */
  readonly window: number
  /** Whether relative positions have biases. */
  readonly positions: boolean
}

const heads = 4

/** Self-attention of the pixels of a window or grid. */
export class PixelAttention {
  readonly window: number
  to_qkv: Linear
  to_out: readonly [Linear]
  rel_pos_bias?: { weight: Tensor } // [(2 window − 1)² heads]

  constructor(init: Init, { width, window, positions }: AttentionOptions) {
    this.window = window
    this.to_qkv = new Linear(init, width, 3 * width, { bias: false })
    this.to_out = [new Linear(init, width, width, { bias: false })]
    if (positions)
      this.rel_pos_bias = { weight: init.weight([(2 * window - 1) ** 2, heads], { deviation: 1 }) }
  }

  /** [b·windows n c] -> [b·windows n c]. */
  forward(tokens: Tensor): Tensor {
    const { window, rel_pos_bias } = this
    const bias = rel_pos_bias && positionBias(rel_pos_bias.weight, [window, window])
    return this.to_out[0].forward(attendInWindows(tokens, { qkv: this.to_qkv, heads, bias }))
  }
}

/** Self-attention of channels, over the pixels of a window, or over those at one place of every window. */
export class ChannelAttention {
  readonly window: number
  readonly isGrid: boolean
  temperature: Tensor // [heads 1 1]
  qkv: Conv2d
  qkv_dwconv: Conv2d
  project_out: Conv2d

  constructor(init: Init, isGrid: boolean, { width, window }: AttentionOptions) {
    const conv = (to: number) => new Conv2d(init, width, to, { kernel: 1, bias: false })
    this.window = window
    this.isGrid = isGrid
    this.temperature = init.weight([heads, 1, 1], { constant: 1 })
    this.qkv = conv(3 * width)
    this.qkv_dwconv = new Conv2d(init, 3 * width, 3 * width, { kernel: 3, bias: false, groups: 3 * width })
    this.project_out = conv(width)
  }

  /** [b c h w], normalized by `norm` -> [b c h w]. */
  forward(x: Tensor, norm: LayerNorm2d): Tensor {
    const [q, k, v] = convInParts(norm.normalize(x), 3, [norm.foldInto(this.qkv), this.qkv_dwconv])
    const [b, h, w] = [x.size(0), x.size(2), x.size(3)]
    const { window, isGrid } = this
    const [y, z] = [h / window, w / window]
    const toHeads = (t: Tensor) =>
      isGrid
        ? rearrange(t, 'b (heads d) (y i) (z j) -> (b i j) heads d (y z)', { heads, i: window, j: window })
        : rearrange(t, 'b (heads d) (y i) (z j) -> (b y z) heads d (i j)', { heads, i: window, j: window })
    const [queries, keys] = [toHeads(q), toHeads(k)]
    // Normalizing the products saves two passes over the pixels.
    const logits = queries
      .matmul(keys.transpose(-2, -1))
      .mul(inverseNorm(queries, 3).mul(this.temperature))
      .mul(inverseNorm(keys, 3).transpose(-2, -1))
    const mixed = logits.softmax(-1).matmul(toHeads(v))
    const sizes = { b, y, z, i: window, j: window }
    return this.project_out.forward(
      isGrid
        ? rearrange(mixed, '(b i j) heads d (y z) -> b (heads d) (y i) (z j)', sizes)
        : rearrange(mixed, '(b y z) heads d (i j) -> b (heads d) (y i) (z j)', sizes),
    )
  }
}
