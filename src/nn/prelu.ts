import type { Tensor } from '../core/tensor.ts'
import type { Init } from './init.ts'

/** Leaky ReLU with a learnt slope for each channel. */
export class PRelu {
  weight: Tensor // [channels]

  constructor(init: Init, channels: number) {
    this.weight = init.weight([channels], { constant: 0.25 })
  }

  forward(x: Tensor): Tensor {
    return x.prelu(this.weight)
  }
}
