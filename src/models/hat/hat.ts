// HAT: Activating More Pixels in Image Super-Resolution Transformer, arXiv:2205.04437.
// Checkpoint keys: XPixelGroup/HAT hat/archs/hat_arch.py. Input [b c h w] in 0..1 of any size.

import { rearrange } from '../../core/rearrange.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Mlp } from '../../nn/mlp.ts'
import { LayerNorm } from '../../nn/norm.ts'
import {
  addResidualConv,
  type FrameOptions,
  frameDefaults,
  frameOptionsFromWeights,
  type ResidualConv,
  reconstructionBytes,
  residualConv,
  SuperResolution,
} from '../../nn/superResolution.ts'
import { WindowAttention } from '../../nn/windowAttention.ts'
import { type ImageSize, PixelWindows } from '../../nn/windows.ts'
import { defaultTiling, defineNetwork, input } from '../networkDescriptor.ts'
import { hatFacts } from './cards.ts'
import { OverlapBlock, type OverlapOptions, OverlappingWindows } from './overlap.ts'

/** Options of HAT. */
export interface HatOptions extends FrameOptions {
  /** Hybrid attention blocks of each residual group. */
  readonly depths: readonly number[]
  readonly heads: readonly number[]
  /** Side of a window in pixels. */
  readonly window: number
  /** Side of the larger windows that overlap. */
  readonly overlapWindow: number
  readonly hidden: number // of the feed-forward networks
  /** Channels between the two convolutions of a block. */
  readonly compressed: number
  /** Channels between the two layers of channel attention. */
  readonly squeezed: number
  readonly qkvBias: boolean
  /** Whether features are normalized before the first group. */
  readonly patchNorm: boolean
}

/** Options of the official HAT ×4. */
export const hatDefaults: HatOptions = {
  ...frameDefaults,
  depths: [6, 6, 6, 6, 6, 6],
  heads: [6, 6, 6, 6, 6, 6],
  window: 16,
  overlapWindow: 24,
  hidden: 360,
  compressed: 60,
  squeezed: 6,
  qkvBias: true,
  patchNorm: true,
}

/** Share of the convolutions in a block; no file tells it. */
const convScale = 0.01

interface BlockOptions extends OverlapOptions {
  readonly compressed: number
  readonly squeezed: number
}

/** Channel attention block: two convolutions whose channels are weighted by their means over the image. */
class ChannelAttentionBlock {
  cab: readonly [Conv2d, null, Conv2d, { attention: readonly [null, Conv2d, null, Conv2d] }]

  constructor(init: Init, { channels, compressed, squeezed }: BlockOptions) {
    const conv = (from: number, to: number, kernel: number) =>
      new Conv2d(init, from, to, { kernel, bias: true })
    // Between them are a mean over all pixels and activations.
    const attention = [null, conv(channels, squeezed, 1), null, conv(squeezed, channels, 1)] as const
    this.cab = [conv(channels, compressed, 3), null, conv(compressed, channels, 3), { attention }]
  }

  /** [b c h w] -> [b c h w], times `convScale`. */
  forward(x: Tensor): Tensor {
    const [first, , second, { attention }] = this.cab
    const [, squeeze, , excite] = attention
    const y = second.forward(first.forward(x).gelu())
    const mean = y.mean([2, 3], { keepDim: true })
    return y.mul(excite.forward(squeeze.forward(mean).relu()).sigmoid().mul(convScale))
  }
}

/** Windows of images of one size. */
interface Windows {
  readonly plain: PixelWindows
  readonly shifted: PixelWindows
  readonly larger: OverlappingWindows
}

/** Hybrid attention block. */
class Block {
  norm1: LayerNorm
  attn: WindowAttention
  conv_block: ChannelAttentionBlock
  norm2: LayerNorm
  mlp: Mlp

  constructor(init: Init, options: BlockOptions) {
    const { channels, hidden, qkvBias } = options
    this.norm1 = new LayerNorm(init, channels)
    this.attn = new WindowAttention(init, { ...options, bias: qkvBias })
    this.conv_block = new ChannelAttentionBlock(init, options)
    this.norm2 = new LayerNorm(init, channels)
    this.mlp = new Mlp(init, channels, hidden)
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize, windows: PixelWindows): Tensor {
    const y = scoped(x, () => {
      const normed = this.norm1.forward(x)
      const image = rearrange(normed, 'b (h w) c -> b c h w', { h, w })
      const convolved = rearrange(this.conv_block.forward(image), 'b c h w -> b (h w) c')
      const attended = windows.undo(this.attn.forward(windows.apply(normed), windows.mask))
      return x.add(attended).add(convolved)
    })
    return y.add(scoped(y, () => this.mlp.forward(this.norm2.forward(y))))
  }
}

/** Residual hybrid attention group: every second block attends within shifted windows, the last to larger ones. */
class ResidualGroup {
  residual_group: { blocks: readonly Block[]; overlap_attn: OverlapBlock }
  conv: ResidualConv

  constructor(init: Init, depth: number, options: BlockOptions & Pick<FrameOptions, 'residual'>) {
    this.residual_group = {
      blocks: Array.from({ length: depth }, () => new Block(init, options)),
      overlap_attn: new OverlapBlock(init, options),
    }
    this.conv = residualConv(init, options)
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize, { plain, shifted, larger }: Windows): Tensor {
    const { blocks, overlap_attn } = this.residual_group
    const y = blocks.reduce((t, block, i) => block.forward(t, size, i % 2 === 0 ? plain : shifted), x)
    const z = scoped(y, () => overlap_attn.forward(y, plain, larger))
    return addResidualConv(x, this.conv, z, size)
  }
}

/** Restores by attention within windows, across channels, and between overlapping windows. */
export class Hat extends SuperResolution<HatOptions> {
  protected readonly multiple: number
  patch_embed?: { norm: LayerNorm }
  layers: readonly ResidualGroup[]

  constructor(init: Init, options: HatOptions) {
    super(init, options)
    this.multiple = options.window
    if (options.patchNorm) this.patch_embed = { norm: new LayerNorm(init, options.channels) }
    this.layers = options.depths.map(
      (depth, i) => new ResidualGroup(init, depth, { ...options, heads: options.heads[i] ?? 1 }),
    )
  }

  protected body(shallow: Tensor): Tensor {
    const { window, overlapWindow } = this.options
    const size = { b: shallow.size(0), h: shallow.size(2), w: shallow.size(3) }
    const half = Math.floor(window / 2)
    const square = { window: [window, window], multiple: window } as const
    const windows = {
      plain: new PixelWindows(size, square),
      shifted: new PixelWindows(size, { ...square, shift: [half, half] }),
      larger: new OverlappingWindows(size, window, overlapWindow),
    }
    const tokens = rearrange(shallow, 'b c h w -> b (h w) c')
    const first = this.patch_embed?.norm.forward(tokens) ?? tokens
    const deep = this.layers.reduce((x, layer) => layer.forward(x, size, windows), first)
    return rearrange(this.norm.forward(deep), 'b (h w) c -> b c h w', { h: size.h, w: size.w })
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function hatOptionsFromWeights(shapes: KeyShapes): HatOptions {
  const { size, count } = shapeReader('hat', shapes)
  const groups = Array.from(
    { length: count('layers', 'residual_group.blocks.0.norm1.weight') },
    (_, i) => `layers.${i}.residual_group`,
  )
  const group = 'layers.0.residual_group'
  const block = `${group}.blocks.0`
  const window = (Math.sqrt(size(`${block}.attn.relative_position_bias_table`, 0)) + 1) / 2
  const bothSides = Math.sqrt(size(`${group}.overlap_attn.relative_position_bias_table`, 0)) + 1
  return {
    ...frameOptionsFromWeights('hat', shapes),
    range: 1,
    depths: groups.map((name) => count(`${name}.blocks`, 'norm1.weight')),
    heads: groups.map((name) => size(`${name}.overlap_attn.relative_position_bias_table`, 1)),
    window,
    overlapWindow: bothSides - window,
    hidden: size(`${block}.mlp.fc1.bias`, 0),
    compressed: size(`${block}.conv_block.cab.0.weight`, 0),
    squeezed: size(`${block}.conv_block.cab.3.attention.1.weight`, 0),
    qkvBias: shapes.has(`${block}.attn.qkv.bias`),
    patchNorm: shapes.has('patch_embed.norm.weight'),
  }
}

export const hat = defineNetwork({
  facts: hatFacts,
  defaults: hatDefaults,
  optionsFromWeights: hatOptionsFromWeights,
  create: (init, options) => new Hat(init, options),
  ignoredKeys: ['relative_position_index_SA', 'relative_position_index_OCA'],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ window }) => ({ multipleOf: 1, minimum: Math.floor(window / 2) + 1, padToMultiple: window }),
  scale: ({ upscale }) => upscale,
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  // Channel attention averages over all pixels.
  tiling: () => defaultTiling,
  memory: (options) => {
    const { channels, hidden, heads, overlapWindow, window } = options
    // Larger windows repeat the keys and values of every pixel.
    const overlap = 2 * Math.max(...heads) * overlapWindow ** 2 + 4 * channels * (overlapWindow / window) ** 2
    const blocks = 4 * (10 * channels + Math.max(overlap, 2 * hidden))
    return { fixedBytes: 420e6, bytesPerPixel: blocks + reconstructionBytes(options) }
  },
  role: () => ({ kind: 'restores' }),
})
