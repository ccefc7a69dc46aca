import type { Tensor } from '../core/tensor.ts'
import { type Init, uniformByFanIn } from './init.ts'

/**
 * Transposed 2×2 convolution of stride 2: [b in h w] -> [b out 2h 2w]. Its windows do not overlap, so it is a 1×1
 * convolution and a pixel shuffle.
 */
export class ConvTranspose2x2 {
  weight: Tensor // [in out 2 2]
  bias?: Tensor // [out]

  constructor(init: Init, channelsIn: number, channelsOut: number, { bias }: { readonly bias: boolean }) {
    const fanIn = 4 * channelsOut
    this.weight = init.weight([channelsIn, channelsOut, 2, 2], uniformByFanIn(fanIn))
    if (bias) this.bias = init.weight([channelsOut], uniformByFanIn(fanIn))
  }

  forward(x: Tensor): Tensor {
    const [into, out] = [this.weight.size(0), this.weight.size(1)]
    const weight = this.weight.permute([1, 2, 3, 0]).reshape([4 * out, into, 1, 1])
    const bias = this.bias
      ?.reshape([out, 1])
      .expand([out, 4])
      .reshape([4 * out])
    return x.conv2d(weight, bias).pixelShuffle(2)
  }
}
