// Limpid's own light upscaler: plain 3×3 convolutions at low resolution and one pixel shuffle, a narrow EDSR
// (arXiv:1707.02921 §3). Such convolutions run near the CPU's limit, and tiles closely match the whole
// picture.
// Input [b 3 h w] in 0..1 of any size.

import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { lightUpscaleFacts } from './cards.ts'

/** Options of LightUpscale. */
export interface LightUpscaleOptions {
  readonly scale: number
  readonly channels: number
  readonly blocks: number
}

/** Default options of LightUpscale. */
export const lightUpscaleDefaults: LightUpscaleOptions = { scale: 2, channels: 64, blocks: 5 }

const slope = 0.05

/** Residual block of three convolutions. */
class Block {
  conv1: Conv2d
  conv2: Conv2d
  conv3: Conv2d

  constructor(init: Init, c: number) {
    const conv = () => new Conv2d(init, c, c, { kernel: 3, bias: true })
    this.conv1 = conv()
    this.conv2 = conv()
    this.conv3 = conv()
  }

  forward(x: Tensor): Tensor {
    const y = this.conv2.forward(this.conv1.forward(x).leakyRelu(slope)).leakyRelu(slope)
    return x.add(this.conv3.forward(y))
  }
}

/** Adds detail to a picture upscaled by nearest neighbor. */
export class LightUpscale {
  readonly options: LightUpscaleOptions
  head: Conv2d
  body: readonly Block[]
  merge: Conv2d
  tail: Conv2d

  constructor(init: Init, options: LightUpscaleOptions) {
    const { scale, channels, blocks } = options
    this.options = options
    this.head = new Conv2d(init, 3, channels, { kernel: 3, bias: true })
    this.body = Array.from({ length: blocks }, () => new Block(init, channels))
    this.merge = new Conv2d(init, channels, channels, { kernel: 3, bias: true })
    this.tail = new Conv2d(init, channels, 3 * scale ** 2, { kernel: 3, bias: true })
  }

  /** [b 3 h w] -> [b 3 h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { scale } = this.options
    const shallow = this.head.forward(image)
    const deep = this.body.reduce((x, block) => block.forward(x), shallow)
    const detail = this.tail.forward(this.merge.forward(deep).add(shallow)).pixelShuffle(scale)
    return detail.add(image.upsampleNearest(scale))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function lightUpscaleOptionsFromWeights(shapes: KeyShapes): LightUpscaleOptions {
  const { size, count } = shapeReader('light-upscale', shapes)
  return {
    scale: Math.round(Math.sqrt(size('tail.weight', 0) / 3)),
    channels: size('head.weight', 0),
    blocks: count('body', 'conv1.weight'),
  }
}

export const lightUpscale = defineNetwork({
  facts: lightUpscaleFacts,
  defaults: lightUpscaleDefaults,
  optionsFromWeights: lightUpscaleOptionsFromWeights,
  create: (init, options) => new LightUpscale(init, options),
  inputs: { x: 'b 3 h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  scale: ({ scale }) => scale,
  channels: () => ({ input: 3, output: 3 }),
  tiling: () => ({ whole: 'needless', tilePx: 384, overlapPx: 24, batch: 1 }),
  memory: ({ channels }) => ({ fixedBytes: 120e6, bytesPerPixel: 40 * channels }),
  role: () => ({ kind: 'restores' }),
})
