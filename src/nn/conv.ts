import type { Tensor } from '../core/tensor.ts'
import { type Init, uniformByFanIn } from './init.ts'

export interface Conv2dOptions {
  readonly kernel: number
  readonly bias: boolean
  readonly stride?: number
  readonly groups?: number
}

/** Convolution of [b in h w] with zero padding kernel/2; stride 1 keeps the size. */
export class Conv2d {
  weight: Tensor // [out in/groups kernel kernel]
  bias?: Tensor // [out]
  readonly stride: number
  readonly padding: number
  readonly groups: number

  constructor(
    init: Init,
    channelsIn: number,
    channelsOut: number,
    { kernel, bias, stride = 1, groups = 1 }: Conv2dOptions,
  ) {
    const fanIn = (channelsIn / groups) * kernel * kernel
    this.weight = init.weight([channelsOut, channelsIn / groups, kernel, kernel], uniformByFanIn(fanIn))
    if (bias) this.bias = init.weight([channelsOut], uniformByFanIn(fanIn))
    this.stride = stride
    this.padding = Math.floor(kernel / 2)
    this.groups = groups
  }

  forward(x: Tensor): Tensor {
    return x.conv2d(this.weight, this.bias, this)
  }
}
