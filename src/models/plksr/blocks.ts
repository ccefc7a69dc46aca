// Blocks that PLKSR and RealPLKSR share.

import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'

/** Element-wise attention (§3.3): x · sigmoid(conv(x)). */
export class ElementAttention {
  f: readonly [Conv2d]

  constructor(init: Init, channels: number) {
    this.f = [new Conv2d(init, channels, channels, { kernel: 3, bias: true })]
  }

  forward(x: Tensor): Tensor {
    return x.mul(this.f[0].forward(x).sigmoid())
  }
}

/** Applies `mix` to the first channels and keeps the rest. */
export function mixFirst(x: Tensor, channels: number, mix: (first: Tensor) => Tensor): Tensor {
  const all = x.size(1)
  const mixed = mix(x.slice(1, 0, channels))
  return channels === all ? mixed : cat([mixed, x.slice(1, channels)], 1)
}

/** Large kernel convolution of the first channels (§3.2). */
export class PartialConv {
  conv: Conv2d

  constructor(init: Init, channels: number, kernel: number) {
    this.conv = new Conv2d(init, channels, channels, { kernel, bias: true })
  }

  forward(x: Tensor): Tensor {
    return mixFirst(x, this.conv.weight.size(0), (first) => this.conv.forward(first))
  }
}
