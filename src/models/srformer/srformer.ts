// SRFormer: Permuted Self-Attention for Single Image Super-Resolution, arXiv:2303.09735.
// Checkpoint keys: HVision-NKU/SRFormer@d0c2da6 basicsr/archs/srformer_arch.py. Input [b c h w] in 0..1 of any size.

import { roundUp } from '../../core/functional.ts'
import { constant, constantIndices } from '../../core/hostBackend.ts'
import { rearrange } from '../../core/rearrange.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { ConvMlp } from '../../nn/convMlp.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
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
import { attendHeads } from '../../nn/windowAttention.ts'
import { type ImageSize, PixelWindows } from '../../nn/windows.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { srformerFacts } from './cards.ts'

/** Options of SRFormer. */
export interface SrformerOptions extends FrameOptions {
  /** Blocks of each group. */
  readonly depths: readonly number[]
  readonly heads: readonly number[]
  /** Side of a window in pixels, an even number. */
  readonly window: number
  /** Whether every second block attends within shifted windows. */
  readonly shifted: boolean
  readonly hidden: number // of the feed-forward networks
  readonly qkvBias: boolean
  /** Whether features are normalized before the first group. */
  readonly patchNorm: boolean
}

/** Options of the official SRFormer ×4. */
export const srformerDefaults: SrformerOptions = {
  ...frameDefaults,
  depths: [6, 6, 6, 6, 6, 6],
  heads: [6, 6, 6, 6, 6, 6],
  window: 24,
  shifted: true,
  hidden: 360,
  qkvBias: true,
  patchNorm: true,
}

/** Side of the convolution in a feed-forward network. */
const kernel = 5

type BlockOptions = Pick<SrformerOptions, 'channels' | 'window' | 'hidden' | 'qkvBias'> & {
  readonly heads: number
}

/** Permuted self-attention: keys and values have a quarter of the channels, and four pixels share one. */
class PermutedAttention {
  readonly heads: number
  /** Side of a window in keys. */
  readonly side: number
  relative_position_bias_table: Tensor // [(window − 1)² heads]
  kv: Linear
  q: Linear
  proj: Linear

  constructor(init: Init, { channels: c, heads, window, qkvBias }: BlockOptions) {
    this.heads = heads
    this.side = window / 2
    this.relative_position_bias_table = init.weight([(window - 1) ** 2, heads], { deviation: 0.02 })
    this.kv = new Linear(init, c, c / 2, { bias: qkvBias })
    this.q = new Linear(init, c, c, { bias: qkvBias })
    this.proj = new Linear(init, c, c, { bias: true })
  }

  /** [b·windows n c] -> [b·windows n c]. */
  forward(x: Tensor, mask: Tensor | undefined): Tensor {
    const { heads, side } = this
    const [keyWeight, valueWeight] = this.kv.weight.chunk(2, 0)
    const [keyBias, valueBias] = this.kv.bias?.chunk(2, 0) ?? []
    // Scaling the weights of q saves a pass over the logits.
    const scale = (this.q.weight.size(0) / heads) ** -0.5
    const q = x.linear(this.q.weight.mul(scale), this.q.bias?.mul(scale))
    const permuted = (t: Tensor) =>
      rearrange(t, 'b (h y w x) c -> b (h w) (y x c)', { h: side, w: side, y: 2, x: 2 })
    const parts = {
      q: rearrange(q, 'b n (heads d) -> b heads n d', { heads }),
      k: rearrange(permuted(x.linear(keyWeight, keyBias)), 'b m (heads d) -> b heads d m', { heads }),
      v: rearrange(permuted(x.linear(valueWeight, valueBias)), 'b m (heads d) -> b heads m d', { heads }),
    }
    const bias = this.relative_position_bias_table.embedding(positions(side)).permute([2, 0, 1])
    return this.proj.forward(attendHeads(parts, bias, mask))
  }
}

/** Index of the position of each pixel of a window relative to each key, in keys: [4·side² side²]. */
function positions(side: number): Tensor {
  const [n, m] = [4 * side ** 2, side ** 2]
  const indices = Array.from({ length: n * m }, (_, at) => {
    const [from, to] = [Math.floor(at / m), at % m]
    const dy = Math.floor(from / (4 * side)) - Math.floor(to / side)
    const dx = Math.floor((from % (2 * side)) / 2) - (to % side)
    return (dy + side - 1) * (2 * side - 1) + dx + side - 1
  })
  return constantIndices(indices, [n, m])
}

/** Windows of images of one size, and what to add to the logits of shifted ones: [windows 1 n m]. */
interface Windows {
  readonly order: PixelWindows
  readonly mask: Tensor | undefined
}

/** Masks keys that only the cyclic shift by half a window makes neighbors: [windows 1 n m]. */
function maskOf({ h, w }: ImageSize<number>, window: number): Tensor {
  const side = window / 2
  // NOTE: keys cover two pixels; with an odd shift, the key at the seam counts as beyond it.
  const keys = Math.ceil(side / 2)
  const [n, m, columns] = [window ** 2, side ** 2, w / window]
  const values = new Float32Array(h * w * m)
  const isApart = (start: number, size: number, query: number, key: number) =>
    start + query >= size - side !== start / 2 + key >= size / 2 - keys
  for (let at = 0; at < values.length; at++) {
    const [key, query] = [at % m, Math.floor(at / m) % n]
    const index = Math.floor(at / (n * m))
    const [top, left] = [Math.floor(index / columns) * window, (index % columns) * window]
    const rows = isApart(top, h, Math.floor(query / window), Math.floor(key / side))
    if (rows || isApart(left, w, query % window, key % side)) values[at] = -100
  }
  return constant(values, [values.length / (n * m), 1, n, m])
}

/** Permuted self-attention block. */
class Block {
  norm1: LayerNorm
  attn: PermutedAttention
  norm2: LayerNorm
  mlp: ConvMlp

  constructor(init: Init, options: BlockOptions) {
    this.norm1 = new LayerNorm(init, options.channels)
    this.attn = new PermutedAttention(init, options)
    this.norm2 = new LayerNorm(init, options.channels)
    this.mlp = new ConvMlp(init, { ...options, kernel })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize, { order, mask }: Windows): Tensor {
    const attended = scoped(x, () => order.undo(this.attn.forward(order.apply(this.norm1.forward(x)), mask)))
    const y = x.add(attended)
    return y.add(scoped(y, () => this.mlp.forward(this.norm2.forward(y), size)))
  }
}

/** Residual group of blocks, every second of which attends within shifted windows. */
class ResidualGroup {
  residual_group: { blocks: readonly Block[] }
  conv: ResidualConv

  constructor(init: Init, depth: number, options: BlockOptions & Pick<FrameOptions, 'residual'>) {
    this.residual_group = { blocks: Array.from({ length: depth }, () => new Block(init, options)) }
    this.conv = residualConv(init, options)
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize, plain: Windows, shifted: Windows): Tensor {
    const { blocks } = this.residual_group
    const y = blocks.reduce((t, block, i) => block.forward(t, size, i % 2 === 0 ? plain : shifted), x)
    return addResidualConv(x, this.conv, y, size)
  }
}

/** Restores by attention within large windows, where four pixels share a key. */
export class Srformer extends SuperResolution<SrformerOptions> {
  protected readonly multiple: number
  patch_embed?: { norm: LayerNorm }
  layers: readonly ResidualGroup[]

  constructor(init: Init, options: SrformerOptions) {
    super(init, options)
    this.multiple = options.window
    if (options.patchNorm) this.patch_embed = { norm: new LayerNorm(init, options.channels) }
    this.layers = options.depths.map(
      (depth, i) => new ResidualGroup(init, depth, { ...options, heads: options.heads[i] ?? 1 }),
    )
  }

  protected body(shallow: Tensor): Tensor {
    const { window } = this.options
    const size = { b: shallow.size(0), h: shallow.size(2), w: shallow.size(3) }
    const half = window / 2
    const square = { window: [window, window], multiple: window } as const
    const plain = { order: new PixelWindows(size, square), mask: undefined }
    const shifted = this.options.shifted
      ? { order: new PixelWindows(size, { ...square, shift: [half, half] }), mask: maskOf(size, window) }
      : plain
    const tokens = rearrange(shallow, 'b c h w -> b (h w) c')
    const first = this.patch_embed?.norm.forward(tokens) ?? tokens
    const deep = this.layers.reduce((x, layer) => layer.forward(x, size, plain, shifted), first)
    return rearrange(this.norm.forward(deep), 'b (h w) c -> b c h w', { h: size.h, w: size.w })
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function srformerOptionsFromWeights(shapes: KeyShapes): SrformerOptions {
  const { size, count } = shapeReader('srformer', shapes)
  const groups = Array.from(
    { length: count('layers', 'residual_group.blocks.0.norm1.weight') },
    (_, i) => `layers.${i}.residual_group.blocks`,
  )
  const block = 'layers.0.residual_group.blocks.0'
  const table = 'attn.relative_position_bias_table'
  // Networks of images no larger than a window store positions but no mask; files without either show nothing.
  const shifted =
    [...shapes.keys()].some((key) => key.endsWith('.attn_mask')) ||
    !shapes.has(`${block}.attn.aligned_relative_position_index`)
  return {
    ...frameOptionsFromWeights('srformer', shapes),
    range: 1,
    depths: groups.map((blocks) => count(blocks, 'norm1.weight')),
    heads: groups.map((blocks) => size(`${blocks}.0.${table}`, 1)),
    window: Math.sqrt(size(`${block}.${table}`, 0)) + 1,
    shifted,
    hidden: size(`${block}.mlp.fc1.bias`, 0),
    qkvBias: shapes.has(`${block}.attn.q.bias`),
    patchNorm: shapes.has('patch_embed.norm.weight'),
  }
}

export const srformer = defineNetwork({
  facts: srformerFacts,
  defaults: srformerDefaults,
  optionsFromWeights: srformerOptionsFromWeights,
  create: (init, options) => new Srformer(init, options),
  ignoredKeys: ['attn_mask', 'aligned_relative_position_index'],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ window }) => ({ multipleOf: 1, minimum: window / 2 + 1, padToMultiple: window }),
  scale: ({ upscale }) => upscale,
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  tiling: ({ window }) => ({
    whole: 'needless',
    tilePx: window * Math.floor(256 / window),
    overlapPx: roundUp(32, window),
    batch: 1,
  }),
  memory: (options) => {
    const { channels, hidden, heads, window } = options
    const attention = (2 * Math.max(...heads) * window ** 2) / 4
    const blocks = 4 * (10 * channels + Math.max(attention, 3 * hidden))
    return { fixedBytes: 420e6, bytesPerPixel: blocks + reconstructionBytes(options) }
  },
  role: () => ({ kind: 'restores' }),
})
