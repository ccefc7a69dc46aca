// The two kinds of attention of DAT (arXiv:2308.03364), each beside a depth-wise convolution.

import { inverseNorm } from '../../core/functional.ts'
import { rearrange } from '../../core/rearrange.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { BatchNorm2d } from '../../nn/batchNorm.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { Linear } from '../../nn/linear.ts'
import { attendHeads, positionBias } from '../../nn/windowAttention.ts'
import type { ImageSize, PixelWindows, WindowSize } from '../../nn/windows.ts'
import { PositionNetwork, relativePositions } from './positions.ts'

export interface AttentionOptions {
  readonly channels: number
  readonly heads: number
  readonly window: WindowSize
  readonly qkvBias: boolean
}

/** Windows of both halves of the heads. */
export type HalfWindows = readonly [PixelWindows, PixelWindows]

/** Adaptive interaction: each of two branches is weighted by what the other finds. */
class Interaction {
  qkv: Linear
  proj: Linear
  dwconv: readonly [Conv2d, BatchNorm2d]
  channel_interaction: readonly [null, Conv2d, BatchNorm2d, null, Conv2d]
  spatial_interaction: readonly [Conv2d, BatchNorm2d, null, Conv2d]

  constructor(init: Init, { channels: c, qkvBias }: AttentionOptions) {
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

/** Position network of half the heads, for windows that lie or stand. */
class HalfAttention {
  readonly window: WindowSize
  rpe_biases: Tensor // [(2h-1)(2w-1) 2]
  pos: PositionNetwork

  constructor(init: Init, { channels, heads }: AttentionOptions, window: WindowSize) {
    const positions = relativePositions(window)
    this.window = window
    this.rpe_biases = init.buffer([positions.length / 2, 2], positions)
    this.pos = new PositionNetwork(init, Math.floor(Math.floor(channels / 8) / 4), Math.floor(heads / 2))
  }

  get bias(): Tensor {
    return positionBias(this.pos.forward(this.rpe_biases), this.window)
  }
}

/** Adaptive spatial attention: half of the heads attend within wide windows, the other half within tall ones. */
export class SpatialAttention extends Interaction {
  readonly heads: number
  attns: readonly [HalfAttention, HalfAttention]

  constructor(init: Init, options: AttentionOptions) {
    super(init, options)
    const [y, x] = options.window
    this.heads = options.heads
    this.attns = [new HalfAttention(init, options, [y, x]), new HalfAttention(init, options, [x, y])]
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize, windows: HalfWindows): Tensor {
    const [queryWeight, keyWeight, valueWeight] = this.qkv.weight.chunk(3, 0)
    const [queryBias, keyBias, valueBias] = this.qkv.bias?.chunk(3, 0) ?? []
    const heads = Math.floor(this.heads / 2)
    // Scaling the weights of q saves a pass over the logits.
    const scale = (queryWeight.size(0) / 2 / heads) ** -0.5
    const queries = halves(queryWeight.mul(scale), queryBias?.mul(scale))
    const keys = halves(keyWeight, keyBias)
    const value = x.linear(valueWeight, valueBias)
    const values = value.chunk(2, -1)
    const attended = this.attns.map(({ bias }, i) => {
      const order = windows[i as 0 | 1]
      const [q, k, v] = [x.linear(...queries[i as 0 | 1]), x.linear(...keys[i as 0 | 1]), values[i as 0 | 1]]
      const parts = {
        q: rearrange(order.apply(q), 'b n (heads d) -> b heads n d', { heads }),
        k: rearrange(order.apply(k), 'b n (heads d) -> b heads d n', { heads }),
        v: rearrange(order.apply(v), 'b n (heads d) -> b heads n d', { heads }),
      }
      return order.undo(attendHeads(parts, bias, order.mask))
    })
    const toImage = (tokens: Tensor) => rearrange(tokens, 'b (h w) c -> b c h w', { h, w })
    const image = toImage(cat(attended as [Tensor, Tensor], 2))
    const convolved = this.convolve(toImage(value))
    const weighted = image.mul(this.weighChannels(convolved))
    return this.project(weighted.add(convolved.mul(this.weighPixels(image))))
  }
}

/** Arguments of a linear layer for each half of its outputs. */
function halves(weight: Tensor, bias: Tensor | undefined) {
  const [w0, w1] = weight.chunk(2, 0)
  const [b0, b1] = bias?.chunk(2, 0) ?? []
  return [[w0, b0] as const, [w1, b1] as const] as const
}

/** Adaptive channel attention: channels attend to channels over all pixels. */
export class ChannelAttention extends Interaction {
  temperature: Tensor // [heads 1 1]

  constructor(init: Init, options: AttentionOptions) {
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
