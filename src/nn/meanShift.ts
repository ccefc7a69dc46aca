import type { Tensor } from '../core/tensor.ts'
import type { Init } from './init.ts'

/** Mean color of DIV2K in [0, 1]. */
export const meanColor = [0.4488, 0.4371, 0.404] as const

/**
 * Subtracts (sign −1) or adds (1) the mean color of an image in 0..255, as in EDSR: a fixed 1×1 convolution.
 */
export class MeanShift {
  weight: Tensor // [3 3 1 1]
  bias: Tensor // [3]

  constructor(init: Init, sign: 1 | -1) {
    this.weight = init.buffer([3, 3, 1, 1], [1, 0, 0, 0, 1, 0, 0, 0, 1])
    this.bias = init.buffer(
      [3],
      meanColor.map((value) => sign * 255 * value),
    )
  }

  forward(x: Tensor): Tensor {
    return x.conv2d(this.weight, this.bias)
  }
}
