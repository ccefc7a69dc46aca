import type { Tensor } from '../core/tensor.ts'
import { type Init, uniformByFanIn } from './init.ts'

export interface Conv2dOptions {
  readonly kernel: number
  readonly bias: boolean
  readonly stride?: number
  readonly groups?: number
  /** Zeros around the image; default: half the kernel. */
  readonly padding?: number
  /** Distance of the kernel's taps; default: 1. */
  readonly dilation?: number
}

/** Weights and attributes of a convolution, possibly folded or sliced. */
export interface ConvWeights {
  readonly weight: Tensor
  readonly bias?: Tensor | undefined
  readonly stride: number
  readonly padding: number
  readonly groups: number
  readonly dilation?: number
}

/** Applies a convolution. */
export function convolve(x: Tensor, conv: ConvWeights): Tensor {
  return x.conv2d(conv.weight, conv.bias, conv)
}

/** Splits the output channels into equal parts; for a depth-wise convolution, the input channels too. */
function partsOf({ weight, bias, groups, ...rest }: ConvWeights, parts: number): readonly ConvWeights[] {
  const biases = bias?.chunk(parts, 0)
  return weight.chunk(parts, 0).map((part, i) => {
    return { ...rest, weight: part, bias: biases?.[i], groups: groups === 1 ? 1 : groups / parts }
  })
}

/**
 * Applies successive convolutions and splits the result by channels. Weights are
 * sliced, so no pixels are copied.
 */
export function convInParts(x: Tensor, parts: 2, convs: readonly ConvWeights[]): readonly [Tensor, Tensor]
export function convInParts(
  x: Tensor,
  parts: 3,
  convs: readonly ConvWeights[],
): readonly [Tensor, Tensor, Tensor]
export function convInParts(x: Tensor, parts: number, convs: readonly ConvWeights[]): readonly Tensor[] {
  const inParts = convs.map((conv) => partsOf(conv, parts))
  return Array.from({ length: parts }, (_, i) =>
    inParts.reduce((y, conv) => {
      const part = conv[i] as ConvWeights
      return convolve(y, part)
    }, x),
  )
}

/** scale · conv(x) as one convolution, which spares a pass over the pixels; one scale per channel. */
export function scaleFolded(conv: Conv2d, scale: Tensor): ConvWeights {
  const { weight, bias, stride, padding, groups } = conv
  const c = weight.size(0)
  return {
    weight: weight.mul(scale.reshape([c, 1, 1, 1])),
    bias: bias?.mul(scale.reshape([c])),
    stride,
    padding,
    groups,
  }
}

/** Convolution of [b in h w] with zero padding; the defaults keep the size. */
export class Conv2d {
  weight: Tensor // [out in/groups kernel kernel]
  bias?: Tensor // [out]
  readonly stride: number
  readonly padding: number
  readonly groups: number
  readonly dilation: number

  constructor(
    init: Init,
    channelsIn: number,
    channelsOut: number,
    { kernel, bias, stride = 1, groups = 1, padding = Math.floor(kernel / 2), dilation = 1 }: Conv2dOptions,
  ) {
    const fanIn = (channelsIn / groups) * kernel * kernel
    this.weight = init.weight([channelsOut, channelsIn / groups, kernel, kernel], uniformByFanIn(fanIn))
    if (bias) this.bias = init.weight([channelsOut], uniformByFanIn(fanIn))
    this.stride = stride
    this.padding = padding
    this.groups = groups
    this.dilation = dilation
  }

  forward(x: Tensor): Tensor {
    return convolve(x, this)
  }
}
