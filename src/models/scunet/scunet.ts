// SCUNet: Practical Blind Image Denoising via Swin-Conv-UNet and Data Synthesis, arXiv:2203.13278.
// Checkpoint keys: cszn/SCUNet models/network_scunet.py. Input [b c h w] in 0..1 of any size.

import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d, convInParts } from '../../nn/conv.ts'
import { ConvTranspose2x2 } from '../../nn/convTranspose.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { runSteps, type Step } from '../../nn/upsampler.ts'
import { attendInWindows, positionBias } from '../../nn/windowAttention.ts'
import { fromWindows, toWindows, WindowShift } from '../../nn/windows.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { scunetFacts } from './cards.ts'

/** Options of SCUNet. */
export interface ScunetOptions {
  /** Channels of the image, the same in and out. */
  readonly inChannels: number
  /** Features per pixel at full resolution; twice as many at each lower level. */
  readonly channels: number
  /** Blocks of the three levels down, of the body, and of the three levels up. */
  readonly blocks: readonly [number, number, number, number, number, number, number]
}

/** Options of the official models. */
export const scunetDefaults: ScunetOptions = { inChannels: 3, channels: 64, blocks: [4, 4, 4, 4, 4, 4, 4] }

const side = 8
const window = [side, side] as const
const headFeatures = 32
/** Padded to this, every level is a multiple of the window. */
const multiple = 64
/** Excludes a pixel from attention: its weight is exactly 0. */
const excluded = -1e9

/** Attention within windows. */
class Attention {
  relative_position_params: Tensor // [heads 2·side − 1 2·side − 1]
  embedding_layer: Linear
  linear: Linear

  constructor(init: Init, channels: number) {
    const positions = 2 * side - 1
    const shape = [Math.floor(channels / headFeatures), positions, positions]
    this.relative_position_params = init.weight(shape, { deviation: 0.02 })
    this.embedding_layer = new Linear(init, channels, 3 * channels, { bias: true })
    this.linear = new Linear(init, channels, channels, { bias: true })
  }

  forward(x: Tensor, mask: Tensor | undefined): Tensor {
    const heads = this.relative_position_params.size(0)
    const bias = positionBias(this.relative_position_params.reshape([heads, -1]).transpose(0, 1), window)
    return this.linear.forward(attendInWindows(x, { qkv: this.embedding_layer, heads, bias, mask }))
  }
}

class TransformerBlock {
  ln1: LayerNorm
  msa: Attention
  ln2: LayerNorm
  mlp: readonly [Linear, (x: Tensor) => Tensor, Linear]

  constructor(init: Init, channels: number) {
    this.ln1 = new LayerNorm(init, channels)
    this.msa = new Attention(init, channels)
    this.ln2 = new LayerNorm(init, channels)
    this.mlp = [
      new Linear(init, channels, 4 * channels, { bias: true }),
      (x) => x.gelu(),
      new Linear(init, 4 * channels, channels, { bias: true }),
    ]
  }

  /** [b·windows n c] -> [b·windows n c]. */
  forward(x: Tensor, mask: Tensor | undefined): Tensor {
    const y = x.add(scoped(x, () => this.msa.forward(this.ln1.forward(x), mask)))
    return y.add(scoped(y, () => runSteps(this.mlp, this.ln2.forward(y))))
  }
}

/** Swin-Conv block: half of the channels pass convolutions, the other half attention. */
class SwinConvBlock {
  trans_block: TransformerBlock
  conv1_1: Conv2d
  conv1_2: Conv2d
  conv_block: readonly Step[]

  constructor(init: Init, channels: number) {
    const half = channels / 2
    const conv1 = () => new Conv2d(init, channels, channels, { kernel: 1, bias: true })
    const conv3 = () => new Conv2d(init, half, half, { kernel: 3, bias: false })
    this.trans_block = new TransformerBlock(init, half)
    this.conv1_1 = conv1()
    this.conv1_2 = conv1()
    this.conv_block = [conv3(), (x) => x.relu(), conv3()]
  }

  /** [b c h w] -> [b c h w]; with a shift, attends within shifted windows. */
  forward(x: Tensor, shift: WindowShift | undefined): Tensor {
    const [forConvs, forAttention] = convInParts(x, 2, [this.conv1_1])
    const convolved = forConvs.add(runSteps(this.conv_block, forConvs))
    const tokens = toWindows(forAttention, window)
    const attended = shift
      ? shift.undo(this.trans_block.forward(shift.apply(tokens), shift.mask))
      : this.trans_block.forward(tokens, undefined)
    const image = fromWindows(attended, window, x.axes('b c h w'))
    return x.add(this.conv1_2.forward(cat([convolved, image], 1)))
  }
}

type Layer = SwinConvBlock | Conv2d | ConvTranspose2x2

/** Runs a level; every second block attends within shifted windows. */
function runLevel(layers: readonly Layer[], x: Tensor): Tensor {
  let y = x
  let shift: WindowShift | undefined
  let blocks = 0
  for (const layer of layers) {
    if (!(layer instanceof SwinConvBlock)) {
      y = layer.forward(y)
      continue
    }
    const isShifted = blocks++ % 2 === 1
    if (isShifted) shift ??= shiftOf(y)
    y = layer.forward(y, isShifted ? shift : undefined)
  }
  return y
}

function shiftOf(x: Tensor): WindowShift {
  const size = { b: x.size(0), h: x.size(2), w: x.size(3) }
  return new WindowShift(size, window, [side / 2, side / 2], excluded)
}

/** U-Net of Swin-Conv blocks. */
export class Scunet {
  m_head: readonly [Conv2d]
  m_down1: readonly Layer[]
  m_down2: readonly Layer[]
  m_down3: readonly Layer[]
  m_body: readonly Layer[]
  m_up3: readonly Layer[]
  m_up2: readonly Layer[]
  m_up1: readonly Layer[]
  m_tail: readonly [Conv2d]

  constructor(init: Init, { inChannels, channels: c, blocks }: ScunetOptions) {
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: false })
    const level = (count: number, width: number) =>
      Array.from({ length: count }, () => new SwinConvBlock(init, width))
    const down = (width: number) =>
      new Conv2d(init, width, 2 * width, { kernel: 2, stride: 2, padding: 0, bias: false })
    const up = (width: number) => new ConvTranspose2x2(init, 2 * width, width, { bias: false })
    this.m_head = [conv(inChannels, c)]
    this.m_down1 = [...level(blocks[0], c), down(c)]
    this.m_down2 = [...level(blocks[1], 2 * c), down(2 * c)]
    this.m_down3 = [...level(blocks[2], 4 * c), down(4 * c)]
    this.m_body = level(blocks[3], 8 * c)
    this.m_up3 = [up(4 * c), ...level(blocks[4], 4 * c)]
    this.m_up2 = [up(2 * c), ...level(blocks[5], 2 * c)]
    this.m_up1 = [up(c), ...level(blocks[6], c)]
    this.m_tail = [conv(c, inChannels)]
  }

  /** [b c h w] -> [b c h w], not clamped. */
  forward(image: Tensor): Tensor {
    const x1 = this.m_head[0].forward(padTo(image, multiple, 'reflect'))
    const x2 = runLevel(this.m_down1, x1)
    const x3 = runLevel(this.m_down2, x2)
    const x4 = runLevel(this.m_down3, x3)
    const deep = runLevel(this.m_body, x4)
    const y3 = runLevel(this.m_up3, deep.add(x4))
    const y2 = runLevel(this.m_up2, y3.add(x3))
    const y1 = runLevel(this.m_up1, y2.add(x2))
    return cropLike(this.m_tail[0].forward(y1.add(x1)), image)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function scunetOptionsFromWeights(shapes: KeyShapes): ScunetOptions {
  const { size } = shapeReader('scunet', shapes)
  const blocks = (level: string) =>
    [...shapes.keys()].filter((key) => key.startsWith(`${level}.`) && key.endsWith('.conv1_1.weight')).length
  return {
    inChannels: size('m_head.0.weight', 1),
    channels: size('m_head.0.weight', 0),
    blocks: [
      blocks('m_down1'),
      blocks('m_down2'),
      blocks('m_down3'),
      blocks('m_body'),
      blocks('m_up3'),
      blocks('m_up2'),
      blocks('m_up1'),
    ],
  }
}

export const scunet = defineNetwork({
  facts: scunetFacts,
  defaults: scunetDefaults,
  optionsFromWeights: scunetOptionsFromWeights,
  create: (init, options) => new Scunet(init, options),
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: () => ({ multipleOf: 1, minimum: multiple / 2 + 1, padToMultiple: multiple }),
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  tiling: () => ({ whole: 'needless', tilePx: 256, overlapPx: multiple, batch: 1 }),
  // Measured peak of the process for the official size: 447 and 559 MB for 64² and 128² pixels.
  memory: ({ channels }) => ({ fixedBytes: 430e6, bytesPerPixel: 4 * 40 * channels }),
  role: () => ({ kind: 'restores' }),
})
