// SwinIR: Image Restoration Using Swin Transformer, arXiv:2108.10257.
// Checkpoint keys: JingyunLiang/SwinIR models/network_swinir.py. Input [b c h w] in 0..1 of any size.

import { roundUp } from '../../core/functional.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { LayerNorm } from '../../nn/norm.ts'
import {
  type FrameOptions,
  frameDefaults,
  frameOptionsFromWeights,
  type ResidualConv,
  reconstructionBytes,
  residualConv,
  runResidualConv,
  SuperResolution,
} from '../../nn/superResolution.ts'
import { SwinBlock, type SwinBlockOptions } from '../../nn/swinBlock.ts'
import { fromWindows, type ImageSize, toWindows, WindowShift, type WindowSize } from '../../nn/windows.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { swinirFacts } from './cards.ts'

/** Options of SwinIR. */
export interface SwinirOptions extends FrameOptions {
  /** Blocks of each residual Swin transformer block. */
  readonly depths: readonly number[]
  readonly heads: readonly number[]
  /** Side of a window in pixels. */
  readonly window: number
  readonly hidden: number // of the feed-forward networks
}

/** Options of the official ×4 models of medium size. */
export const swinirDefaults: SwinirOptions = {
  ...frameDefaults,
  depths: [6, 6, 6, 6, 6, 6],
  heads: [6, 6, 6, 6, 6, 6],
  window: 8,
  hidden: 360,
}

/** Residual Swin transformer block: every second of its blocks attends within shifted windows. */
class ResidualGroup {
  readonly window: WindowSize
  residual_group: { blocks: readonly SwinBlock[] }
  conv: ResidualConv

  constructor(init: Init, depth: number, options: SwinBlockOptions & Pick<FrameOptions, 'residual'>) {
    this.window = [options.window, options.window]
    this.residual_group = { blocks: Array.from({ length: depth }, () => new SwinBlock(init, options)) }
    this.conv = residualConv(init, options)
  }

  /** Tokens of the image -> the same, [b·windows n c]. */
  forward(x: Tensor, size: ImageSize, shift: WindowShift): Tensor {
    let y = x
    for (const [i, block] of this.residual_group.blocks.entries())
      y = i % 2 === 0 ? block.forward(y) : shift.undo(block.forward(shift.apply(y), shift.mask))
    const image = runResidualConv(this.conv, fromWindows(y, this.window, size))
    return x.add(toWindows(image, this.window))
  }
}

/** Restores by attention within windows of 8×8 or 7×7 pixels. */
export class Swinir extends SuperResolution<SwinirOptions> {
  protected readonly multiple: number
  patch_embed: { norm: LayerNorm }
  layers: readonly ResidualGroup[]

  constructor(init: Init, options: SwinirOptions) {
    super(init, options)
    this.multiple = options.window
    this.patch_embed = { norm: new LayerNorm(init, options.channels) }
    this.layers = options.depths.map(
      (depth, i) =>
        new ResidualGroup(init, depth, { ...options, heads: options.heads[i] ?? 1, qkvBias: true }),
    )
  }

  protected body(shallow: Tensor): Tensor {
    const { window } = this.options
    const windows = [window, window] as const
    const half = Math.floor(window / 2)
    const size = { b: shallow.size(0), h: shallow.size(2), w: shallow.size(3) }
    const shift = new WindowShift(size, windows, [half, half])
    const tokens = this.patch_embed.norm.forward(toWindows(shallow, windows))
    const deep = this.layers.reduce((x, layer) => layer.forward(x, size, shift), tokens)
    return fromWindows(this.norm.forward(deep), windows, size)
  }
}

/** Side of the windows of JPEG models, the only ones with values in 0..255. */
const jpegWindow = 7

/** Derives the options from the key shapes of a checkpoint. */
function swinirOptionsFromWeights(shapes: KeyShapes): SwinirOptions {
  const { size, count } = shapeReader('swinir', shapes)
  const layers = count('layers', 'residual_group.blocks.0.norm1.weight')
  const each = <T>(read: (layer: string) => T) =>
    Array.from({ length: layers }, (_, i) => read(`layers.${i}.residual_group.blocks`))
  const table = 'attn.relative_position_bias_table'
  const window = (Math.sqrt(size(`layers.0.residual_group.blocks.0.${table}`, 0)) + 1) / 2
  return {
    ...frameOptionsFromWeights('swinir', shapes),
    range: window === jpegWindow ? 255 : 1,
    depths: each((blocks) => count(blocks, 'norm1.weight')),
    heads: each((blocks) => size(`${blocks}.0.${table}`, 1)),
    window,
    hidden: size('layers.0.residual_group.blocks.0.mlp.fc1.bias', 0),
  }
}

export const swinir = defineNetwork({
  facts: swinirFacts,
  defaults: swinirDefaults,
  optionsFromWeights: swinirOptionsFromWeights,
  create: (init, options) => new Swinir(init, options),
  ignoredKeys: ['attn_mask', 'relative_position_index'],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ window, unshuffle }) => {
    const multiple = window * unshuffle
    return { multipleOf: 1, minimum: Math.floor(multiple / 2) + 1, padToMultiple: multiple }
  },
  scale: ({ upscale, unshuffle }) => upscale / unshuffle,
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  tiling: ({ window, unshuffle }) => {
    const multiple = window * unshuffle
    const overlapPx = roundUp(32, multiple)
    return { whole: 'needless', tilePx: multiple * Math.floor(256 / multiple), overlapPx, batch: 1 }
  },
  // Measured peak of the process for medium size ×4: 391 and 659 MB for 64² and 128² pixels.
  memory: (options) => {
    const { channels, hidden, heads, window, unshuffle } = options
    const attention = 2 * Math.max(...heads) * window ** 2
    const blocks = 4 * (10 * channels + Math.max(attention, 2 * hidden))
    return {
      fixedBytes: 320e6,
      bytesPerPixel: (blocks + reconstructionBytes(options)) / unshuffle ** 2,
    }
  },
  role: () => ({ kind: 'restores' }),
})
