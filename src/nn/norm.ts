import { centerChannels } from '../core/functional.ts'
import { rearrange } from '../core/rearrange.ts'
import type { Tensor } from '../core/tensor.ts'
import type { Conv2d, ConvWeights } from './conv.ts'
import type { Init } from './init.ts'

const eps = 1e-5

/**
 * LayerNorm over the channels of every pixel of [b c h w], as in Restormer (§3 of
 * arXiv:2111.09881; swz30/Restormer@df766d5 restormer_arch.py). The bias-free form
 * divides by the deviation without centering first.
 */
export class ChannelLayerNorm {
  readonly body: { weight: Tensor; bias?: Tensor } // [c] each

  constructor(init: Init, channels: number, { bias }: { bias: boolean }) {
    this.body = { weight: init.weight([channels], { constant: 1 }) }
    if (bias) this.body.bias = init.weight([channels], { constant: 0 })
  }

  /** x/σ or (x − mean)/σ, with σ the standard deviation; `foldInto` applies the affine part. */
  normalize(x: Tensor): Tensor {
    const values = x.cast('float32')
    const [centered, inverseDeviation] = centerChannels(values, eps)
    return (this.body.bias ? centered : values).mul(inverseDeviation)
  }

  /**
   * Folds the affine part into the 1×1 convolution after the norm, to save passes over
   * the pixels: W·(g·x + β) = (W·diag(g))·x + W·β.
   */
  foldInto(conv: Conv2d): ConvWeights {
    return affineFolded(this.body, conv)
  }
}

/** Folds x·weight + bias into the 1×1 convolution after it. */
function affineFolded(
  { weight, bias }: { readonly weight: Tensor; readonly bias?: Tensor },
  conv: Conv2d,
): ConvWeights {
  const out = conv.weight.size(0)
  const c = conv.weight.size(1)
  const { stride, padding, groups } = conv
  const scaled = conv.weight.mul(weight.reshape([1, c, 1, 1]))
  if (!bias) return { weight: scaled, bias: conv.bias, stride, padding, groups }
  const shift = conv.weight
    .reshape([out, c])
    .matmul(bias.reshape([c, 1]))
    .reshape([out])
  return { weight: scaled, bias: conv.bias ? shift.add(conv.bias) : shift, stride, padding, groups }
}

/** LayerNorm over the channels of every pixel of [b c h w], biased variance, as in ConvNeXt and NAFNet. */
export class LayerNorm2d {
  weight: Tensor // [c]
  bias: Tensor // [c]

  constructor(init: Init, channels: number) {
    this.weight = init.weight([channels], { constant: 1 })
    this.bias = init.weight([channels], { constant: 0 })
  }

  /** (x − mean)/σ; `foldInto` applies the affine part. */
  normalize(x: Tensor): Tensor {
    const [centered, inverseDeviation] = centerChannels(x, 1e-6)
    return centered.mul(inverseDeviation)
  }

  forward(x: Tensor): Tensor {
    const perChannel = (t: Tensor) => t.reshape([1, -1, 1, 1])
    return this.normalize(x).mul(perChannel(this.weight)).add(perChannel(this.bias))
  }

  /** Folds the affine part into the 1×1 convolution after the norm. */
  foldInto(conv: Conv2d): ConvWeights {
    return affineFolded(this, conv)
  }
}

/** GroupNorm of [b c h w]: over the pixels and channels of each group, biased variance. */
export class GroupNorm {
  readonly groups: number
  readonly eps: number
  weight: Tensor // [c]
  bias: Tensor // [c]

  constructor(init: Init, channels: number, { groups, eps }: { groups: number; eps: number }) {
    this.groups = groups
    this.eps = eps
    this.weight = init.weight([channels], { constant: 1 })
    this.bias = init.weight([channels], { constant: 0 })
  }

  forward(x: Tensor): Tensor {
    const grouped = rearrange(x, 'b (groups d) h w -> b groups (d h w)', { groups: this.groups })
    const centered = grouped.sub(grouped.mean([2], { keepDim: true }))
    const inverseDeviation = centered.mul(centered).mean([2], { keepDim: true }).add(this.eps).rsqrt()
    const perChannel = (t: Tensor) => t.reshape([1, -1, 1, 1])
    const normal = centered.mul(inverseDeviation).reshape(x.shape)
    return normal.mul(perChannel(this.weight)).add(perChannel(this.bias))
  }
}

/** LayerNorm over the last dimension of [… d], biased variance. */
export class LayerNorm {
  weight: Tensor // [d]
  bias: Tensor // [d]

  constructor(init: Init, features: number) {
    this.weight = init.weight([features], { constant: 1 })
    this.bias = init.weight([features], { constant: 0 })
  }

  forward(x: Tensor): Tensor {
    return x.layerNorm(this, eps)
  }
}
