// DRUNet, the denoiser of Plug-and-Play Image Restoration with Deep Denoiser Prior, arXiv:2008.13751 §3. Checkpoint keys:
// cszn/DPIR models/network_unet.py.
// Input [b c h w] in 0..1, at least 5 pixels a side, padded inside to multiples of 8.

import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import {
  downsamplingOf,
  KairResBlock,
  type KairUnetOptions,
  kairDownsample,
  kairUnetDefaults,
  kairUpsample,
} from '../../nn/kairBlocks.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { runSteps, type Step } from '../../nn/upsampler.ts'
import { auto, defineNetwork, type NumberOrAuto } from '../networkDescriptor.ts'
import { checkSigma, denoiserCalls, denoiserRole, withNoiseMap } from '../noiseLevelOption.ts'
import { drunetFacts } from './cards.ts'

/** Options of DRUNet. */
export interface DrunetOptions extends KairUnetOptions {
  /**
   * Standard deviation of the noise, of 255; 'auto' estimates it from the photo, and takes tensors to have 15.
   */
  readonly sigma: NumberOrAuto
}

/** Options of the official network for color. */
export const drunetDefaults: DrunetOptions = {
  ...kairUnetDefaults,
  sigma: auto,
}

/** U-Net of residual blocks without biases, which is told the noise level by a map. */
export class Drunet {
  m_head: Conv2d
  m_down1: readonly Step[]
  m_down2: readonly Step[]
  m_down3: readonly Step[]
  m_body: readonly Step[]
  m_up3: readonly Step[]
  m_up2: readonly Step[]
  m_up1: readonly Step[]
  m_tail: Conv2d

  constructor(init: Init, { channels, widths, blocks, downsampling, upsampling }: DrunetOptions) {
    const [full, half, quarter, eighth] = widths
    const residual = (c: number) => Array.from({ length: blocks }, () => new KairResBlock(init, c, false))
    const down = (from: number, to: number) => [
      ...residual(from),
      ...kairDownsample(init, downsampling, { from, to, bias: false }),
    ]
    const up = (from: number, to: number) => [
      ...kairUpsample(init, upsampling, { from, to, bias: false }),
      ...residual(to),
    ]
    this.m_head = new Conv2d(init, channels + 1, full, { kernel: 3, bias: false })
    this.m_down1 = down(full, half)
    this.m_down2 = down(half, quarter)
    this.m_down3 = down(quarter, eighth)
    this.m_body = residual(eighth)
    this.m_up3 = up(eighth, quarter)
    this.m_up2 = up(quarter, half)
    this.m_up1 = up(half, full)
    this.m_tail = new Conv2d(init, full, channels, { kernel: 3, bias: false })
  }

  /** [b channels h w] and sigma [1 1], of 255 -> [b channels h w], not clamped. */
  forward(image: Tensor, sigma: Tensor): Tensor {
    const x1 = this.m_head.forward(withNoiseMap(padTo(image, 8, 'reflect'), sigma))
    const x2 = runSteps(this.m_down1, x1)
    const x3 = runSteps(this.m_down2, x2)
    const x4 = runSteps(this.m_down3, x3)
    let x = runSteps(this.m_body, x4)
    x = runSteps(this.m_up3, x.add(x4))
    x = runSteps(this.m_up2, x.add(x3))
    x = runSteps(this.m_up1, x.add(x2))
    return cropLike(this.m_tail.forward(x.add(x1)), image)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function drunetOptionsFromWeights(shapes: KeyShapes): DrunetOptions {
  const { size, count } = shapeReader('DRUNet', shapes)
  const blocks = count('m_body', 'res.0.weight')
  const width = (list: string) => size(`${list}.0.res.0.weight`, 0)
  return {
    channels: size('m_tail.weight', 0),
    widths: [width('m_down1'), width('m_down2'), width('m_down3'), width('m_body')],
    blocks,
    downsampling: downsamplingOf(shapes, blocks),
    upsampling: shapes.has('m_up3.1.weight')
      ? 'upconv'
      : size('m_up3.0.weight', 2) === 2
        ? 'convtranspose'
        : 'pixelshuffle',
    sigma: auto,
  }
}

export const drunet = defineNetwork({
  facts: drunetFacts,
  defaults: drunetDefaults,
  optionsFromWeights: drunetOptionsFromWeights,
  optionsNotInWeights: ['sigma'],
  create: (init, options) => new Drunet(init, options),
  inputs: { x: 'b channels h w' },
  outputs: ['y'],
  ...denoiserCalls,
  size: () => ({ multipleOf: 1, minimum: 5, padToMultiple: 8 }),
  channels: ({ channels }) => ({ input: channels, output: channels }),
  tiling: () => ({ whole: 'needless', tilePx: 512, overlapPx: 64, batch: 1 }),
  memory: ({ widths }) => ({ fixedBytes: 300e6, bytesPerPixel: 4 * 6 * widths[0] }),
  role: ({ sigma }) => denoiserRole(sigma),
  check: ({ sigma }) => checkSigma(sigma),
})
