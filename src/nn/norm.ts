import { centerChannels } from '../core/functional.ts'
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
    const { weight, bias } = this.body
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
