// The two kinds of attention of DAT (arXiv:2308.03364), each beside a depth-wise convolution.

import { inverseNorm } from '../../core/functional.ts'
import { rearrange } from '../../core/rearrange.ts'
import type { Tensor } from '../../core/tensor.ts'
import { BatchNorm2d } from '../../nn/batchNorm.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { Linear } from '../../nn/linear.ts'
import type { ImageSize } from '../../nn/windows.ts'
import {
  attendInHalves,
  createHalves,
  type HalfAttention,
  type HalfWindows,
  type HalvesOptions,
} from './halves.ts'

/** Adaptive interaction: each of two branches is weighted by what the other finds. */
class Interaction {
  qkv: Linear
  proj: Linear
  dwconv: readonly [Conv2d, BatchNorm2d]
  channel_interaction: readonly [null, Conv2d, BatchNorm2d, null, Conv2d]
  spatial_interaction: readonly [Conv2d, BatchNorm2d, null, Conv2d]

  constructor(init: Init, { channels: c, qkvBias }: HalvesOptions) {
    const conv1 = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 1, bias: true })
    const [few, fewer] = [Math.floor(c / 8), Math.floor(c / 16)]
    this.qkv = new Linear(init, c, 3 * c, { bias: qkvBias })
    this.proj = new Linear(init, c, c, { bias: true })
    this.dwconv = [new Conv2d(init, c, c, { kernel: 3, bias: true, groups: c }), new BatchNorm2d(init, c)]
    // Between them are a mean over all pixels and GELUs.
    this.channel_interaction = [null, conv1(c, few), new BatchNorm2d(init, few), null, conv1(few, c)]
    this.spatial_interaction = [conv1(c, fewer), new BatchNorm2d(init, fewer), null, conv1(fewer, 1)]
  }

  protected convolve(image: Tensor): Tensor {
    return convNorm(image, ...this.dwconv).gelu()
  }

  /** Weights of channels: [b c h w] -> [b c 1 1]. */
  protected weighChannels(image: Tensor): Tensor {
    const [, first, norm, , last] = this.channel_interaction
    const mean = image.mean([2, 3], { keepDim: true })
    return last.forward(convNorm(mean, first, norm).gelu()).sigmoid()
  }

  /** Weights of pixels: [b c h w] -> [b 1 h w]. */
  protected weighPixels(image: Tensor): Tensor {
    const [first, norm, , last] = this.spatial_interaction
    return last.forward(convNorm(image, first, norm).gelu()).sigmoid()
  }

  protected project(image: Tensor): Tensor {
    return this.proj.forward(rearrange(image, 'b c h w -> b (h w) c'))
  }
}

function convNorm(x: Tensor, conv: Conv2d, norm: BatchNorm2d): Tensor {
  const folded = norm.foldInto(conv)
  return x.conv2d(folded.weight, folded.bias, folded)
}

/** Adaptive spatial attention: half of the heads attend within wide windows, the other half within tall ones. */
export class SpatialAttention extends Interaction {
  readonly heads: number
  attns: readonly [HalfAttention, HalfAttention]

  constructor(init: Init, options: HalvesOptions) {
    super(init, options)
    this.heads = options.heads
    this.attns = createHalves(init, options)
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize, windows: HalfWindows): Tensor {
    const { attended, value } = attendInHalves(x, this, windows)
    const toImage = (tokens: Tensor) => rearrange(tokens, 'b (h w) c -> b c h w', { h, w })
    const image = toImage(attended)
    const convolved = this.convolve(toImage(value))
    const weighted = image.mul(this.weighChannels(convolved))
    return this.project(weighted.add(convolved.mul(this.weighPixels(image))))
  }
}

/** Adaptive channel attention: channels attend to channels over all pixels. */
export class ChannelAttention extends Interaction {
  temperature: Tensor // [heads 1 1]

  constructor(init: Init, options: HalvesOptions) {
    super(init, options)
    this.temperature = init.weight([options.heads, 1, 1], { constant: 1 })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize): Tensor {
    const heads = this.temperature.size(0)
    const image = rearrange(x, 'b (h w) c -> b c h w', { h, w })
    const weights = this.qkv.weight.chunk(3, 0)
    const biases = this.qkv.bias?.chunk(3, 0)
    const [q, k, v] = weights.map((weight, i) =>
      image.conv2d(weight.reshape([...weight.shape, 1, 1]), biases?.[i]),
    ) as [Tensor, Tensor, Tensor]
    const toHeads = (t: Tensor) => rearrange(t, 'b (heads d) h w -> b heads d (h w)', { heads })
    const [queries, keys] = [toHeads(q), toHeads(k)]
    // Normalizing the products saves two passes over the pixels.
    const logits = queries
      .matmul(keys.transpose(-2, -1))
      .mul(inverseNorm(queries, 3).mul(this.temperature))
      .mul(inverseNorm(keys, 3).transpose(-2, -1))
    const mixed = logits.softmax(-1).matmul(toHeads(v))
    const attended = rearrange(mixed, 'b heads d (h w) -> b (heads d) h w', { h, w })
    const convolved = this.convolve(v)
    const weighted = attended.mul(this.weighPixels(convolved))
    return this.project(weighted.add(convolved.mul(this.weighChannels(attended))))
  }
}
