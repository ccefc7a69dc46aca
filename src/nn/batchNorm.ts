import type { Tensor } from '../core/tensor.ts'
import type { Conv2d, ConvWeights } from './conv.ts'
import type { Init } from './init.ts'

const eps = 1e-5

/** Batch statistics of a norm's input, from which its running statistics are updated. */
export interface BatchStatistics {
  readonly norm: BatchNorm2d
  readonly mean: Tensor // [c]
  readonly variance: Tensor // [c], biased
  /** Number of values per channel. */
  readonly count: number
}

/** Batch normalization of [b c h w] (arXiv:1502.03167). */
export class BatchNorm2d {
  weight: Tensor // [c]
  bias: Tensor // [c]
  running_mean: Tensor // [c]
  running_var: Tensor // [c]
  num_batches_tracked: Tensor // []

  constructor(init: Init, channels: number) {
    this.weight = init.weight([channels], { constant: 1 })
    this.bias = init.weight([channels], { constant: 0 })
    this.running_mean = init.buffer([channels], 0)
    this.running_var = init.buffer([channels], 1)
    this.num_batches_tracked = init.buffer([], 0)
  }

  /** Normalizes by the statistics of the batch, as in training, and reports them to `onBatch`. */
  forward(x: Tensor, onBatch: (statistics: BatchStatistics) => void): Tensor {
    const c = this.weight.size(0)
    const mean = x.mean([0, 2, 3], { keepDim: true })
    const centered = x.sub(mean)
    const variance = centered.mul(centered).mean([0, 2, 3], { keepDim: true })
    const count = x.size(0) * x.size(2) * x.size(3)
    onBatch({ norm: this, mean: mean.reshape([c]), variance: variance.reshape([c]), count })
    const scale = variance
      .add(eps)
      .rsqrt()
      .mul(this.weight.reshape([1, c, 1, 1]))
    return centered.mul(scale).add(this.bias.reshape([1, c, 1, 1]))
  }

  /** Scale and shift [1 c 1 1] that the running statistics amount to, as in inference. */
  affine(): { readonly scale: Tensor; readonly shift: Tensor } {
    const perChannel = (t: Tensor) => t.reshape([1, this.weight.size(0), 1, 1])
    const scale = this.running_var.add(eps).rsqrt().mul(this.weight)
    return { scale: perChannel(scale), shift: perChannel(this.bias.sub(this.running_mean.mul(scale))) }
  }

  /** Folds the norm into the convolution before it, with the running statistics, as in inference. */
  foldInto(conv: Conv2d): ConvWeights {
    const c = this.weight.size(0)
    const { weight, bias, stride, padding, groups } = conv
    const scale = this.running_var.add(eps).rsqrt().mul(this.weight)
    const center = bias ? bias.sub(this.running_mean) : this.running_mean.neg()
    return {
      weight: weight.mul(scale.reshape([c, 1, 1, 1])),
      bias: center.mul(scale).add(this.bias),
      stride,
      padding,
      groups,
    }
  }
}
