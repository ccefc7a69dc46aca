// Blocks of the U-Nets of DRUNet and FBCNN: cszn/KAIR models/basicblock.py.

import type { Tensor } from '../core/tensor.ts'
import { Conv2d } from './conv.ts'
import { ConvTranspose2x2 } from './convTranspose.ts'
import type { Init } from './init.ts'
import type { KeyShapes } from './keyShapes.ts'
import type { Step } from './upsampler.ts'

/** How height and width are halved; average pooling is followed by a convolution. */
export type Downsampling = 'strideconv' | 'avgpool'

/** How height and width are doubled. */
export type Upsampling = 'convtranspose' | 'upconv' | 'pixelshuffle'

/** Options of the U-Nets. */
export interface KairUnetOptions {
  readonly channels: number
  /** Channels at full, half, quarter and eighth resolution. */
  readonly widths: readonly [number, number, number, number]
  /** Residual blocks of each level, down and up. */
  readonly blocks: number
  readonly downsampling: Downsampling
  readonly upsampling: Upsampling
}

/** Options of the official networks for color. */
export const kairUnetDefaults: KairUnetOptions = {
  channels: 3,
  widths: [64, 128, 256, 512],
  blocks: 4,
  downsampling: 'strideconv',
  upsampling: 'convtranspose',
}

export interface KairConvOptions {
  readonly from: number
  readonly to: number
  readonly bias: boolean
}

const relu = (x: Tensor) => x.relu()

/** x + conv(relu(conv(x))). */
export class KairResBlock {
  res: readonly [Conv2d, (x: Tensor) => Tensor, Conv2d]

  constructor(init: Init, c: number, bias: boolean) {
    const conv = () => new Conv2d(init, c, c, { kernel: 3, bias })
    this.res = [conv(), relu, conv()]
  }

  forward(x: Tensor): Tensor {
    return x.add(this.residual(x))
  }

  residual(x: Tensor): Tensor {
    const [first, activate, second] = this.res
    return second.forward(activate(first.forward(x)))
  }
}

/** Layers that halve height and width. */
export function kairDownsample(
  init: Init,
  kind: Downsampling,
  { from, to, bias }: KairConvOptions,
): readonly Step[] {
  if (kind === 'strideconv') return [new Conv2d(init, from, to, { kernel: 2, bias, stride: 2, padding: 0 })]
  return [(x) => x.avgPool2d(2), new Conv2d(init, from, to, { kernel: 3, bias })]
}

/** Layers that double height and width. */
export function kairUpsample(
  init: Init,
  kind: Upsampling,
  { from, to, bias }: KairConvOptions,
): readonly Step[] {
  if (kind === 'convtranspose') return [new ConvTranspose2x2(init, from, to, { bias })]
  if (kind === 'upconv') return [(x) => x.upsampleNearest(2), new Conv2d(init, from, to, { kernel: 3, bias })]
  return [new Conv2d(init, from, 4 * to, { kernel: 3, bias }), (x) => x.pixelShuffle(2)]
}

/** Infers how the first level is halved. */
export function downsamplingOf(shapes: KeyShapes, blocks: number): Downsampling {
  return shapes.has(`m_down1.${blocks}.weight`) ? 'strideconv' : 'avgpool'
}
