// DRCT: Saving Image Super-Resolution away from Information Bottleneck, arXiv:2404.00722.
// Checkpoint keys: ming053l/DRCT drct/archs/DRCT_arch.py. Input [b c h w] in 0..1 of any size.

import { roundUp } from '../../core/functional.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { LayerNorm } from '../../nn/norm.ts'
import {
  type FrameOptions,
  frameDefaults,
  frameOptionsFromWeights,
  reconstructionBytes,
  SuperResolution,
} from '../../nn/superResolution.ts'
import { SwinBlock } from '../../nn/swinBlock.ts'
import { fromWindows, toWindows, WindowShift } from '../../nn/windows.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { drctFacts } from './cards.ts'

/** Options of DRCT. */
export interface DrctOptions extends FrameOptions {
  /** Heads of the first block of each residual dense group; wider blocks have as many or fewer. */
  readonly heads: readonly number[]
  /** Side of a window in pixels. */
  readonly window: number
  /** Whether the second and fourth block of a group attend within shifted windows. */
  readonly shifted: boolean
  /** Channels that each block adds to what the next ones of its group see. */
  readonly growth: number
  /** Features inside the feed-forward network of each of a group's five blocks. */
  readonly hidden: readonly number[]
  readonly qkvBias: boolean
  /** Whether features are normalized before the first group. */
  readonly patchNorm: boolean
}

/** Options of the official DRCT ×4. */
export const drctDefaults: DrctOptions = {
  ...frameDefaults,
  heads: [6, 6, 6, 6, 6, 6],
  window: 16,
  shifted: true,
  growth: 32,
  hidden: [360, 424, 488, 276, 308],
  qkvBias: true,
  patchNorm: true,
}

/** Share of a group's result that is added to its input; no file tells it. */
const groupScale = 0.2

/** Residual dense group: each of five blocks sees the results of those before it. */
class DenseGroup {
  swin1: SwinBlock
  adjust1: Conv2d
  swin2: SwinBlock
  adjust2: Conv2d
  swin3: SwinBlock
  adjust3: Conv2d
  swin4: SwinBlock
  adjust4: Conv2d
  swin5: SwinBlock
  adjust5: Conv2d

  constructor(init: Init, heads: number, options: DrctOptions) {
    const { channels, growth, hidden } = options
    const width = (earlier: number) => channels + earlier * growth
    const swin = (earlier: number) => {
      const c = width(earlier)
      // As in the official code, where a width that the heads do not divide gets fewer of them.
      const fewer = earlier === 0 ? 0 : c % heads
      return new SwinBlock(init, {
        ...options,
        channels: c,
        heads: heads - fewer,
        hidden: hidden[earlier] ?? c,
      })
    }
    const adjust = (earlier: number, to: number) =>
      new Conv2d(init, width(earlier), to, { kernel: 1, bias: true })
    this.swin1 = swin(0)
    this.adjust1 = adjust(0, growth)
    this.swin2 = swin(1)
    this.adjust2 = adjust(1, growth)
    this.swin3 = swin(2)
    this.adjust3 = adjust(2, growth)
    this.swin4 = swin(3)
    this.adjust4 = adjust(3, growth)
    this.swin5 = swin(4)
    this.adjust5 = adjust(4, channels)
  }

  /** Tokens of the image -> the same, [b·windows n c]. */
  forward(x: Tensor, shift: WindowShift | undefined): Tensor {
    const shifted = (y: Tensor, block: SwinBlock) =>
      shift ? shift.undo(block.forward(shift.apply(y), shift.mask)) : block.forward(y)
    const x1 = adjusted(this.swin1.forward(x), this.adjust1).leakyRelu(0.2)
    const to2 = cat([x, x1], 2)
    const x2 = adjusted(shifted(to2, this.swin2), this.adjust2).leakyRelu(0.2)
    const to3 = cat([to2, x2], 2)
    const x3 = adjusted(this.swin3.forward(to3), this.adjust3).leakyRelu(0.2)
    const to4 = cat([to3, x3], 2)
    const x4 = adjusted(shifted(to4, this.swin4), this.adjust4).leakyRelu(0.2)
    const x5 = adjusted(this.swin5.forward(cat([to4, x4], 2)), this.adjust5)
    return x.add(x5.mul(groupScale))
  }
}

/** Applies a 1×1 convolution to tokens [b n c]. */
function adjusted(tokens: Tensor, { weight, bias }: Conv2d): Tensor {
  return tokens.linear(weight.reshape([weight.size(0), weight.size(1)]), bias)
}

/** Restores by attention within windows, in groups whose blocks are densely connected. */
export class Drct extends SuperResolution<DrctOptions> {
  protected readonly multiple: number
  patch_embed?: { norm: LayerNorm }
  layers: readonly DenseGroup[]

  constructor(init: Init, options: DrctOptions) {
    super(init, options)
    this.multiple = paddingMultiple(options.window)
    if (options.patchNorm) this.patch_embed = { norm: new LayerNorm(init, options.channels) }
    this.layers = options.heads.map((heads) => new DenseGroup(init, heads, options))
  }

  protected body(shallow: Tensor): Tensor {
    const { window, shifted } = this.options
    const windows = [window, window] as const
    const half = Math.floor(window / 2)
    const size = { b: shallow.size(0), h: shallow.size(2), w: shallow.size(3) }
    const shift = shifted ? new WindowShift(size, windows, [half, half]) : undefined
    const tokens = toWindows(shallow, windows)
    const first = this.patch_embed?.norm.forward(tokens) ?? tokens
    const deep = this.layers.reduce((x, layer) => layer.forward(x, shift), first)
    return fromWindows(this.norm.forward(deep), windows, size)
  }
}

/** The official network does not pad; images are padded to 16, the official window, where smaller ones divide it. */
function paddingMultiple(window: number): number {
  return 16 % window === 0 ? 16 : window
}

/** Derives the options from the key shapes of a checkpoint. */
function drctOptionsFromWeights(shapes: KeyShapes): DrctOptions {
  const { size, count } = shapeReader('drct', shapes)
  const table = 'swin1.attn.relative_position_bias_table'
  const groups = Array.from({ length: count('layers', table) }, (_, i) => `layers.${i}`)
  // Networks of images no larger than a window store positions but no mask; files without either show nothing.
  const first = 'layers.0.swin2'
  const shifted = shapes.has(`${first}.attn_mask`) || !shapes.has(`${first}.attn.relative_position_index`)
  return {
    ...frameOptionsFromWeights('drct', shapes),
    range: 1,
    heads: groups.map((group) => size(`${group}.${table}`, 1)),
    window: (Math.sqrt(size(`layers.0.${table}`, 0)) + 1) / 2,
    shifted,
    growth: size('layers.0.adjust1.weight', 0),
    hidden: [1, 2, 3, 4, 5].map((block) => size(`layers.0.swin${block}.mlp.fc1.bias`, 0)),
    qkvBias: shapes.has('layers.0.swin1.attn.qkv.bias'),
    patchNorm: shapes.has('patch_embed.norm.weight'),
  }
}

export const drct = defineNetwork({
  facts: drctFacts,
  defaults: drctDefaults,
  optionsFromWeights: drctOptionsFromWeights,
  create: (init, options) => new Drct(init, options),
  ignoredKeys: ['attn_mask', 'relative_position_index'],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ window }) => {
    const multiple = paddingMultiple(window)
    return { multipleOf: 1, minimum: Math.floor(multiple / 2) + 1, padToMultiple: multiple }
  },
  scale: ({ upscale }) => upscale,
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  tiling: ({ window }) => {
    const multiple = paddingMultiple(window)
    return {
      whole: 'needless',
      tilePx: multiple * Math.floor(256 / multiple),
      overlapPx: roundUp(32, multiple),
      batch: 1,
    }
  },
  memory: (options) => {
    const { channels, growth, hidden, heads, window } = options
    const attention = 2 * Math.max(...heads) * window ** 2
    const blocks =
      4 * (10 * (channels + 4 * growth) + Math.max(attention, ...hidden.map((features) => 2 * features)))
    return { fixedBytes: 420e6, bytesPerPixel: blocks + reconstructionBytes(options) }
  },
  role: () => ({ kind: 'restores' }),
})
