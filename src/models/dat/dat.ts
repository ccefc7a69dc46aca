// DAT: Dual Aggregation Transformer for Image Super-Resolution, arXiv:2308.03364.
// Checkpoint keys: zhengchen1999/DAT basicsr/archs/dat_arch.py. Input [b c h w] in 0..1 of any size.

import { RestoreError } from '../../core/errors.ts'
import { rearrange } from '../../core/rearrange.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
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
import { type ImageSize, PixelWindows, type WindowSize } from '../../nn/windows.ts'
import { defaultTiling, defineNetwork, input } from '../networkDescriptor.ts'
import { type AttentionOptions, ChannelAttention, type HalfWindows, SpatialAttention } from './attention.ts'
import { datFacts } from './cards.ts'
import { windowKey } from './layout.ts'

/** Options of DAT. */
export interface DatOptions extends FrameOptions {
  /** Blocks of each residual group. */
  readonly depths: readonly number[]
  readonly heads: readonly number[]
  /** Height and width of the windows of the first half of the heads; the second half has them turned. */
  readonly window: WindowSize
  readonly hidden: number // of the feed-forward networks
  readonly qkvBias: boolean
}

/** Options of the official DAT-S ×4. */
export const datDefaults: DatOptions = {
  ...frameDefaults,
  depths: [6, 6, 6, 6, 6, 6],
  heads: [6, 6, 6, 6, 6, 6],
  window: [8, 16],
  hidden: 360,
  qkvBias: true,
}

/** Spatial-gate feed-forward network: half of the features gate the other half. */
class FeedForward {
  fc1: Linear
  sg: { norm: LayerNorm; conv: Conv2d }
  fc2: Linear

  constructor(init: Init, channels: number, hidden: number) {
    const half = Math.floor(hidden / 2)
    this.fc1 = new Linear(init, channels, hidden, { bias: true })
    this.sg = {
      norm: new LayerNorm(init, half),
      conv: new Conv2d(init, half, half, { kernel: 3, bias: true, groups: half }),
    }
    this.fc2 = new Linear(init, half, channels, { bias: true })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize): Tensor {
    const [weight, gateWeight] = this.fc1.weight.chunk(2, 0)
    const [bias, gateBias] = this.fc1.bias?.chunk(2, 0) ?? []
    const gate = this.sg.norm.forward(x.linear(gateWeight, gateBias).gelu())
    const filtered = this.sg.conv.forward(rearrange(gate, 'b (h w) c -> b c h w', { h, w }))
    return this.fc2.forward(x.linear(weight, bias).gelu().mul(rearrange(filtered, 'b c h w -> b (h w) c')))
  }
}

interface BlockOptions extends AttentionOptions {
  readonly hidden: number
}

/** Dual aggregation transformer block; even ones attend in space, odd ones across channels. */
class Block {
  norm1: LayerNorm
  attn: SpatialAttention | ChannelAttention
  ffn: FeedForward
  norm2: LayerNorm

  constructor(init: Init, index: number, options: BlockOptions) {
    const { channels, hidden } = options
    this.norm1 = new LayerNorm(init, channels)
    this.attn = index % 2 === 0 ? new SpatialAttention(init, options) : new ChannelAttention(init, options)
    this.ffn = new FeedForward(init, channels, hidden)
    this.norm2 = new LayerNorm(init, channels)
  }

  forward(x: Tensor, size: ImageSize, windows: HalfWindows): Tensor {
    const y = x.add(scoped(x, () => this.attn.forward(this.norm1.forward(x), size, windows)))
    return y.add(scoped(y, () => this.ffn.forward(this.norm2.forward(y), size)))
  }
}

class ResidualGroup {
  readonly index: number
  blocks: readonly Block[]
  conv: ResidualConv

  constructor(
    init: Init,
    index: number,
    depth: number,
    options: BlockOptions & Pick<FrameOptions, 'residual'>,
  ) {
    this.index = index
    this.blocks = Array.from({ length: depth }, (_, i) => new Block(init, i, options))
    this.conv = residualConv(init, options)
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize, plain: HalfWindows, shifted: HalfWindows): Tensor {
    const { h, w } = size
    // Every second block that attends in space shifts its windows: the second of even groups, the first of odd ones.
    const first = this.index % 2 === 0 ? 2 : 0
    const y = this.blocks.reduce(
      (t, block, i) => block.forward(t, size, i % 4 === first ? shifted : plain),
      x,
    )
    const image = runResidualConv(this.conv, rearrange(y, 'b (h w) c -> b c h w', { h, w }))
    return x.add(rearrange(image, 'b c h w -> b (h w) c'))
  }
}

/** Alternates attention within windows and attention across channels. */
export class Dat extends SuperResolution<DatOptions> {
  protected readonly multiple = 1
  before_RG: readonly [null, LayerNorm]
  layers: readonly ResidualGroup[]

  constructor(init: Init, options: DatOptions) {
    super(init, options)
    this.before_RG = [null, new LayerNorm(init, options.channels)]
    this.layers = options.depths.map(
      (depth, i) => new ResidualGroup(init, i, depth, { ...options, heads: options.heads[i] ?? 2 }),
    )
  }

  protected body(shallow: Tensor): Tensor {
    const [y, x] = this.options.window
    const size = { b: shallow.size(0), h: shallow.size(2), w: shallow.size(3) }
    const multiple = Math.max(y, x)
    const windows = (window: WindowSize, shift: readonly [number, number]) =>
      new PixelWindows(size, { window, shift, multiple })
    const [down, right] = [Math.floor(y / 2), Math.floor(x / 2)]
    const plain = [windows([y, x], [0, 0]), windows([x, y], [0, 0])] as const
    const shifted = [windows([y, x], [down, right]), windows([x, y], [right, down])] as const
    const tokens = this.before_RG[1].forward(rearrange(shallow, 'b c h w -> b (h w) c'))
    const deep = this.layers.reduce((t, layer) => layer.forward(t, size, plain, shifted), tokens)
    return rearrange(this.norm.forward(deep), 'b (h w) c -> b c h w', { h: size.h, w: size.w })
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function datOptionsFromWeights(shapes: KeyShapes): DatOptions {
  const { size, count } = shapeReader('dat', shapes)
  const layers = Array.from(
    { length: count('layers', 'blocks.0.norm1.weight') },
    (_, i) => `layers.${i}.blocks`,
  )
  const half = 'layers.0.blocks.0.attn.attns.0'
  return {
    ...frameOptionsFromWeights('dat', shapes),
    range: 1,
    depths: layers.map((blocks) => count(blocks, 'norm1.weight')),
    heads: layers.map(
      (blocks) =>
        shapes.get(`${blocks}.1.attn.temperature`)?.[0] ??
        2 * size(`${blocks}.0.attn.attns.0.pos.pos3.2.weight`, 0),
    ),
    window: windowOf(shapes, half),
    hidden: size('layers.0.blocks.0.ffn.fc1.weight', 0),
    qkvBias: shapes.has('layers.0.blocks.0.attn.qkv.bias'),
  }
}

/** Height and width of a window; where its positions are unknown, of n pixels and (2h−1)(2w−1) positions, wide ones are taken. */
function windowOf(shapes: KeyShapes, half: string): WindowSize {
  const [height, width] = shapes.get(windowKey) ?? []
  if (height !== undefined && width !== undefined) return [height, width]
  const { size } = shapeReader('dat', shapes)
  const n = size(`${half}.relative_position_index`, 0)
  const positions = size(`${half}.rpe_biases`, 0)
  const halfSum = (4 * n + 1 - positions) / 4
  const shorter = halfSum - Math.sqrt(halfSum ** 2 - n)
  if (Number.isInteger(shorter)) return [shorter, n / shorter]
  throw new RestoreError(
    'checkpoint',
    `dat: expected a window of whole sides, got ${n} pixels and ${positions} relative positions`,
  )
}

export const dat = defineNetwork({
  facts: datFacts,
  defaults: datDefaults,
  optionsFromWeights: datOptionsFromWeights,
  create: (init, options) => new Dat(init, options),
  ignoredKeys: ['attn_mask_0', 'attn_mask_1', 'relative_position_index', windowKey],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  // Windows lie both ways, on a grid of their longer side.
  size: ({ window }) => ({ multipleOf: 1, minimum: 1, padToMultiple: Math.max(...window) }),
  scale: ({ upscale }) => upscale,
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  // Attention across channels and the means of channels sum over all pixels.
  tiling: () => defaultTiling,
  // Measured peak of the process for DAT-S ×4: 475 and 770 MB for 64² and 128² pixels.
  memory: (options) => {
    const { channels, hidden, heads, window } = options
    const n = window[0] * window[1]
    const attention = Math.max(...heads) * n + 2 * n
    const blocks = 4 * (12 * channels + Math.max(attention, 2 * hidden))
    return { fixedBytes: 400e6, bytesPerPixel: blocks + reconstructionBytes(options) }
  },
  role: () => ({ kind: 'restores' }),
})
