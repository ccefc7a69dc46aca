// DAT: Dual Aggregation Transformer for Image Super-Resolution, arXiv:2308.03364.
// Checkpoint keys: zhengchen1999/DAT basicsr/archs/dat_arch.py. Input [b c h w] in 0..1 of any size.

import { scoped, type Tensor } from '../../core/tensor.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { frameDefaults, frameOptionsFromWeights, reconstructionBytes } from '../../nn/superResolution.ts'
import type { ImageSize } from '../../nn/windows.ts'
import { defaultTiling, defineNetwork, input } from '../networkDescriptor.ts'
import { ChannelAttention, SpatialAttention } from './attention.ts'
import { datFacts } from './cards.ts'
import { GatedMlp } from './gatedMlp.ts'
import { type HalfWindows, type HalvesOptions, windowOf } from './halves.ts'
import { HalvesNetwork, type HalvesNetworkOptions } from './halvesNetwork.ts'
import { windowKey } from './layout.ts'

/** Options of DAT. */
export interface DatOptions extends HalvesNetworkOptions {
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

interface BlockOptions extends HalvesOptions {
  readonly hidden: number
}

/** Dual aggregation transformer block; even ones attend in space, odd ones across channels. */
class Block {
  norm1: LayerNorm
  attn: SpatialAttention | ChannelAttention
  ffn: GatedMlp
  norm2: LayerNorm

  constructor(init: Init, index: number, options: BlockOptions) {
    const { channels, hidden } = options
    this.norm1 = new LayerNorm(init, channels)
    this.attn = index % 2 === 0 ? new SpatialAttention(init, options) : new ChannelAttention(init, options)
    this.ffn = new GatedMlp(init, channels, hidden)
    this.norm2 = new LayerNorm(init, channels)
  }

  forward(x: Tensor, size: ImageSize, windows: HalfWindows): Tensor {
    const y = x.add(scoped(x, () => this.attn.forward(this.norm1.forward(x), size, windows)))
    return y.add(scoped(y, () => this.ffn.forward(this.norm2.forward(y), size)))
  }
}

/** Alternates attention within windows and attention across channels. */
export class Dat extends HalvesNetwork<DatOptions> {
  constructor(init: Init, options: DatOptions) {
    super(init, options, (...block) => new Block(...block))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function datOptionsFromWeights(shapes: KeyShapes): DatOptions {
  const { size, count } = shapeReader('dat', shapes)
  const layers = Array.from(
    { length: count('layers', 'blocks.0.norm1.weight') },
    (_, i) => `layers.${i}.blocks`,
  )
  return {
    ...frameOptionsFromWeights('dat', shapes),
    range: 1,
    depths: layers.map((blocks) => count(blocks, 'norm1.weight')),
    heads: layers.map(
      (blocks) =>
        shapes.get(`${blocks}.1.attn.temperature`)?.[0] ??
        2 * size(`${blocks}.0.attn.attns.0.pos.pos3.2.weight`, 0),
    ),
    window: windowOf('dat', shapes),
    hidden: size('layers.0.blocks.0.ffn.fc1.weight', 0),
    qkvBias: shapes.has('layers.0.blocks.0.attn.qkv.bias'),
  }
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
