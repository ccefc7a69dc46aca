import { centreChannels } from '../core/functional.ts'
import type { Tensor } from '../core/tensor.ts'
import type { Conv2d } from './conv.ts'
import type { Init } from './init.ts'

const eps = 1e-5

/**
 * LayerNorm over the channels of every pixel of [b c h w], as Restormer has it (§3 of arXiv:2111.09881;
 * swz30/Restormer@df766d5 restormer_arch.py). The bias-free form divides by the deviation without centring first.
 */
export class ChannelLayerNorm {
  readonly body: { weight: Tensor; bias?: Tensor } // [c] each

  constructor(init: Init, channels: number, { bias }: { bias: boolean }) {
    this.body = { weight: init.weight([channels], { constant: 1 }) }
    if (bias) this.body.bias = init.weight([channels], { constant: 0 })
  }

  /**
   * conv(norm(x)) for a 1×1 convolution, in fewer passes over the pixels: with σ the deviation, g and β the affine part,
   * W·(g·(x − mean)/σ + β) = (W·diag(g))·((x − mean)/σ) + W·β, so that scaling and β move into the weights.
   */
  forwardInto(conv: Conv2d, x: Tensor): Tensor {
    const { weight, bias } = this.body
    const [out, c] = [conv.weight.size(0), conv.weight.size(1)]
    const values = x.cast('float32')
    const [centred, inverseDeviation] = centreChannels(values, eps)
    const scaled = conv.weight.mul(weight.reshape([1, c, 1, 1]))
    if (!bias) return values.mul(inverseDeviation).conv2d(scaled, conv.bias)
    const shift = conv.weight
      .mul(bias.reshape([1, c, 1, 1]))
      .sum([1])
      .reshape([out])
    return centred.mul(inverseDeviation).conv2d(scaled, conv.bias ? shift.add(conv.bias) : shift)
  }
}
