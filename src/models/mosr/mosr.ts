// MoSR, gated convolutions as in MambaOut (arXiv:2405.07992) for enlarging, of the community: muslll/neosr neosr/archs/mosr_arch.py, whose keys
// checkpoints have.
// Input [b c h w] in 0..1 of any size.

import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { DySample } from '../../nn/dysample.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { LayerNorm2d } from '../../nn/norm.ts'
import { runSteps, type Step } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { mosrFacts } from './cards.ts'

/** Options of MoSR. */
export interface MosrOptions {
  readonly scale: number
  readonly inChannels: number
  /** Other than `inChannels` with 'dysample' only. */
  readonly outChannels: number
  readonly width: number
  readonly blocks: number
  /** Gated channels inside a block. */
  readonly hidden: number
  /** Those of them that the depth-wise convolution sees. */
  readonly mixed: number
  /** Side of its kernel. */
  readonly kernel: number
  /** A pixel shuffle, one of the mean of eight predictions, or sampling at learnt positions. */
  readonly upsampler: 'pixelshuffle' | 'averaged' | 'dysample'
}

/** Options of the official ×4 model. */
export const mosrDefaults: MosrOptions = {
  scale: 4,
  inChannels: 3,
  outChannels: 3,
  width: 64,
  blocks: 24,
  hidden: 96,
  mixed: 64,
  kernel: 7,
  upsampler: 'pixelshuffle',
}

/** Middle of 0..1, which shortcuts are centered by. */
const middle = 0.5
const predictions = 8

const mish = (x: Tensor) => x.mish()

function conv(init: Init, from: number, to: number, kernel = 3): Conv2d {
  return new Conv2d(init, from, to, { kernel, bias: true })
}

class GatedBlock {
  readonly hidden: number
  readonly mixed: number
  norm: LayerNorm2d
  fc1: Conv2d
  conv: Conv2d
  fc2: Conv2d

  constructor(init: Init, { width, hidden, mixed, kernel }: MosrOptions) {
    this.hidden = hidden
    this.mixed = mixed
    this.norm = new LayerNorm2d(init, width)
    this.fc1 = conv(init, width, 2 * hidden)
    this.conv = new Conv2d(init, mixed, mixed, { kernel, bias: true, groups: mixed })
    this.fc2 = conv(init, hidden, width)
  }

  forward(x: Tensor): Tensor {
    const { hidden, mixed } = this
    const residual = scoped(x, () => {
      const all = this.fc1.forward(this.norm.forward(x))
      const kept = hidden - mixed
      const convolved = this.conv.forward(all.slice(1, hidden + kept, 2 * hidden))
      const values = kept === 0 ? convolved : cat([all.slice(1, hidden, hidden + kept), convolved], 1)
      return this.fc2.forward(all.slice(1, 0, hidden).mish().mul(values)).mish()
    })
    return residual.add(x.sub(middle))
  }
}

/** Two convolutions, and one beside them. */
class Shortcut {
  block: readonly Step[]
  conv11: Conv2d

  constructor(init: Init, from: number, to: number) {
    this.block = [conv(init, from, to), mish, conv(init, to, to), mish]
    this.conv11 = conv(init, from, to, 1)
  }

  forward(x: Tensor): Tensor {
    return runSteps(this.block, x).add(this.conv11.forward(x))
  }
}

/** Predicts every pixel eight times and takes the mean, which is one convolution with the mean of the weights. */
class AveragedShuffle {
  readonly scale: number
  in_to_k: Conv2d

  constructor(init: Init, { width, outChannels, scale }: MosrOptions) {
    this.scale = scale
    this.in_to_k = conv(init, width, outChannels * scale ** 2 * predictions)
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, padding } = this.in_to_k
    const mean = (t: Tensor) => {
      const [channels = 0, ...rest] = t.shape
      return t.reshape([predictions, Number(channels) / predictions, ...rest]).mean([0])
    }
    return x.conv2d(mean(weight), bias && mean(bias), { padding }).pixelShuffle(this.scale)
  }
}

/** Gated blocks between a convolution and an upsampler. */
export class Mosr {
  gblocks: readonly Step[]
  shortcut: Shortcut
  upsampler: readonly Step[] | AveragedShuffle | DySample

  constructor(init: Init, options: MosrOptions) {
    const { scale, inChannels, outChannels, width, blocks, upsampler } = options
    this.gblocks = [
      conv(init, inChannels, width),
      ...Array.from({ length: blocks }, () => new GatedBlock(init, options)),
      conv(init, width, 2 * width),
      mish,
      conv(init, 2 * width, width),
      mish,
      conv(init, width, width, 1),
    ]
    this.shortcut = new Shortcut(init, inChannels, width)
    if (upsampler === 'averaged') this.upsampler = new AveragedShuffle(init, options)
    else if (upsampler === 'dysample')
      this.upsampler = new DySample(init, { channels: width, outChannels, scale, groups: 4 })
    else this.upsampler = [conv(init, width, outChannels * scale ** 2), (x) => x.pixelShuffle(scale)]
  }

  /** [b c h w] -> [b c h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { upsampler } = this
    const deep = runSteps(this.gblocks, image).add(this.shortcut.forward(image).sub(middle))
    return upsampler instanceof AveragedShuffle || upsampler instanceof DySample
      ? upsampler.forward(deep)
      : runSteps(upsampler, deep)
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function mosrOptionsFromWeights(shapes: KeyShapes): MosrOptions {
  const { size } = shapeReader('MoSR', shapes)
  const inChannels = size('gblocks.0.weight', 1)
  let blocks = 0
  while (shapes.has(`gblocks.${blocks + 1}.fc1.weight`)) blocks++
  return {
    ...enlargementOf(shapes, inChannels),
    inChannels,
    width: size('gblocks.0.weight', 0),
    blocks,
    hidden: size('gblocks.1.fc1.weight', 0) / 2,
    mixed: size('gblocks.1.conv.weight', 0),
    kernel: size('gblocks.1.conv.weight', 2),
  }
}

function enlargementOf(
  shapes: KeyShapes,
  inChannels: number,
): Pick<MosrOptions, 'scale' | 'outChannels' | 'upsampler'> {
  const { size } = shapeReader('MoSR', shapes)
  if (shapes.has('upsampler.init_pos'))
    return {
      scale: Math.sqrt(size('upsampler.offset.weight', 0) / 8),
      outChannels: size('upsampler.end_conv.weight', 0),
      upsampler: 'dysample',
    }
  const averaged = shapes.get('upsampler.in_to_k.weight')?.[0]
  const shuffled = averaged === undefined ? size('upsampler.0.weight', 0) : averaged / predictions
  return {
    scale: Math.round(Math.sqrt(shuffled / inChannels)),
    outChannels: inChannels,
    upsampler: averaged === undefined ? 'pixelshuffle' : 'averaged',
  }
}

export const mosr = defineNetwork({
  facts: mosrFacts,
  defaults: mosrDefaults,
  optionsFromWeights: mosrOptionsFromWeights,
  create: (init, options) => new Mosr(init, options),
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  scale: ({ scale }) => scale,
  channels: ({ inChannels, outChannels }) => ({ input: inChannels, output: outChannels }),
  tiling: () => ({ whole: 'needless', tilePx: 256, overlapPx: 48, batch: 1 }),
  memory: ({ width, hidden, outChannels, scale, upsampler }) => ({
    fixedBytes: 150e6,
    bytesPerPixel:
      4 * (3 * width + 4 * hidden + (upsampler === 'dysample' ? 20 : 3) * outChannels * scale ** 2),
  }),
  role: () => ({ kind: 'restores' }),
})
