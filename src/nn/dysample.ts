// DySample: Learning to Upsample by Learning to Sample, arXiv:2308.15085, with the dynamic scope factor, as upsamplers of the community's
// networks use it.

import { constant } from '../core/hostBackend.ts'
import { cat, type Tensor } from '../core/tensor.ts'
import { Conv2d } from './conv.ts'
import type { Init } from './init.ts'

/** Options of {@link DySample}. */
export interface DySampleOptions {
  readonly channels: number
  readonly scale: number
  /** Groups of channels, each with positions of its own. */
  readonly groups: number
  /** Channels after the last convolution; without it, all that come in. @default no convolution */
  readonly outChannels?: number | undefined
}

/** Enlarges [b channels h w] to [b outChannels h·scale w·scale] by sampling each group of channels at positions it learnt. */
export class DySample {
  readonly scale: number
  readonly groups: number
  end_conv?: Conv2d
  offset: Conv2d
  scope: Conv2d
  init_pos: Tensor // [1 2·groups·scale² 1 1]

  constructor(init: Init, { channels, scale, groups, outChannels }: DySampleOptions) {
    this.scale = scale
    this.groups = groups
    const positions = 2 * this.groups * scale ** 2
    const conv = (to: number, bias: boolean) => new Conv2d(init, channels, to, { kernel: 1, bias })
    if (outChannels !== undefined) this.end_conv = conv(outChannels, true)
    this.offset = conv(positions, true)
    this.scope = conv(positions, false)
    this.init_pos = init.buffer([1, positions, 1, 1], startPositions(scale, this.groups))
  }

  /** Needs a fixed size, by which the positions are normalized. */
  forward(x: Tensor): Tensor {
    const { b, h, w } = x.axes('b c h w')
    const { scale, groups } = this
    const shifts = this.offset.forward(x).mul(this.scope.forward(x).sigmoid()).mul(0.5).add(this.init_pos)
    const [alongX, alongY] = shifts.chunk(2, 1)
    const [width, height] = [x.size(3), x.size(2)]
    const position = (shift: Tensor, size: number, shape: readonly number[]) =>
      shift
        .mul(2 / size)
        .add(constant(centers(size), shape))
        .pixelShuffle(scale)
        .reshape([Number(b) * groups, height * scale, width * scale, 1])
    const grid = cat(
      [position(alongX, width, [1, 1, 1, width]), position(alongY, height, [1, 1, height, 1])],
      3,
    )
    const [features, bias] = this.#projected(x)
    const perGroup = features.size(1) / groups
    const sampled = features.reshape([Number(b) * groups, perGroup, h, w]).gridSample(grid)
    const enlarged = sampled.reshape([b, groups, perGroup, height * scale, width * scale])
    return bias
      ? enlarged.sum([1]).add(bias.reshape([1, -1, 1, 1]))
      : enlarged.reshape([b, -1, height * scale, width * scale])
  }

  /**
   * What to sample: the last convolution is applied per group before sampling, on fewer pixels, and the sum
   * over groups remains.
   */
  #projected(x: Tensor): readonly [features: Tensor, bias: Tensor | undefined] {
    if (!this.end_conv) return [x, undefined]
    const { groups } = this
    const { weight, bias } = this.end_conv
    const outChannels = weight.size(0)
    const perGroup = x.size(1) / groups
    const grouped = weight
      .reshape([outChannels, groups, perGroup])
      .transpose(0, 1)
      .reshape([groups * outChannels, perGroup, 1, 1])
    return [x.conv2d(grouped, undefined, { groups }), bias]
  }
}

/** Positions of the centers of pixels, where −1 and 1 are the borders. */
function centers(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => (2 * i + 1) / size - 1)
}

/** Positions of the pixels of bilinear enlargement, relative to the pixel that they come from: x, then y. */
function startPositions(scale: number, groups: number): readonly number[] {
  const steps = Array.from({ length: scale }, (_, i) => (i - (scale - 1) / 2) / scale)
  const alongX = steps.flatMap(() => steps)
  const alongY = steps.flatMap((y) => steps.map(() => y))
  return [alongX, alongY].flatMap((positions) => Array.from({ length: groups }, () => positions).flat())
}
