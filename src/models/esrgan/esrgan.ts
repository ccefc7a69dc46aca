// ESRGAN's network of residual-in-residual dense blocks, arXiv:1809.00219 §3.1; also that of BSRGAN and Real-ESRGAN, which takes small scales by
// unshuffling its input (arXiv:2107.10833 §3.3), and of ESRGAN+ (arXiv:2001.08073). Checkpoint keys: XPixelGroup/BasicSR@8d56e3a
// basicsr/archs/rrdbnet_arch.py; layouts.ts renames those of other files.
// Input [b c h w] in 0..1 of any size.

import { pixelUnshuffle } from '../../core/functional.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { factorsOf } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { esrganFacts } from './cards.ts'

/** Options of ESRGAN. */
export interface EsrganOptions {
  readonly inChannels: number
  readonly outChannels: number
  readonly channels: number
  /** Channels that each convolution of a dense block adds. */
  readonly growth: number
  readonly blocks: number
  /** Enlargement behind the blocks: a power of 2; or 3, which files do not tell from 2. */
  readonly upscale: number
  /** The input is unshuffled by this factor, which divides the scale. */
  readonly unshuffle: number
  /** Shortcuts of ESRGAN+. */
  readonly plus: boolean
}

/** Options of the official ×4 models. */
export const esrganDefaults: EsrganOptions = {
  inChannels: 3,
  outChannels: 3,
  channels: 64,
  growth: 32,
  blocks: 23,
  upscale: 4,
  unshuffle: 1,
  plus: false,
}

const slope = 0.2
const residualScale = 0.2

/** Five convolutions, each on the input and the results of all before it. */
class DenseBlock {
  conv1: Conv2d
  conv2: Conv2d
  conv3: Conv2d
  conv4: Conv2d
  conv5: Conv2d
  conv1x1?: Conv2d

  constructor(init: Init, { channels: c, growth: g, plus }: EsrganOptions) {
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: true })
    this.conv1 = conv(c, g)
    this.conv2 = conv(c + g, g)
    this.conv3 = conv(c + 2 * g, g)
    this.conv4 = conv(c + 3 * g, g)
    this.conv5 = conv(c + 4 * g, c)
    if (plus) this.conv1x1 = new Conv2d(init, c, g, { kernel: 1, bias: false })
  }

  forward(x: Tensor): Tensor {
    const x1 = this.conv1.forward(x).leakyRelu(slope)
    let x2 = this.conv2.forward(cat([x, x1], 1)).leakyRelu(slope)
    if (this.conv1x1) x2 = x2.add(this.conv1x1.forward(x))
    const x3 = this.conv3.forward(cat([x, x1, x2], 1)).leakyRelu(slope)
    let x4 = this.conv4.forward(cat([x, x1, x2, x3], 1)).leakyRelu(slope)
    if (this.conv1x1) x4 = x4.add(x2)
    const x5 = this.conv5.forward(cat([x, x1, x2, x3, x4], 1))
    return x5.mul(residualScale).add(x)
  }
}

/** Residual-in-residual dense block (figure 4). */
class Rrdb {
  rdb1: DenseBlock
  rdb2: DenseBlock
  rdb3: DenseBlock

  constructor(init: Init, options: EsrganOptions) {
    this.rdb1 = new DenseBlock(init, options)
    this.rdb2 = new DenseBlock(init, options)
    this.rdb3 = new DenseBlock(init, options)
  }

  forward(x: Tensor): Tensor {
    const y = this.rdb3.forward(this.rdb2.forward(this.rdb1.forward(x)))
    return y.mul(residualScale).add(x)
  }
}

/** Restores at low resolution, then enlarges by nearest neighbor and convolutions. */
export class Esrgan {
  readonly options: EsrganOptions
  conv_first: Conv2d
  body: readonly Rrdb[]
  conv_body: Conv2d
  conv_up1?: Conv2d
  conv_up2?: Conv2d
  conv_up3?: Conv2d
  conv_up4?: Conv2d
  conv_hr: Conv2d
  conv_last: Conv2d

  constructor(init: Init, options: EsrganOptions) {
    const { inChannels, outChannels, channels, blocks, unshuffle } = options
    this.options = options
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: true })
    this.conv_first = conv(inChannels * unshuffle ** 2, channels)
    this.body = Array.from({ length: blocks }, () => new Rrdb(init, options))
    this.conv_body = conv(channels, channels)
    const stages = factorsOf(options.upscale).length
    if (stages > 0) this.conv_up1 = conv(channels, channels)
    if (stages > 1) this.conv_up2 = conv(channels, channels)
    if (stages > 2) this.conv_up3 = conv(channels, channels)
    if (stages > 3) this.conv_up4 = conv(channels, channels)
    this.conv_hr = conv(channels, channels)
    this.conv_last = conv(channels, outChannels)
  }

  /** [b c h w] -> [b c h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { unshuffle, upscale } = this.options
    const x = unshuffle === 1 ? image : pixelUnshuffle(padTo(image, unshuffle, 'reflect'), unshuffle)
    const shallow = this.conv_first.forward(x)
    const deep = this.body.reduce((y, block) => block.forward(y), shallow)
    let y = shallow.add(this.conv_body.forward(deep))
    const stages = [this.conv_up1, this.conv_up2, this.conv_up3, this.conv_up4]
    for (const [i, factor] of factorsOf(upscale).entries())
      y = (stages[i] as Conv2d).forward(y.upsampleNearest(factor)).leakyRelu(slope)
    y = this.conv_last.forward(this.conv_hr.forward(y).leakyRelu(slope))
    return cropLike(y, image, upscale / unshuffle)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function esrganOptionsFromWeights(shapes: KeyShapes): EsrganOptions {
  const { size, count } = shapeReader('esrgan', shapes)
  const outChannels = size('conv_last.weight', 0)
  const received = size('conv_first.weight', 1)
  // Real-ESRGAN unshuffles by 2 or 4, and no picture has as many channels.
  const unshuffle = received === 16 * outChannels ? 4 : received === 4 * outChannels ? 2 : 1
  let stages = 0
  while (shapes.has(`conv_up${stages + 1}.weight`)) stages++
  return {
    inChannels: received / unshuffle ** 2,
    outChannels,
    channels: size('conv_first.weight', 0),
    growth: size('body.0.rdb1.conv1.weight', 0),
    blocks: count('body', 'rdb1.conv1.weight'),
    upscale: 2 ** stages,
    unshuffle,
    plus: shapes.has('body.0.rdb1.conv1x1.weight'),
  }
}

export const esrgan = defineNetwork({
  facts: esrganFacts,
  defaults: esrganDefaults,
  optionsFromWeights: esrganOptionsFromWeights,
  create: (init, options) => new Esrgan(init, options),
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ unshuffle }) => ({ multipleOf: 1, minimum: 1, padToMultiple: unshuffle }),
  scale: ({ upscale, unshuffle }) => upscale / unshuffle,
  channels: ({ inChannels, outChannels }) => ({ input: inChannels, output: outChannels }),
  tiling: ({ unshuffle }) => ({ whole: 'needless', tilePx: 256, overlapPx: 32 * unshuffle, batch: 1 }),
  memory: ({ channels, growth, upscale, unshuffle }) => ({
    fixedBytes: 200e6,
    bytesPerPixel: (4 * (3 * channels * upscale ** 2 + 3 * (channels + 4 * growth))) / unshuffle ** 2,
  }),
  role: () => ({ kind: 'restores' }),
})
