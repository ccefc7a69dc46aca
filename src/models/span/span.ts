// SPAN: Swift Parameter-free Attention Network, arXiv:2311.12770. Checkpoint keys: hongyuanyu/SPAN@c25ae9d basicsr/archs/span_arch.py, with each
// group of convolutions merged by layout.ts.
// Input [b 3 h w] in 0..1 of any size.

import { constant } from '../../core/hostBackend.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { meanColor } from '../../nn/meanShift.ts'
import { shuffled } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { spanFacts } from './cards.ts'

/** Options of SPAN. */
export interface SpanOptions {
  readonly scale: number
  readonly inChannels: number
  readonly outChannels: number
  readonly channels: number
  /** Whether inputs are shifted by the mean of DIV2K and scaled to 0..255. */
  readonly norm: boolean
}

/** Options of the official ×4 model. */
export const spanDefaults: SpanOptions = { scale: 4, inChannels: 3, outChannels: 3, channels: 48, norm: true }

const range = 255

function conv3(init: Init, from: number, to: number): Conv2d {
  return new Conv2d(init, from, to, { kernel: 3, bias: true })
}

/** Swift parameter-free attention block (§3.2). */
class Spab {
  c1_r: Conv2d
  c2_r: Conv2d
  c3_r: Conv2d

  constructor(init: Init, channels: number) {
    this.c1_r = conv3(init, channels, channels)
    this.c2_r = conv3(init, channels, channels)
    this.c3_r = conv3(init, channels, channels)
  }

  /** Also returns the activated result of the first convolution. */
  forward(x: Tensor): readonly [y: Tensor, first: Tensor] {
    const first = this.c1_r.forward(x).silu()
    const third = this.c3_r.forward(this.c2_r.forward(first).silu())
    return [third.add(x).mul(third.sigmoid().sub(0.5)), first]
  }
}

/** Six blocks whose own results are their attention. */
export class Span {
  readonly options: SpanOptions
  no_norm?: Tensor // marks files without norm
  conv_1: Conv2d
  block_1: Spab
  block_2: Spab
  block_3: Spab
  block_4: Spab
  block_5: Spab
  block_6: Spab
  conv_cat: Conv2d
  conv_2: Conv2d
  upsampler: readonly [Conv2d]

  constructor(init: Init, options: SpanOptions) {
    const { scale, inChannels, outChannels, channels, norm } = options
    this.options = options
    if (!norm) this.no_norm = init.buffer([1], 0)
    this.conv_1 = conv3(init, inChannels, channels)
    this.block_1 = new Spab(init, channels)
    this.block_2 = new Spab(init, channels)
    this.block_3 = new Spab(init, channels)
    this.block_4 = new Spab(init, channels)
    this.block_5 = new Spab(init, channels)
    this.block_6 = new Spab(init, channels)
    this.conv_cat = new Conv2d(init, 4 * channels, channels, { kernel: 1, bias: true })
    this.conv_2 = conv3(init, channels, channels)
    this.upsampler = [conv3(init, channels, outChannels * scale ** 2)]
  }

  /** [b c h w] -> [b c h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { norm, scale } = this.options
    const x = norm ? image.sub(constant(Float32Array.from(meanColor), [1, 3, 1, 1])).mul(range) : image
    const shallow = this.conv_1.forward(x)
    const [first] = this.block_1.forward(shallow)
    const [second] = this.block_2.forward(first)
    const [third] = this.block_3.forward(second)
    const [fourth] = this.block_4.forward(third)
    const [fifth] = this.block_5.forward(fourth)
    const [sixth, joined] = this.block_6.forward(fifth)
    const deep = this.conv_cat.forward(cat([shallow, this.conv_2.forward(sixth), first, joined], 1))
    return this.upsampler[0].forward(deep).pixelShuffle(scale)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function spanOptionsFromWeights(shapes: KeyShapes): SpanOptions {
  const { size } = shapeReader('span', shapes)
  const inChannels = size('conv_1.weight', 1)
  return {
    ...shuffled(size('upsampler.0.weight', 0), inChannels),
    inChannels,
    channels: size('conv_1.weight', 0),
    norm: !shapes.has('no_norm'),
  }
}

export const span = defineNetwork({
  facts: spanFacts,
  defaults: spanDefaults,
  optionsFromWeights: spanOptionsFromWeights,
  create: (init, options) => new Span(init, options),
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  scale: ({ scale }) => scale,
  channels: ({ inChannels, outChannels }) => ({ input: inChannels, output: outChannels }),
  tiling: () => ({ whole: 'needless', tilePx: 384, overlapPx: 24, batch: 1 }),
  memory: ({ channels, outChannels, scale }) => ({
    fixedBytes: 120e6,
    bytesPerPixel: 4 * (8 * channels + 3 * outChannels * scale ** 2),
  }),
  role: () => ({ kind: 'restores' }),
})
