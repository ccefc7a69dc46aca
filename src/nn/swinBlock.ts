// Transformer layer whose tokens attend within windows (Swin, arXiv:2103.14030 §3.2).

import { scoped, type Tensor } from '../core/tensor.ts'
import type { Init } from './init.ts'
import { Mlp } from './mlp.ts'
import { LayerNorm } from './norm.ts'
import { WindowAttention } from './windowAttention.ts'

export interface SwinBlockOptions {
  readonly channels: number
  readonly heads: number
  /** Side of a window in pixels. */
  readonly window: number
  readonly hidden: number // of the feed-forward network
  readonly qkvBias: boolean
}

/** Swin transformer layer. */
export class SwinBlock {
  norm1: LayerNorm
  attn: WindowAttention
  norm2: LayerNorm
  mlp: Mlp

  constructor(init: Init, options: SwinBlockOptions) {
    const { channels, hidden, qkvBias } = options
    this.norm1 = new LayerNorm(init, channels)
    this.attn = new WindowAttention(init, { ...options, bias: qkvBias })
    this.norm2 = new LayerNorm(init, channels)
    this.mlp = new Mlp(init, channels, hidden)
  }

  /** [b·windows n c] -> [b·windows n c]. */
  forward(x: Tensor, mask?: Tensor): Tensor {
    const y = x.add(scoped(x, () => this.attn.forward(this.norm1.forward(x), mask)))
    return y.add(scoped(y, () => this.mlp.forward(this.norm2.forward(y))))
  }
}
