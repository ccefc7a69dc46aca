// RGT: Recursive Generalization Transformer for Image Super-Resolution, arXiv:2303.06373.
// Checkpoint keys: zhengchen1999/RGT basicsr/archs/rgt_arch.py. Input [b c h w] in 0..1, h and w at least 16.

import { rearrange } from '../../core/rearrange.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { frameDefaults, frameOptionsFromWeights, reconstructionBytes } from '../../nn/superResolution.ts'
import type { ImageSize } from '../../nn/windows.ts'
import { GatedMlp } from '../dat/gatedMlp.ts'
import {
  attendInHalves,
  createHalves,
  type HalfAttention,
  type HalfWindows,
  type HalvesOptions,
  windowOf,
} from '../dat/halves.ts'
import { HalvesNetwork, type HalvesNetworkOptions } from '../dat/halvesNetwork.ts'
import { windowKey } from '../dat/layout.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { rgtFacts } from './cards.ts'

/** Options of RGT. */
export interface RgtOptions extends HalvesNetworkOptions {
  readonly hidden: number // of the feed-forward networks
  /** Features by which pixels are compared with the reduced image. */
  readonly reduced: number
  readonly qkvBias: boolean
}

/** Options of the official RGT-S ×4. */
export const rgtDefaults: RgtOptions = {
  ...frameDefaults,
  depths: [6, 6, 6, 6, 6, 6],
  heads: [6, 6, 6, 6, 6, 6],
  window: [8, 32],
  hidden: 360,
  reduced: 90,
  qkvBias: true,
}

type BlockOptions = HalvesOptions & Pick<RgtOptions, 'hidden' | 'reduced'>

/** Side of the input that a recursion halves twice. */
const stride = 4

/** Local self-attention within windows, beside a depth-wise convolution. */
class LocalAttention {
  readonly heads: number
  qkv: Linear
  proj: Linear
  attns: readonly [HalfAttention, HalfAttention]
  get_v: Conv2d

  constructor(init: Init, options: BlockOptions) {
    const { channels: c, heads, qkvBias } = options
    this.heads = heads
    this.qkv = new Linear(init, c, 3 * c, { bias: qkvBias })
    this.proj = new Linear(init, c, c, { bias: true })
    this.attns = createHalves(init, options)
    this.get_v = new Conv2d(init, c, c, { kernel: 3, bias: true, groups: c })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize, windows: HalfWindows): Tensor {
    const { attended, value } = attendInHalves(x, this, windows)
    const convolved = this.get_v.forward(rearrange(value, 'b (h w) c -> b c h w', { h, w }))
    return this.proj.forward(attended.add(rearrange(convolved, 'b c h w -> b (h w) c')))
  }
}

/** Recursive-generalization self-attention: pixels attend to an image that one convolution reduces again and again. */
class GlobalAttention {
  readonly heads: number
  reduction1: Conv2d
  dwconv: Conv2d
  conv: Conv2d
  norm_act: readonly [LayerNorm]
  q: Linear
  k: Linear
  v: Linear
  cpe: Conv2d
  proj: Linear

  constructor(init: Init, { channels: c, heads, reduced, qkvBias }: BlockOptions) {
    const depthwise = () => new Conv2d(init, c, c, { kernel: 3, bias: true, groups: c })
    const linear = (from: number, to: number) => new Linear(init, from, to, { bias: qkvBias })
    this.heads = heads
    this.reduction1 = new Conv2d(init, c, c, { kernel: stride, stride, padding: 0, bias: true, groups: c })
    this.dwconv = depthwise()
    this.conv = new Conv2d(init, c, reduced, { kernel: 1, bias: true })
    this.norm_act = [new LayerNorm(init, reduced)]
    this.q = linear(c, reduced)
    this.k = linear(reduced, reduced)
    this.v = linear(reduced, c)
    this.cpe = depthwise()
    this.proj = new Linear(init, c, c, { bias: true })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, { h, w }: ImageSize<number>): Tensor {
    const { heads } = this
    let image = rearrange(x, 'b (h w) c -> b c h w', { h, w })
    for (let i = 0; i < recursionsFor(h, w); i++) image = this.reduction1.forward(image)
    const [height, width] = [image.size(2), image.size(3)]
    const mixed = rearrange(this.conv.forward(this.dwconv.forward(image)), 'b c h w -> b (h w) c')
    const reduced = this.norm_act[0].forward(mixed).gelu()
    const value = this.v.forward(reduced)
    const around = this.cpe.forward(rearrange(value, 'b (h w) c -> b c h w', { h: height, w: width }))
    const parts = {
      q: rearrange(this.q.forward(x), 'b n (heads d) -> b heads n d', { heads }),
      k: rearrange(this.k.forward(reduced), 'b m (heads d) -> b heads d m', { heads }),
      v: rearrange(value.add(rearrange(around, 'b c h w -> b (h w) c')), 'b m (heads d) -> b heads m d', {
        heads,
      }),
    }
    const attention = parts.q
      .mul(parts.q.size(3) ** -0.5)
      .matmul(parts.k)
      .softmax(-1)
    return this.proj.forward(rearrange(attention.matmul(parts.v), 'b heads n d -> b n (heads d)'))
  }
}

/** Two recursions up to a side of 1023 pixels and one more for each factor of 4, as long as a pixel remains. */
function recursionsFor(height: number, width: number): number {
  const [shorter, longer] = [Math.min(height, width), Math.max(height, width)]
  let times = 2
  while (longer >= 16 * stride ** (times + 1) && shorter >= stride ** (times + 1)) times++
  return times
}

/** Even blocks attend in windows, odd ones to the reduced image. */
class Block {
  norm1: LayerNorm
  attn: LocalAttention | GlobalAttention
  mlp: GatedMlp
  norm2: LayerNorm
  gamma: Tensor // [c], share of the input that is added

  constructor(init: Init, index: number, options: BlockOptions) {
    const { channels, hidden } = options
    this.norm1 = new LayerNorm(init, channels)
    this.attn = index % 2 === 0 ? new LocalAttention(init, options) : new GlobalAttention(init, options)
    this.mlp = new GatedMlp(init, channels, hidden)
    this.norm2 = new LayerNorm(init, channels)
    this.gamma = init.weight([channels], { constant: 1e-4 })
  }

  /** [b h·w c] -> [b h·w c]. */
  forward(x: Tensor, size: ImageSize<number>, windows: HalfWindows): Tensor {
    const y = x.add(scoped(x, () => this.attn.forward(this.norm1.forward(x), size, windows)))
    const z = y.add(scoped(y, () => this.mlp.forward(this.norm2.forward(y), size)))
    return z.add(x.mul(this.gamma))
  }
}

/** Alternates attention within windows and attention to a reduced image. */
export class Rgt extends HalvesNetwork<RgtOptions> {
  constructor(init: Init, options: RgtOptions) {
    super(init, options, (...block) => new Block(...block))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function rgtOptionsFromWeights(shapes: KeyShapes): RgtOptions {
  const { size, count } = shapeReader('rgt', shapes)
  const frame = frameOptionsFromWeights('rgt', shapes)
  const layers = Array.from(
    { length: count('layers', 'blocks.0.norm1.weight') },
    (_, i) => `layers.${i}.blocks`,
  )
  // Groups of one block have no such layer; the official networks have half of the channels there.
  const reduced = layers.map((blocks) => shapes.get(`${blocks}.1.attn.conv.weight`)?.[0])
  return {
    ...frame,
    range: 1,
    depths: layers.map((blocks) => count(blocks, 'norm1.weight')),
    heads: layers.map((blocks) => 2 * size(`${blocks}.0.attn.attns.0.pos.pos3.2.weight`, 0)),
    window: windowOf('rgt', shapes),
    hidden: size('layers.0.blocks.0.mlp.fc1.weight', 0),
    reduced: reduced.find((features) => features !== undefined) ?? Math.floor(frame.channels / 2),
    qkvBias: shapes.has('layers.0.blocks.0.attn.qkv.bias'),
  }
}

/** Side of a tile, by which the reduced image has 256 pixels. */
const tilePx = 256

export const rgt = defineNetwork({
  facts: rgtFacts,
  defaults: rgtDefaults,
  optionsFromWeights: rgtOptionsFromWeights,
  create: (init, options) => new Rgt(init, options),
  ignoredKeys: ['attn_mask_0', 'attn_mask_1', 'relative_position_index', windowKey],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  size: ({ window }) => ({ multipleOf: 1, minimum: stride ** 2, padToMultiple: Math.max(...window) }),
  scale: ({ upscale }) => upscale,
  channels: ({ inChannels }) => ({ input: inChannels, output: inChannels }),
  tiling: () => ({ whole: 'costly', tilePx, overlapPx: 64, batch: 1 }),
  memory: (options) => {
    const { channels, hidden, heads, window } = options
    const n = Math.max(window[0] * window[1], (tilePx / stride ** 2) ** 2)
    const blocks = 4 * (12 * channels + Math.max(2 * Math.max(...heads) * n, 2 * hidden))
    return { fixedBytes: 400e6, bytesPerPixel: blocks + reconstructionBytes(options) }
  },
  role: () => ({ kind: 'restores' }),
})
