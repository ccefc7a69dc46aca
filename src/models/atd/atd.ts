// ATD: Transcending the Limit of Local Window, with an Adaptive Token Dictionary, arXiv:2401.08209.
// Checkpoint keys: LabShuHangGU/Adaptive-Token-Dictionary basicsr/archs/atd_arch.py. Input [b c h w] in 0..1 of any size.

import { rearrange } from '../../core/rearrange.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { ConvMlp } from '../../nn/convMlp.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { padMirrored } from '../../nn/padding.ts'
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
import { attendHeads, positionBias } from '../../nn/windowAttention.ts'
import { type ImageSize, PixelWindows } from '../../nn/windows.ts'
import { defaultTiling, defineNetwork, input } from '../networkDescriptor.ts'
import { type AttentionOptions, CategoryAttention, DictionaryAttention, type Projected } from './attention.ts'
import { atdFacts } from './cards.ts'

/** Options of ATD. */
export interface AtdOptions extends FrameOptions {
  /** Layers of each block. */
  readonly depths: readonly number[]
  readonly heads: readonly number[]
  /** Side of a window in pixels. */
  readonly window: number
  /** Tokens of one category that attend to each other; no tensor tells it. */
  readonly categorySize: number
  /** Entries of a block's dictionary. */
  readonly tokens: number
  /** Features by which pixels are compared with a dictionary. */
  readonly reduced: number
  readonly hidden: number // of the feed-forward networks
  /** Side of the convolution in a feed-forward network. */
  readonly kernel: number
  readonly qkvBias: boolean
  /** Whether features are normalized before the first block. */
  readonly patchNorm: boolean
  /** Whether the mean color is subtracted from RGB images. */
  readonly centered: boolean
}

/** Options of the official ATD ×4. */
export const atdDefaults: AtdOptions = {
  ...frameDefaults,
  channels: 210,
  depths: [6, 6, 6, 6, 6, 6],
  heads: [6, 6, 6, 6, 6, 6],
  window: 16,
  categorySize: 256,
  tokens: 128,
  reduced: 20,
  hidden: 420,
  kernel: 5,
  qkvBias: true,
  patchNorm: true,
  centered: true,
}

interface LayerOptions extends AttentionOptions {
  readonly window: number
  readonly hidden: number
  readonly kernel: number
}

/** Attention within windows, whose queries, keys and values are those of the layer. */
class PlainWindowAttention {
  readonly heads: number
  readonly window: number
  relative_position_bias_table: Tensor // [(2 window − 1)² heads]
  proj: Linear

  constructor(init: Init, { channels, heads, window }: LayerOptions) {
    this.heads = heads
    this.window = window
    this.relative_position_bias_table = init.weight([(2 * window - 1) ** 2, heads], { deviation: 0.02 })
    this.proj = new Linear(init, channels, channels, { bias: true })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward({ q, k, v }: Projected, windows: PixelWindows): Tensor {
    const { heads, window } = this
    const scaled = q.mul((q.size(2) / heads) ** -0.5)
    const parts = {
      q: rearrange(windows.apply(scaled), 'b n (heads d) -> b heads n d', { heads }),
      k: rearrange(windows.apply(k), 'b n (heads d) -> b heads d n', { heads }),
      v: rearrange(windows.apply(v), 'b n (heads d) -> b heads n d', { heads }),
    }
    const bias = positionBias(this.relative_position_bias_table, [window, window])
    return this.proj.forward(windows.undo(attendHeads(parts, bias, windows.mask)))
  }
}

/** Transformer layer with three attentions; all but the last of a block refine the dictionary. */
class Layer {
  norm1: LayerNorm
  norm2: LayerNorm
  norm3?: { weight: Tensor; bias: Tensor } // [tokens] each
  sigma?: Tensor // [tokens 1]
  wqkv: Linear
  attn_win: PlainWindowAttention
  attn_atd: DictionaryAttention
  attn_aca: CategoryAttention
  convffn: ConvMlp

  constructor(init: Init, isLast: boolean, options: LayerOptions) {
    const { channels, tokens, qkvBias } = options
    this.norm1 = new LayerNorm(init, channels)
    this.norm2 = new LayerNorm(init, channels)
    if (!isLast) {
      this.norm3 = {
        weight: init.weight([tokens], { constant: 1 }),
        bias: init.weight([tokens], { constant: 0 }),
      }
      this.sigma = init.weight([tokens, 1], { constant: 0 })
    }
    this.wqkv = new Linear(init, channels, 3 * channels, { bias: qkvBias })
    this.attn_win = new PlainWindowAttention(init, options)
    this.attn_atd = new DictionaryAttention(init, options)
    this.attn_aca = new CategoryAttention(init, options)
    this.convffn = new ConvMlp(init, options)
  }

  /** [b h·w c] and a dictionary [b m c] -> the same. */
  forward(
    x: Tensor,
    dictionary: Tensor,
    size: ImageSize,
    windows: PixelWindows,
  ): readonly [x: Tensor, dictionary: Tensor] {
    const normed = this.norm1.forward(x)
    const { attended, similarity } = this.attn_atd.forward(normed, dictionary)
    const projected = this.#project(normed)
    const y = x
      .add(scoped(x, () => this.attn_win.forward(projected, windows)))
      .add(attended)
      .add(scoped(x, () => this.attn_aca.forward(projected, similarity)))
    const z = y.add(scoped(y, () => this.convffn.forward(this.norm2.forward(y), size)))
    return [z, this.#refine(dictionary, similarity, z)]
  }

  #project(normed: Tensor): Projected {
    const weights = this.wqkv.weight.chunk(3, 0)
    const biases = this.wqkv.bias?.chunk(3, 0)
    return {
      q: normed.linear(weights[0], biases?.[0]),
      k: normed.linear(weights[1], biases?.[1]),
      v: normed.linear(weights[2], biases?.[2]),
    }
  }

  /** Moves each entry of the dictionary towards the pixels that it is closest to. */
  #refine(dictionary: Tensor, similarity: Tensor, x: Tensor): Tensor {
    if (!this.norm3 || !this.sigma) return dictionary
    const { weight, bias } = this.norm3
    // Normalized over all pixels.
    const normal = similarity.transpose(1, 2).layerNorm(undefined, 1e-5)
    const scaled = normal.mul(weight.reshape([-1, 1])).add(bias.reshape([-1, 1]))
    const share = this.sigma.sigmoid()
    return dictionary.mul(share).add(scaled.softmax(-1).matmul(x).mul(share.neg().add(1)))
  }
}

/** Layers that share a dictionary. */
class BasicBlock {
  layers: readonly Layer[]
  td: Tensor // [tokens channels]

  constructor(init: Init, depth: number, options: LayerOptions) {
    this.layers = Array.from({ length: depth }, (_, i) => new Layer(init, i === depth - 1, options))
    this.td = init.weight([options.tokens, options.channels], { deviation: 1 })
  }

  forward(x: Tensor, size: ImageSize<number>, plain: PixelWindows, shifted: PixelWindows): Tensor {
    const dictionary = this.td.reshape([1, ...this.td.shape]).expand([size.b, ...this.td.shape])
    const [y] = this.layers.reduce<readonly [Tensor, Tensor]>(
      ([t, entries], layer, i) => layer.forward(t, entries, size, i % 2 === 0 ? plain : shifted),
      [x, dictionary],
    )
    return y
  }
}

/** Residual block of layers and a convolution. */
class Block {
  residual_group: BasicBlock
  conv: ResidualConv

  constructor(init: Init, depth: number, options: LayerOptions & Pick<FrameOptions, 'residual'>) {
    this.residual_group = new BasicBlock(init, depth, options)
    this.conv = residualConv(init, options)
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize<number>, plain: PixelWindows, shifted: PixelWindows): Tensor {
    const y = this.residual_group.forward(x, size, plain, shifted)
    return addResidualConv(x, this.conv, y, size)
  }
}

/** Restores by attention within windows, to a dictionary, and among pixels that resemble each other. */
export class Atd extends SuperResolution<AtdOptions> {
  protected readonly multiple: number
  patch_embed?: { norm: LayerNorm }
  layers: readonly Block[]
  /** Marks files of networks that do not center images. */
  no_norm?: Tensor // [1]

  constructor(init: Init, options: AtdOptions) {
    super(init, options)
    this.multiple = options.window
    if (options.patchNorm) this.patch_embed = { norm: new LayerNorm(init, options.channels) }
    this.layers = options.depths.map(
      (depth, i) => new Block(init, depth, { ...options, heads: options.heads[i] ?? 1 }),
    )
    if (!options.centered) this.no_norm = init.buffer([1], 0)
  }

  protected override get mean(): Tensor | undefined {
    return this.options.centered ? super.mean : undefined
  }

  protected override pad(image: Tensor, multiple: number): Tensor {
    return padMirrored(image, multiple)
  }

  protected body(shallow: Tensor): Tensor {
    const { window } = this.options
    const size = { b: shallow.size(0), h: shallow.size(2), w: shallow.size(3) }
    const half = Math.floor(window / 2)
    const square = { window: [window, window], multiple: window } as const
    const plain = new PixelWindows(size, square)
    const shifted = new PixelWindows(size, { ...square, shift: [half, half] })
    const tokens = rearrange(shallow, 'b c h w -> b (h w) c')
    const first = this.patch_embed?.norm.forward(tokens) ?? tokens
    const deep = this.layers.reduce((x, layer) => layer.forward(x, size, plain, shifted), first)
    return rearrange(this.norm.forward(deep), 'b (h w) c -> b c h w', { h: size.h, w: size.w })
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function atdOptionsFromWeights(shapes: KeyShapes): AtdOptions {
  const { size, count } = shapeReader('atd', shapes)
  const table = 'layers.0.attn_win.relative_position_bias_table'
  const groups = Array.from(
    { length: count('layers', `residual_group.${table}`) },
    (_, i) => `layers.${i}.residual_group`,
  )
  const group = 'layers.0.residual_group'
  const layer = `${group}.layers.0`
  const frame = frameOptionsFromWeights('atd', shapes)
  const isLight = frame.upsampler === 'pixelshuffledirect' && frame.channels === 48
  return {
    ...frame,
    range: 1,
    depths: groups.map((name) => count(`${name}.layers`, 'norm1.weight')),
    heads: groups.map((name) => size(`${name}.${table}`, 1)),
    window: (Math.sqrt(size(`${group}.${table}`, 0)) + 1) / 2,
    // The official light models have half of the others'.
    categorySize: isLight ? 128 : 256,
    tokens: size(`${group}.td`, 0),
    reduced: size(`${layer}.attn_atd.wq.weight`, 0),
    hidden: size(`${layer}.convffn.fc1.weight`, 0),
    kernel: size(`${layer}.convffn.dwconv.depthwise_conv.0.weight`, 2),
    qkvBias: shapes.has(`${layer}.wqkv.bias`),
    patchNorm: shapes.has('patch_embed.norm.weight'),
    centered: !shapes.has('no_norm'),
  }
}

export const atd = defineNetwork({
  facts: atdFacts,
  defaults: atdDefaults,
  optionsFromWeights: atdOptionsFromWeights,
  optionsNotInWeights: ['categorySize'],
  create: (init, options) => new Atd(init, options),
  ignoredKeys: ['relative_position_index_SA'],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ window }) => ({ multipleOf: 1, minimum: Math.ceil(window / 2), padToMultiple: window }),
  scale: ({ upscale }) => upscale,
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  // Pixels are compared with all others by way of the dictionary, and sorted.
  tiling: () => defaultTiling,
  memory: (options) => {
    const { channels, hidden, heads, window, tokens, categorySize } = options
    const attention = 2 * Math.max(...heads) * Math.max(window ** 2, categorySize)
    const blocks = 4 * (14 * channels + 3 * tokens + Math.max(attention, 3 * hidden))
    return { fixedBytes: 420e6, bytesPerPixel: blocks + reconstructionBytes(options) }
  },
  role: () => ({ kind: 'restores' }),
})
