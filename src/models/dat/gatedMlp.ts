// The feed-forward network of DAT (arXiv:2308.03364 §3.2) and RGT.

import { rearrange } from '../../core/rearrange.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import type { ImageSize } from '../../nn/windows.ts'

/** Spatial-gate feed-forward network: half of the features gate the other half. */
export class GatedMlp {
  fc1: Linear
  sg: { norm: LayerNorm; conv: Conv2d }
  fc2: Linear

  constructor(init: Init, channels: number, hidden: number) {
    const half = Math.floor(hidden / 2)
    this.fc1 = new Linear(init, channels, hidden, { bias: true })
    this.sg = {
      norm: new LayerNorm(init, half),
      conv: new Conv2d(init, half, half, { kernel: 3, bias: true, groups: half }),
    }
    this.fc2 = new Linear(init, half, channels, { bias: true })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize): Tensor {
    const [weight, gateWeight] = this.fc1.weight.chunk(2, 0)
    const [bias, gateBias] = this.fc1.bias?.chunk(2, 0) ?? []
    const gate = this.sg.norm.forward(x.linear(gateWeight, gateBias).gelu())
    const filtered = this.sg.conv.forward(rearrange(gate, 'b (h w) c -> b c h w', { h, w }))
    return this.fc2.forward(x.linear(weight, bias).gelu().mul(rearrange(filtered, 'b c h w -> b (h w) c')))
  }
}
