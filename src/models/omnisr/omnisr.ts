// Omni-SR: Omni Aggregation Networks for Lightweight Image Super-Resolution, arXiv:2304.10244.
// Checkpoint keys: Francis0625/OmniSR components/OmniSR.py. Input [b c h w] in 0..1, h and w at least 16.

import { constant } from '../../core/hostBackend.ts'
import { rearrange } from '../../core/rearrange.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d, convInParts } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm, LayerNorm2d } from '../../nn/norm.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { runSteps, type Step, shuffled } from '../../nn/upsampler.ts'
import { fromWindows, toWindows } from '../../nn/windows.ts'
import { defaultTiling, defineNetwork, input } from '../networkDescriptor.ts'
import { type AttentionOptions, ChannelAttention, PixelAttention } from './attention.ts'
import { omnisrFacts } from './cards.ts'

/** Options of Omni-SR. */
export interface OmnisrOptions {
  readonly scale: number
  readonly inChannels: number
  readonly outChannels: number
  readonly width: number
  readonly groups: number
  /** Blocks of each group. */
  readonly blocks: number
  /** Side of a window in pixels, and of the grid over the image. */
  readonly window: number
  /** Whether relative positions within a window have biases. */
  readonly positions: boolean
  /** Whether the convolutions outside the blocks have biases. */
  readonly bias: boolean
}

/** Options of the official ×4 model. */
export const omnisrDefaults: OmnisrOptions = {
  scale: 4,
  inChannels: 3,
  outChannels: 3,
  width: 64,
  groups: 5,
  blocks: 1,
  window: 8,
  positions: true,
  bias: true,
}

/** Convolutions between which channels are weighted by their means over the image. */
class LocalConv {
  fn: readonly [Conv2d, null, Conv2d, null, { gate: readonly [null, Linear, null, Linear] }, Conv2d]

  constructor(init: Init, c: number) {
    const few = Math.floor(c / 4)
    const conv = (kernel: number, groups: number) => new Conv2d(init, c, c, { kernel, bias: true, groups })
    const linear = (from: number, to: number) => new Linear(init, from, to, { bias: false })
    // Between them are activations and a mean over all pixels.
    const gate = [null, linear(c, few), null, linear(few, c)] as const
    this.fn = [conv(1, 1), null, conv(3, c), null, { gate }, conv(1, 1)]
  }

  forward(x: Tensor): Tensor {
    const [first, , depthwise, , { gate }, last] = this.fn
    const [, squeeze, , excite] = gate
    const y = depthwise.forward(first.forward(x).gelu()).gelu()
    const weights = excite.forward(squeeze.forward(y.mean([2, 3])).silu()).sigmoid()
    return x.add(last.forward(y.mul(weights.reshape([...weights.shape, 1, 1]))))
  }
}

/** Feed-forward network with a depth-wise convolution, half of which gates the other half. */
class GatedConv {
  project_in: Conv2d
  dwconv: Conv2d
  project_out: Conv2d

  constructor(init: Init, c: number) {
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 1, bias: false })
    this.project_in = conv(c, 2 * c)
    this.dwconv = new Conv2d(init, 2 * c, 2 * c, { kernel: 3, bias: false, groups: 2 * c })
    this.project_out = conv(c, c)
  }

  /** [b c h w], normalized by `norm` -> [b c h w]. */
  forward(x: Tensor, norm: LayerNorm2d): Tensor {
    const [gate, values] = convInParts(norm.normalize(x), 2, [norm.foldInto(this.project_in), this.dwconv])
    return this.project_out.forward(gate.gelu().mul(values))
  }
}

interface Normed<N, F> {
  norm: N
  fn: F
}
type Tokens = Normed<LayerNorm, PixelAttention>
type Feed = Normed<LayerNorm2d, GatedConv>
type Channels = Normed<LayerNorm2d, ChannelAttention>

/** Omni self-attention: between pixels and between channels within windows, then both on a grid. */
class Block {
  readonly window: number
  layer: readonly [
    ...[LocalConv, null, Tokens, null, Feed, Channels, Feed],
    ...[null, Tokens, null, Feed, Channels, Feed],
  ]

  constructor(init: Init, options: AttentionOptions) {
    const { width } = options
    const tokens = (): Tokens => ({ norm: new LayerNorm(init, width), fn: new PixelAttention(init, options) })
    const feed = (): Feed => ({ norm: new LayerNorm2d(init, width), fn: new GatedConv(init, width) })
    const channels = (isGrid: boolean): Channels => ({
      norm: new LayerNorm2d(init, width),
      fn: new ChannelAttention(init, isGrid, options),
    })
    this.window = options.window
    // Between them pixels are regrouped.
    this.layer = [
      ...([new LocalConv(init, width), null, tokens(), null, feed(), channels(false), feed()] as const),
      ...([null, tokens(), null, feed(), channels(true), feed()] as const),
    ]
  }

  /** [b c h w] -> [b c h w], where h and w are multiples of the window. */
  forward(x: Tensor): Tensor {
    const [local, , pixels, , feed1, channels, feed2, , gridPixels, , feed3, gridChannels, feed4] = this.layer
    const near = this.#attend(
      scoped(x, () => local.forward(x)),
      pixels,
      false,
    )
    const within = [feed1, channels, feed2].reduce(residual, near)
    return [feed3, gridChannels, feed4].reduce(residual, this.#attend(within, gridPixels, true))
  }

  #attend(x: Tensor, { norm, fn }: Tokens, isGrid: boolean): Tensor {
    const side = this.window
    const [b, h, w] = [x.size(0), x.size(2), x.size(3)]
    const attended = scoped(x, () => {
      if (!isGrid)
        return fromWindows(fn.forward(norm.forward(toWindows(x, [side, side]))), [side, side], { b, h, w })
      const tokens = rearrange(x, 'b c (y i) (x j) -> (b i j) (y x) c', { y: side, x: side })
      const sizes = { b, i: h / side, j: w / side, y: side, x: side }
      return rearrange(fn.forward(norm.forward(tokens)), '(b i j) (y x) c -> b c (y i) (x j)', sizes)
    })
    return x.add(attended)
  }
}

function residual(x: Tensor, { norm, fn }: Feed | Channels): Tensor {
  return x.add(scoped(x, () => fn.forward(x, norm)))
}

/** Enhanced spatial attention (RFANet, CVPR 2020): pixels are weighted by what a coarse image and they themselves show. */
class SpatialAttention {
  conv1: Conv2d
  conv_f: Conv2d
  conv2: Conv2d
  conv3: Conv2d
  conv4: Conv2d

  constructor(init: Init, c: number) {
    const few = Math.max(Math.floor(c / 4), 16)
    const conv1 = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 1, bias: true })
    this.conv1 = conv1(c, few)
    this.conv_f = conv1(few, few)
    this.conv2 = new Conv2d(init, few, few, { kernel: 3, bias: true, stride: 2, padding: 0 })
    this.conv3 = new Conv2d(init, few, few, { kernel: 3, bias: true })
    this.conv4 = conv1(few, c)
  }

  forward(x: Tensor): Tensor {
    const features = this.conv1.forward(x)
    const coarse = this.conv3.forward(this.conv2.forward(features).maxPool2d(7, { stride: 3 }))
    const enlarged = coarse
      .matmul(bilinear(coarse.size(3), x.size(3)))
      .transpose(2, 3)
      .matmul(bilinear(coarse.size(2), x.size(2)))
      .transpose(2, 3)
    return x.mul(this.conv4.forward(enlarged.add(this.conv_f.forward(features))).sigmoid())
  }
}

/** Weights of bilinear interpolation from pixels of a side to those of a longer one: [from to]. */
function bilinear(from: number, to: number): Tensor {
  const weights = new Float32Array(from * to)
  for (let i = 0; i < to; i++) {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1)
    const low = Math.floor(at)
    const share = at - low
    weights[low * to + i] = 1 - share
    if (share > 0) weights[(low + 1) * to + i] = share
  }
  return constant(weights, [from, to])
}

class Group {
  residual_layer: readonly [...Block[], Conv2d]
  esa: SpatialAttention

  constructor(init: Init, options: OmnisrOptions) {
    const { width, blocks, bias } = options
    this.residual_layer = [
      ...Array.from({ length: blocks }, () => new Block(init, options)),
      new Conv2d(init, width, width, { kernel: 1, bias }),
    ]
    this.esa = new SpatialAttention(init, width)
  }

  forward(x: Tensor): Tensor {
    return this.esa.forward(x.add(runSteps(this.residual_layer, x)))
  }
}

/** Restores by attention between pixels and between channels, near and far. */
export class Omnisr {
  readonly options: OmnisrOptions
  residual_layer: readonly Group[]
  input: Conv2d
  output: Conv2d
  up: readonly [Conv2d, Step]

  constructor(init: Init, options: OmnisrOptions) {
    const { scale, inChannels, outChannels, width, groups, bias } = options
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias })
    this.options = options
    this.residual_layer = Array.from({ length: groups }, () => new Group(init, options))
    this.input = conv(inChannels, width)
    this.output = conv(width, width)
    this.up = [conv(width, outChannels * scale ** 2), (x) => x.pixelShuffle(scale)]
  }

  /** [b c h w] -> [b c h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { window, scale } = this.options
    const shallow = this.input.forward(padTo(image, window, 'constant'))
    const deep = this.output.forward(runSteps(this.residual_layer, shallow)).add(shallow)
    return cropLike(runSteps(this.up, deep), image, scale)
  }
}

/** Side of the windows of all known models, which networks without positions do not show. */
const commonWindow = 8

/** Derives the options from the key shapes of a checkpoint. */
function omnisrOptionsFromWeights(shapes: KeyShapes): OmnisrOptions {
  const { size, count } = shapeReader('omnisr', shapes)
  const inChannels = size('input.weight', 1)
  const group = 'residual_layer.0.residual_layer'
  const positions = shapes.get(`${group}.0.layer.2.fn.rel_pos_bias.weight`)?.[0]
  return {
    ...shuffled(size('up.0.weight', 0), inChannels),
    inChannels,
    width: size('input.weight', 0),
    groups: count('residual_layer', 'esa.conv1.weight'),
    blocks: count(group, 'layer.0.fn.0.weight'),
    window: positions === undefined ? commonWindow : (Math.sqrt(positions) + 1) / 2,
    positions: positions !== undefined,
    bias: shapes.has('input.bias'),
  }
}

export const omnisr = defineNetwork({
  facts: omnisrFacts,
  defaults: omnisrDefaults,
  optionsFromWeights: omnisrOptionsFromWeights,
  create: (init, options) => new Omnisr(init, options),
  ignoredKeys: ['total_ops', 'total_params'],
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  // The coarse image of smaller ones would have no pixel.
  size: ({ window }) => ({ multipleOf: 1, minimum: 16, padToMultiple: window }),
  scale: ({ scale }) => scale,
  channels: ({ inChannels, outChannels }) => ({ input: inChannels, output: outChannels }),
  // The grid spans all pixels, and channels are weighted by their means.
  tiling: () => defaultTiling,
  memory: ({ width, window, outChannels, scale }) => ({
    fixedBytes: 250e6,
    bytesPerPixel: 4 * (12 * width + 8 * window ** 2 + 3 * outChannels * scale ** 2),
  }),
  role: () => ({ kind: 'restores' }),
})
