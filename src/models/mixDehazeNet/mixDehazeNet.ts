// MixDehazeNet: Mix Structure Block For Image Dehazing Network, arXiv:2305.17654. Checkpoint keys:
// AmeryXiong/MixDehazeNet@0129413 models/MixDehazeNet.py.
// Input [b 3 h w] in 0..1, at least 40 pixels a side, padded inside to multiples of 4.

import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { BatchNorm2d } from '../../nn/batchNorm.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { runSteps, type Step } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { mixDehazeNetFacts } from './cards.ts'

/** Options of MixDehazeNet. */
export interface MixDehazeNetOptions {
  /** Channels at full, half and quarter resolution. */
  readonly widths: readonly [number, number, number]
  /** Blocks of each level, down and up. */
  readonly blocks: readonly [number, number, number, number, number]
  /**
   * Range of the network's input: 0..1 ('unit'), as spandrel feeds it, or −1..1 ('signed'), as data loaders of
   * dehazing networks do; files do not tell.
   */
  readonly inputRange: 'unit' | 'signed'
}

/** Options of MixDehazeNet-s. */
export const mixDehazeNetDefaults: MixDehazeNetOptions = {
  widths: [24, 48, 96],
  blocks: [2, 2, 4, 2, 2],
  inputRange: 'unit',
}

/** Convolution that mirrors the picture at its borders. */
class MirroredConv extends Conv2d {
  readonly reach: number

  constructor(
    init: Init,
    from: number,
    {
      to = from,
      ...options
    }: { to?: number; kernel: number; stride?: number; groups?: number; dilation?: number },
  ) {
    const { kernel, dilation = 1 } = options
    super(init, from, to, { ...options, bias: true, padding: 0 })
    this.reach = Math.floor(kernel / 2) * dilation
  }

  override forward(x: Tensor): Tensor {
    const r = this.reach
    return super.forward(x.pad([r, r, r, r], 'reflect'))
  }
}

const gelu = (x: Tensor) => x.gelu()
const sigmoid = (x: Tensor) => x.sigmoid()
const mean = (x: Tensor) => x.mean([2, 3], { keepDim: true })

/** Mix structure block (§3.2): large kernels of three sizes, then three attentions. */
class MixBlock {
  norm1: BatchNorm2d
  norm2: BatchNorm2d
  conv1: Conv2d
  conv2: MirroredConv
  conv3_19: MirroredConv
  conv3_13: MirroredConv
  conv3_7: MirroredConv
  Wv: readonly Step[]
  Wg: readonly Step[]
  ca: readonly Step[]
  pa: readonly Step[]
  mlp: readonly Step[]
  mlp2: readonly Step[]

  constructor(init: Init, c: number) {
    const conv1x1 = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 1, bias: true })
    const depthwise = (kernel: number, dilation = 1) =>
      new MirroredConv(init, c, { kernel, dilation, groups: c })
    const mlp = () => [conv1x1(3 * c, 4 * c), gelu, conv1x1(4 * c, c)]
    const narrow = Math.floor(c / 8)
    this.norm1 = new BatchNorm2d(init, c)
    this.norm2 = new BatchNorm2d(init, c)
    this.conv1 = conv1x1(c, c)
    this.conv2 = new MirroredConv(init, c, { kernel: 5 })
    this.conv3_19 = depthwise(7, 3)
    this.conv3_13 = depthwise(5, 3)
    this.conv3_7 = depthwise(3, 3)
    this.Wv = [conv1x1(c, c), depthwise(3)]
    this.Wg = [mean, conv1x1(c, c), sigmoid]
    this.ca = [mean, conv1x1(c, c), gelu, conv1x1(c, c), sigmoid]
    this.pa = [conv1x1(c, narrow), gelu, conv1x1(narrow, 1), sigmoid]
    this.mlp = mlp()
    this.mlp2 = mlp()
  }

  forward(x: Tensor): Tensor {
    const local = scoped(x, () => {
      const y = this.conv2.forward(this.conv1.forward(normalized(x, this.norm1)))
      return runSteps(
        this.mlp,
        cat([this.conv3_19.forward(y), this.conv3_13.forward(y), this.conv3_7.forward(y)], 1),
      )
    })
    const mixed = x.add(local)
    const attended = scoped(mixed, () => {
      const y = normalized(mixed, this.norm2)
      const [gate, value] = [runSteps(this.Wg, y), runSteps(this.Wv, y)]
      const parts = [value.mul(gate), y.mul(runSteps(this.ca, y)), y.mul(runSteps(this.pa, y))] as const
      return runSteps(this.mlp2, cat(parts, 1))
    })
    return mixed.add(attended)
  }
}

/** Batch norm by its running statistics, as in inference. */
function normalized(x: Tensor, norm: BatchNorm2d): Tensor {
  const { scale, shift } = norm.affine()
  return x.mul(scale).add(shift)
}

class Layer {
  blocks: readonly MixBlock[]

  constructor(init: Init, c: number, count: number) {
    this.blocks = Array.from({ length: count }, () => new MixBlock(init, c))
  }

  forward(x: Tensor): Tensor {
    return runSteps(this.blocks, x)
  }
}

/** Weighs two maps by channel (selective kernels, arXiv:1903.06586). */
class Fusion {
  mlp: readonly Step[]

  constructor(init: Init, c: number) {
    const narrow = Math.max(Math.floor(c / 8), 4)
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 1, bias: false })
    this.mlp = [conv(c, narrow), (x) => x.relu(), conv(narrow, 2 * c)]
  }

  forward(a: Tensor, b: Tensor): Tensor {
    const c = a.size(1)
    const weights = runSteps(this.mlp, mean(a.add(b)))
      .reshape([-1, 2, c, 1, 1])
      .softmax(1)
      .reshape([-1, 2 * c, 1, 1])
    const [ofA, ofB] = weights.chunk(2, 1)
    return a.mul(ofA).add(b.mul(ofB))
  }
}

/** U-Net of mix structure blocks, which predicts K and B of K·x − B + x. */
export class MixDehazeNet {
  readonly options: MixDehazeNetOptions
  patch_embed: { proj: MirroredConv }
  layer1: Layer
  patch_merge1: { proj: MirroredConv }
  skip1: Conv2d
  layer2: Layer
  patch_merge2: { proj: MirroredConv }
  skip2: Conv2d
  layer3: Layer
  patch_split1: { proj: readonly Step[] }
  fusion1: Fusion
  layer4: Layer
  patch_split2: { proj: readonly Step[] }
  fusion2: Fusion
  layer5: Layer
  patch_unembed: { proj: readonly [MirroredConv] }

  constructor(init: Init, options: MixDehazeNetOptions) {
    const [full, half, quarter] = options.widths
    const [first, second, third, fourth, fifth] = options.blocks
    const conv1x1 = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 1, bias: true })
    const merge = (from: number, to: number) => ({
      proj: new MirroredConv(init, from, { to, kernel: 3, stride: 2 }),
    })
    const split = (from: number, to: number) => ({
      proj: [conv1x1(from, 4 * to), (x: Tensor) => x.pixelShuffle(2)],
    })
    this.options = options
    this.patch_embed = { proj: new MirroredConv(init, 3, { to: full, kernel: 3 }) }
    this.layer1 = new Layer(init, full, first)
    this.patch_merge1 = merge(full, half)
    this.skip1 = conv1x1(full, full)
    this.layer2 = new Layer(init, half, second)
    this.patch_merge2 = merge(half, quarter)
    this.skip2 = conv1x1(half, half)
    this.layer3 = new Layer(init, quarter, third)
    this.patch_split1 = split(quarter, half)
    this.fusion1 = new Fusion(init, half)
    this.layer4 = new Layer(init, half, fourth)
    this.patch_split2 = split(half, full)
    this.fusion2 = new Fusion(init, full)
    this.layer5 = new Layer(init, full, fifth)
    this.patch_unembed = { proj: [new MirroredConv(init, full, { to: 4, kernel: 3 })] }
  }

  /** [b 3 h w] -> [b 3 h w], not clamped. */
  forward(image: Tensor): Tensor {
    const padded = padTo(image, 4, 'reflect')
    const x = this.options.inputRange === 'signed' ? padded.mul(2).sub(1) : padded
    const full = this.layer1.forward(this.patch_embed.proj.forward(x))
    const half = this.layer2.forward(this.patch_merge1.proj.forward(full))
    const quarter = this.layer3.forward(this.patch_merge2.proj.forward(half))
    const atHalf = runSteps(this.patch_split1.proj, quarter)
    const fused = this.fusion1.forward(atHalf, this.skip2.forward(half)).add(atHalf)
    const atFull = runSteps(this.patch_split2.proj, this.layer4.forward(fused))
    const last = this.layer5.forward(this.fusion2.forward(atFull, this.skip1.forward(full)).add(atFull))
    const factors = this.patch_unembed.proj[0].forward(last)
    const [k, b] = [factors.slice(1, 0, 1), factors.slice(1, 1, 4)]
    return cropLike(x.mul(k).sub(b).add(x).mul(0.5).add(0.5), image)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function mixDehazeNetOptionsFromWeights(shapes: KeyShapes): MixDehazeNetOptions {
  const { size, count } = shapeReader('MixDehazeNet', shapes)
  const width = (layer: number) => size(`layer${layer}.blocks.0.conv1.weight`, 0)
  const blocks = (layer: number) => count(`layer${layer}.blocks`, 'conv1.weight')
  return {
    widths: [width(1), width(2), width(3)],
    blocks: [blocks(1), blocks(2), blocks(3), blocks(4), blocks(5)],
    inputRange: 'unit',
  }
}

export const mixDehazeNet = defineNetwork({
  facts: mixDehazeNetFacts,
  defaults: mixDehazeNetDefaults,
  optionsFromWeights: mixDehazeNetOptionsFromWeights,
  optionsNotInWeights: ['inputRange'],
  create: (init, options) => new MixDehazeNet(init, options),
  inputs: { x: 'b 3 h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: () => ({ multipleOf: 1, minimum: 40, padToMultiple: 4 }),
  channels: () => ({ input: 3, output: 3 }),
  tiling: () => ({ whole: 'preferred', tilePx: 512, overlapPx: 96, batch: 1 }),
  memory: ({ widths }) => ({ fixedBytes: 200e6, bytesPerPixel: 4 * 16 * widths[0] }),
  role: () => ({ kind: 'restores' }),
})
