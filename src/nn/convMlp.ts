// Feed-forward network of a transformer that sees the pixels around a token (SRFormer, arXiv:2303.09735 §3.3).

import { rearrange } from '../core/rearrange.ts'
import type { Tensor } from '../core/tensor.ts'
import { Conv2d } from './conv.ts'
import type { Init } from './init.ts'
import { Linear } from './linear.ts'
import type { ImageSize } from './windows.ts'

/** Two linear layers, and a depth-wise convolution between them that is added. */
export class ConvMlp {
  fc1: Linear
  dwconv: { depthwise_conv: readonly [Conv2d] }
  fc2: Linear

  constructor(
    init: Init,
    { channels, hidden, kernel }: { channels: number; hidden: number; kernel: number },
  ) {
    this.fc1 = new Linear(init, channels, hidden, { bias: true })
    this.dwconv = {
      depthwise_conv: [new Conv2d(init, hidden, hidden, { kernel, bias: true, groups: hidden })],
    }
    this.fc2 = new Linear(init, hidden, channels, { bias: true })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize): Tensor {
    const y = this.fc1.forward(x).gelu()
    const image = rearrange(y, 'b (h w) c -> b c h w', { h, w })
    const convolved = this.dwconv.depthwise_conv[0].forward(image).gelu()
    return this.fc2.forward(y.add(rearrange(convolved, 'b c h w -> b (h w) c')))
  }
}
