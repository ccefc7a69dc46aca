// SRVGGNetCompact, the small network of Real-ESRGAN (arXiv:2107.10833, released with v0.2.5): plain convolutions at low resolution and a pixel
// shuffle. Checkpoint keys: xinntao/Real-ESRGAN@a4abfb2 realesrgan/archs/srvgg_arch.py.
// Input [b c h w] in 0..1 of any size.

import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { PRelu } from '../../nn/prelu.ts'
import { runSteps, type Step, shuffled } from '../../nn/upsampler.ts'
import { defineNetwork, input } from '../networkDescriptor.ts'
import { compactFacts } from './cards.ts'

/** Options of Compact. */
export interface CompactOptions {
  readonly scale: number
  readonly inChannels: number
  readonly outChannels: number
  readonly channels: number
  /** Convolutions between the first and the last. */
  readonly convolutions: number
  /** Activation after each of them; files of the two without weights do not tell which. */
  readonly activation: 'prelu' | 'relu' | 'leakyrelu'
}

/** Options of realesr-general-x4v3's smaller sibling, the default of the official code. */
export const compactDefaults: CompactOptions = {
  scale: 4,
  inChannels: 3,
  outChannels: 3,
  channels: 64,
  convolutions: 16,
  activation: 'prelu',
}

/** Adds detail to a picture upscaled by nearest neighbor. */
export class Compact {
  readonly options: CompactOptions
  body: readonly Step[]

  constructor(init: Init, options: CompactOptions) {
    const { scale, inChannels, outChannels, channels, convolutions, activation } = options
    this.options = options
    const activate = (): Step => {
      if (activation === 'prelu') return new PRelu(init, channels)
      return (x) => (activation === 'relu' ? x.relu() : x.leakyRelu(0.1))
    }
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: true })
    const inner = Array.from({ length: convolutions }, () => [conv(channels, channels), activate()])
    const last = conv(channels, outChannels * scale ** 2)
    this.body = [conv(inChannels, channels), activate(), ...inner.flat(), last]
  }

  /** [b c h w] -> [b c h·scale w·scale], not clamped. */
  forward(image: Tensor): Tensor {
    const { scale } = this.options
    return runSteps(this.body, image).pixelShuffle(scale).add(image.upsampleNearest(scale))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function compactOptionsFromWeights(shapes: KeyShapes): CompactOptions {
  const { size } = shapeReader('compact', shapes)
  let last = 0
  while (shapes.has(`body.${last + 2}.weight`)) last += 2
  const inChannels = size('body.0.weight', 1)
  return {
    ...shuffled(size(`body.${last}.weight`, 0), inChannels),
    inChannels,
    channels: size('body.0.weight', 0),
    convolutions: last / 2 - 1,
    activation: shapes.has('body.1.weight') ? 'prelu' : 'relu',
  }
}

export const compact = defineNetwork({
  facts: compactFacts,
  defaults: compactDefaults,
  optionsFromWeights: compactOptionsFromWeights,
  create: (init, options) => new Compact(init, options),
  inputs: { x: 'b inChannels h w' },
  outputs: ['y'],
  forward: (network, inputs) => ({ y: network.forward(input(inputs, 'x')) }),
  scale: ({ scale }) => scale,
  channels: ({ inChannels, outChannels }) => ({ input: inChannels, output: outChannels }),
  // Twice what a pixel depends on: where two tiles blend, the one that is not cut off there has the larger weight.
  tiling: ({ convolutions }) => ({
    whole: 'needless',
    tilePx: 384,
    overlapPx: 2 * (convolutions + 2),
    batch: 1,
  }),
  memory: ({ channels, outChannels, scale }) => ({
    fixedBytes: 120e6,
    bytesPerPixel: 4 * (3 * channels + 3 * outChannels * scale ** 2),
  }),
  role: () => ({ kind: 'restores' }),
})
