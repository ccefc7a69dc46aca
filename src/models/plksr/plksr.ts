// PLKSR: Partial Large Kernel CNNs for Efficient Super-Resolution, arXiv:2404.11848. Checkpoint keys: dslisleedh/PLKSR
// plksr/archs/plksr_arch.py.
// Input [b 3 h w] in 0..1 of any size.

import { RestoreError } from '../../core/errors.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { runSteps, type Step, shuffled } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { ElementAttention, mixFirst, PartialConv } from './blocks.ts'
import { plksrFacts } from './cards.ts'

/** Options of PLKSR. */
export interface PlksrOptions {
  readonly scale: number
  readonly width: number
  readonly blocks: number
  /** Kernels of the two convolutions of a channel mixer. */
  readonly mixerKernels: readonly [number, number]
  /** One large kernel, the sum of dilated ones, or the sum of a tall, a wide and a small one. */
  readonly largeKernel: 'plain' | 'sparse' | 'rectangular'
  /** Side of the large kernel; for 'sparse' that of each of four kernels, with dilations 1 to 4. */
  readonly kernel: number
  /** Channels that the large kernel sees. */
  readonly mixed: number
  readonly attention: boolean
}

/** Options of the official ×4 model. */
export const plksrDefaults: PlksrOptions = {
  scale: 4,
  width: 64,
  blocks: 28,
  mixerKernels: [3, 1],
  largeKernel: 'plain',
  kernel: 17,
  mixed: 16,
  attention: true,
}

/** Sum of convolutions with dilations 1, 2, 3 and 4, which files do not tell. */
class SparsePartialConv {
  convs: readonly Conv2d[]

  constructor(init: Init, channels: number, kernel: number) {
    this.convs = Array.from({ length: 4 }, (_, i) => {
      const dilation = i + 1
      const padding = Math.floor(kernel / 2) * dilation
      return new Conv2d(init, channels, channels, { kernel, bias: true, padding, dilation })
    })
  }

  forward(x: Tensor): Tensor {
    return mixFirst(x, this.convs[0]!.weight.size(0), (first) =>
      this.convs.map((conv) => conv.forward(first)).reduce((sum, part) => sum.add(part)),
    )
  }
}

/** A convolution with sides that differ. */
class RectangularConv {
  weight: Tensor // [c c rows columns]
  bias: Tensor // [c]

  constructor(init: Init, c: number, [rows, columns]: readonly [number, number]) {
    const bound = { bound: 1 / Math.sqrt(c * rows * columns) }
    this.weight = init.weight([c, c, rows, columns], bound)
    this.bias = init.weight([c], bound)
  }

  forward(x: Tensor): Tensor {
    const [v, u] = [2, 3].map((dim) => Math.floor(this.weight.size(dim) / 2)) as [number, number]
    return x.pad([u, u, v, v]).conv2d(this.weight, this.bias)
  }
}

/** Sum of a tall, a wide and a small convolution. */
class RectangularPartialConv {
  mn_conv: RectangularConv
  nm_conv: RectangularConv
  nn_conv: RectangularConv

  constructor(init: Init, channels: number, kernel: number) {
    const short = Math.floor(kernel / 3)
    this.mn_conv = new RectangularConv(init, channels, [kernel, short])
    this.nm_conv = new RectangularConv(init, channels, [short, kernel])
    this.nn_conv = new RectangularConv(init, channels, [short, short])
  }

  forward(x: Tensor): Tensor {
    return mixFirst(x, this.mn_conv.weight.size(0), (first) =>
      this.mn_conv.forward(first).add(this.nm_conv.forward(first)).add(this.nn_conv.forward(first)),
    )
  }
}

const largeKernels = {
  plain: PartialConv,
  sparse: SparsePartialConv,
  rectangular: RectangularPartialConv,
} as const

class PlkBlock {
  channe_mixer: readonly Step[]
  lk: Exclude<Step, (x: Tensor) => Tensor>
  attn?: ElementAttention
  refine: Conv2d

  constructor(init: Init, { width, mixerKernels, largeKernel, kernel, mixed, attention }: PlksrOptions) {
    const [first, second] = mixerKernels
    this.channe_mixer = [
      new Conv2d(init, width, 2 * width, { kernel: first, bias: true }),
      (x) => x.gelu(),
      new Conv2d(init, 2 * width, width, { kernel: second, bias: true }),
    ]
    this.lk = new largeKernels[largeKernel](init, mixed, kernel)
    if (attention) this.attn = new ElementAttention(init, width)
    this.refine = new Conv2d(init, width, width, { kernel: 1, bias: true })
  }

  forward(x: Tensor): Tensor {
    const residual = scoped(x, () => {
      const y = this.lk.forward(runSteps(this.channe_mixer, x))
      return this.refine.forward(this.attn ? this.attn.forward(y) : y)
    })
    return x.add(residual)
  }
}

/** Adds detail to a picture upscaled by nearest neighbor. */
export class Plksr {
  readonly options: PlksrOptions
  feats: readonly Exclude<Step, (x: Tensor) => Tensor>[]

  constructor(init: Init, options: PlksrOptions) {
    const { scale, width, blocks } = options
    this.options = options
    this.feats = [
      new Conv2d(init, 3, width, { kernel: 3, bias: true }),
      ...Array.from({ length: blocks }, () => new PlkBlock(init, options)),
      new Conv2d(init, width, 3 * scale ** 2, { kernel: 3, bias: true }),
    ]
  }

  /** [b 3 h w] -> [b 3 h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { scale } = this.options
    return runSteps(this.feats, image).pixelShuffle(scale).add(image.upsampleNearest(scale))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function plksrOptionsFromWeights(shapes: KeyShapes): PlksrOptions {
  const { size, count } = shapeReader('PLKSR', shapes)
  let blocks = 0
  while (shapes.has(`feats.${blocks + 1}.refine.weight`)) blocks++
  const [largeKernel, conv] = (
    [
      ['plain', 'conv'],
      ['rectangular', 'mn_conv'],
      ['sparse', 'convs.0'],
    ] as const
  ).find(([, name]) => shapes.has(`feats.1.lk.${name}.weight`)) ?? ['plain', 'conv']
  if (largeKernel === 'sparse' && count('feats.1.lk.convs', 'weight') !== 4) {
    throw new RestoreError(
      'checkpoint',
      `PLKSR: expected 4 dilated convolutions in feats.1.lk.convs, got ${count('feats.1.lk.convs', 'weight')}, whose dilations the file does not tell; merge them into one`,
    )
  }
  const mixer = (layer: number) => size(`feats.1.channe_mixer.${layer}.weight`, 2)
  return {
    scale: shuffled(size(`feats.${blocks + 1}.weight`, 0), 3).scale,
    width: size('feats.0.weight', 0),
    blocks,
    mixerKernels: [mixer(0), mixer(2)],
    largeKernel,
    kernel: size(`feats.1.lk.${conv}.weight`, 2),
    mixed: size(`feats.1.lk.${conv}.weight`, 0),
    attention: shapes.has('feats.1.attn.f.0.weight'),
  }
}

export const plksr = defineNetwork({
  facts: plksrFacts,
  defaults: plksrDefaults,
  optionsFromWeights: plksrOptionsFromWeights,
  create: (init, options) => new Plksr(init, options),
  inputs: { x: 'b 3 h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  scale: ({ scale }) => scale,
  channels: () => ({ input: 3, output: 3 }),
  tiling: () => ({ whole: 'needless', tilePx: 256, overlapPx: 48, batch: 1 }),
  memory: ({ width, scale }) => ({ fixedBytes: 150e6, bytesPerPixel: 4 * (5 * width + 9 * scale ** 2) }),
  role: () => ({ kind: 'restores' }),
})
