// Building blocks of the U-Nets of IR-SDE and DA-CLIP: Algolzw/image-restoration-sde@2598d73
// models/modules/module_util.py.

import { centerChannels, toImage } from '../core/functional.ts'
import { constant } from '../core/hostBackend.ts'
import { rearrange } from '../core/rearrange.ts'
import { cat, scoped, type Tensor } from '../core/tensor.ts'
import { Conv2d, type ConvWeights, convInParts } from './conv.ts'
import type { Init } from './init.ts'
import { Linear } from './linear.ts'

const eps = 1e-5

/** LayerNorm over the channels of every pixel of [b c h w], with a gain and no bias. */
export class ChannelGainNorm {
  g: Tensor // [1 c 1 1]

  constructor(init: Init, channels: number) {
    this.g = init.weight([1, channels, 1, 1], { constant: 1 })
  }

  /** (x − mean)/σ; `foldInto` applies the gain. */
  normalize(x: Tensor): Tensor {
    const [centered, inverseDeviation] = centerChannels(x, eps)
    return centered.mul(inverseDeviation)
  }

  forward(x: Tensor): Tensor {
    return this.normalize(x).mul(this.g)
  }

  /** Folds the gain into the convolution after the norm. */
  foldInto({ weight, bias, stride, padding, groups }: Conv2d): ConvWeights {
    return { weight: weight.mul(this.g), bias, stride, padding, groups }
  }
}

/** Sines and cosines of times [b], at `features`/2 frequencies from 1 to 1/10,000: [b features]. */
export function sinusoid(time: Tensor, features: number): Tensor {
  const half = features / 2
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp((-Math.log(10_000) * i) / (half - 1)),
  )
  const angles = time.reshape([-1, 1]).mul(constant(frequencies, [1, half]))
  return cat([angles.sin(), angles.cos()], 1)
}

export interface ResBlockOptions {
  readonly channelsIn: number
  readonly channelsOut: number
  /** Width of the time embedding; undefined for a block without time. */
  readonly timeFeatures?: number | undefined
}

/**
 * Two 3×3 convolutions with a skip connection; the time embedding scales and shifts the output of the first.
 */
export class ResBlock {
  mlp?: readonly [(x: Tensor) => Tensor, Linear]
  block1: { proj: Conv2d }
  block2: { proj: Conv2d }
  res_conv?: Conv2d

  constructor(init: Init, { channelsIn, channelsOut, timeFeatures }: ResBlockOptions) {
    const conv = (from: number) => new Conv2d(init, from, channelsOut, { kernel: 3, bias: false })
    if (timeFeatures !== undefined)
      this.mlp = [(x) => x.silu(), new Linear(init, timeFeatures, 2 * channelsOut, { bias: true })]
    this.block1 = { proj: conv(channelsIn) }
    this.block2 = { proj: conv(channelsOut) }
    if (channelsIn !== channelsOut)
      this.res_conv = new Conv2d(init, channelsIn, channelsOut, { kernel: 1, bias: false })
  }

  /** [b in h w] -> [b out h w]; time [b features]. */
  forward(x: Tensor, time?: Tensor): Tensor {
    const convolved = this.block1.proj.forward(x)
    const h = this.block2.proj.forward(this.#modulate(convolved, time).silu()).silu()
    return h.add(this.res_conv ? this.res_conv.forward(x) : x)
  }

  #modulate(x: Tensor, time: Tensor | undefined): Tensor {
    if (!this.mlp || !time) return x
    const [activate, project] = this.mlp
    const [scale, shift] = project
      .forward(activate(time))
      .reshape([-1, 2 * x.size(1), 1, 1])
      .chunk(2, 1)
    return x.mul(scale.add(1)).add(shift)
  }
}

/**
 * An attention of a U-Net. It receives the norm before it, so that it can fold the gain into its first
 * weights.
 */
export interface MapAttention {
  /** [b c h w] -> [b c h w]; `vector` [b c] is the contribution of cross-attention, if any. */
  forward(x: Tensor, norm: ChannelGainNorm, vector?: Tensor): Tensor
}

/** x + attention(norm(x)). */
export class ResidualAttention<A extends MapAttention> {
  fn: { fn: A; norm: ChannelGainNorm }

  constructor(init: Init, channels: number, attention: A) {
    this.fn = { fn: attention, norm: new ChannelGainNorm(init, channels) }
  }

  forward(x: Tensor, vector?: Tensor): Tensor {
    return x.add(scoped(x, () => this.fn.fn.forward(x, this.fn.norm, vector)))
  }
}

const heads = 4
const headFeatures = 32

/** Query, key and value [b heads 32 n]; slices the weight, so no pixels are copied. */
function queryKeyValue(x: Tensor, norm: ChannelGainNorm, toQkv: Conv2d) {
  const parts = convInParts(norm.normalize(x), 3, [norm.foldInto(toQkv)])
  return parts.map((part) => rearrange(part, 'b (heads d) h w -> b heads d (h w)', { heads })) as [
    Tensor,
    Tensor,
    Tensor,
  ]
}

/**
 * Attention whose cost is linear in pixels (arXiv:1812.01243): out = W_o · (v · softmax(k)ᵀ) · softmax(q).
 * With v = W_v · x, this equals (W_o · W_v · (x · softmax(k)ᵀ)) · softmax(q): v is never computed, and the
 * bracketed factor is a channel matrix.
 */
export class LinearAttention implements MapAttention {
  to_qkv: Conv2d
  to_out: readonly [Conv2d, ChannelGainNorm]

  constructor(init: Init, channels: number) {
    const hidden = heads * headFeatures
    this.to_qkv = new Conv2d(init, channels, 3 * hidden, { kernel: 1, bias: false })
    const project = new Conv2d(init, hidden, channels, { kernel: 1, bias: true })
    this.to_out = [project, new ChannelGainNorm(init, channels)]
  }

  forward(x: Tensor, norm: ChannelGainNorm): Tensor {
    const { h, w } = x.axes('b c h w')
    const c = x.size(1)
    const pixels = rearrange(norm.normalize(x), 'b c h w -> b c (h w)')
    const [toQ, toK, toV] = norm.foldInto(this.to_qkv).weight.reshape([-1, c]).chunk(3, 0)
    const k = toK.matmul(pixels).softmax(-1) // [b (heads d) n]
    const gathered = rearrange(pixels.matmul(k.transpose(-2, -1)), 'b c (heads d) -> b heads c d', { heads })
    const context = toV.reshape([heads, headFeatures, c]).matmul(gathered) // [b heads e d]
    const [project, normOut] = this.to_out
    const toOut = rearrange(project.weight.reshape([c, -1]), 'c (heads e) -> heads c e', { heads })
    const scale = headFeatures ** -0.5 / (x.size(2) * x.size(3))
    const combined = rearrange(toOut.matmul(context).mul(scale), 'b heads c d -> b c (heads d)')
    // Features last, so that softmax needs no copy.
    const q = pixels.transpose(-2, -1).matmul(toQ.transpose(0, 1))
    const weights = rearrange(q, 'b n (heads d) -> b n heads d', { heads }).softmax(-1)
    const out = combined.matmul(rearrange(weights, 'b n heads d -> b n (heads d)').transpose(-2, -1))
    return normOut.forward(toImage(out, h, w).add(project.bias?.reshape([1, c, 1, 1]) ?? 0))
  }
}

/** Attention between all pixels, for small maps. */
export class FullAttention implements MapAttention {
  to_qkv: Conv2d
  to_out: Conv2d

  constructor(init: Init, channels: number) {
    const hidden = heads * headFeatures
    this.to_qkv = new Conv2d(init, channels, 3 * hidden, { kernel: 1, bias: false })
    this.to_out = new Conv2d(init, hidden, channels, { kernel: 1, bias: true })
  }

  forward(x: Tensor, norm: ChannelGainNorm): Tensor {
    const { h, w } = x.axes('b c h w')
    const [q, k, v] = queryKeyValue(x, norm, this.to_qkv)
    const rows = (t: Tensor) => t.transpose(-2, -1)
    const out = attend(rows(q).mul(headFeatures ** -0.5), k, rows(v)) // [b heads n d]
    return this.to_out.forward(rearrange(out, 'b heads (h w) d -> b (heads d) h w', { h, w }))
  }
}

/**
 * Limit on the logits in memory, in bytes; queries are split to stay below it, as
 * softmax rows are independent.
 */
const maxLogitBytes = 2 ** 28

/** softmax(q·k)·v with q [b heads n d], k [b heads d m] and v [b heads m d]. */
export function attend(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const [b, headCount, n, , m] = [...q.shape, k.shape[3]]
  const bytes = 4 * Number(b) * Number(headCount) * Number(n) * Number(m)
  if (!(bytes > maxLogitBytes)) return q.matmul(k).softmax(-1).matmul(v)
  const rows = Math.ceil((Number(n) * maxLogitBytes) / bytes)
  const parts: Tensor[] = []
  for (let start = 0; start < Number(n); start += rows) {
    const part = q.slice(2, start, Math.min(start + rows, Number(n)))
    parts.push(part.matmul(k).softmax(-1).matmul(v))
  }
  return cat(parts as [Tensor, ...Tensor[]], 2)
}

/** Halves height and width with a 4×4 convolution of stride 2. */
export function downsample(init: Init, channelsIn: number, channelsOut: number): Conv2d {
  return new Conv2d(init, channelsIn, channelsOut, { kernel: 4, bias: true, stride: 2, padding: 1 })
}

/** Doubles height and width. */
export class Upsample {
  readonly 1: Conv2d

  constructor(init: Init, channelsIn: number, channelsOut: number) {
    this[1] = new Conv2d(init, channelsIn, channelsOut, { kernel: 3, bias: true })
  }

  forward(x: Tensor): Tensor {
    return this[1].forward(x.upsampleNearest(2))
  }
}
