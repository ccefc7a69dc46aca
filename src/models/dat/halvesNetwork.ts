// Residual groups of blocks that attend in windows which lie and stand, as DAT and RGT have them.

import { rearrange } from '../../core/rearrange.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'
import { LayerNorm } from '../../nn/norm.ts'
import {
  addResidualConv,
  type FrameOptions,
  type ResidualConv,
  residualConv,
  SuperResolution,
} from '../../nn/superResolution.ts'
import type { ImageSize, WindowSize } from '../../nn/windows.ts'
import { type HalfWindows, halfWindows, isShifted } from './halves.ts'

export interface HalvesNetworkOptions extends FrameOptions {
  /** Blocks of each residual group. */
  readonly depths: readonly number[]
  readonly heads: readonly number[]
  /** Height and width of the windows of the first half of the heads; the second half has them turned. */
  readonly window: WindowSize
}

interface HalvesBlock {
  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize<number>, windows: HalfWindows): Tensor
}

/** Creates a block by its index in the group. */
type CreateBlock<O> = (init: Init, index: number, options: O & { readonly heads: number }) => HalvesBlock

class ResidualGroup {
  readonly index: number
  blocks: readonly HalvesBlock[]
  conv: ResidualConv

  constructor(index: number, blocks: readonly HalvesBlock[], conv: ResidualConv) {
    this.index = index
    this.blocks = blocks
    this.conv = conv
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize<number>, plain: HalfWindows, shifted: HalfWindows): Tensor {
    const y = this.blocks.reduce(
      (t, block, i) => block.forward(t, size, isShifted(this.index, i) ? shifted : plain),
      x,
    )
    return addResidualConv(x, this.conv, y, size)
  }
}

/** A network of such groups; tokens are normalized before the first. */
export abstract class HalvesNetwork<O extends HalvesNetworkOptions> extends SuperResolution<O> {
  protected readonly multiple = 1
  before_RG: readonly [null, LayerNorm]
  layers: readonly ResidualGroup[]

  constructor(init: Init, options: O, createBlock: CreateBlock<Omit<O, 'heads'>>) {
    super(init, options)
    this.before_RG = [null, new LayerNorm(init, options.channels)]
    this.layers = options.depths.map((depth, group) => {
      const own = { ...options, heads: options.heads[group] ?? 2 }
      const blocks = Array.from({ length: depth }, (_, i) => createBlock(init, i, own))
      return new ResidualGroup(group, blocks, residualConv(init, options))
    })
  }

  protected body(shallow: Tensor): Tensor {
    const size = { b: shallow.size(0), h: shallow.size(2), w: shallow.size(3) }
    const { plain, shifted } = halfWindows(size, this.options.window)
    const tokens = this.before_RG[1].forward(rearrange(shallow, 'b c h w -> b (h w) c'))
    const deep = this.layers.reduce((t, layer) => layer.forward(t, size, plain, shifted), tokens)
    return rearrange(this.norm.forward(deep), 'b (h w) c -> b c h w', { h: size.h, w: size.w })
  }
}
