// FBCNN: Towards Flexible Blind JPEG Artifacts Removal, arXiv:2109.14573. Checkpoint keys: jiaxi-jiang/FBCNN
// models/network_fbcnn.py.
// Input [b c h w] in 0..1 of any size, padded inside to multiples of 8.

import { RestoreError } from '../../core/errors.ts'
import { constant } from '../../core/hostBackend.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import {
  downsamplingOf,
  KairResBlock,
  type KairUnetOptions,
  kairDownsample,
  kairUnetDefaults,
  kairUpsample,
} from '../../nn/kairBlocks.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { runSteps, type Step } from '../../nn/upsampler.ts'
import { auto, defineNetwork, input, type NumberOrAuto } from '../networkDescriptor.ts'
import { fbcnnFacts } from './cards.ts'

/** Options of FBCNN. */
export interface FbcnnOptions extends KairUnetOptions {
  /** JPEG quality of the picture, 1..100; 'auto' predicts it. A lower one restores more strongly. */
  readonly quality: NumberOrAuto
}

/** Options of the official network for color. */
export const fbcnnDefaults: FbcnnOptions = {
  ...kairUnetDefaults,
  quality: auto,
}

const relu = (x: Tensor) => x.relu()

/** Scale (in 0..1) and shift (in −1..1) of the blocks of a level, [b c] each. */
interface Modulation {
  readonly gamma: Tensor
  readonly beta: Tensor
}

/** x + gamma · residual(x) + beta (§3.1). */
class QualityBlock extends KairResBlock {
  modulated(x: Tensor, { gamma, beta }: Modulation): Tensor {
    const perChannel = (t: Tensor) => t.reshape([-1, x.size(1), 1, 1])
    return x.add(this.residual(x).mul(perChannel(gamma))).add(perChannel(beta))
  }
}

type Level = readonly [enlarge: Step | readonly Step[], ...blocks: QualityBlock[]]

/** U-Net of residual blocks, which the JPEG quality modulates on the way up. */
export class Fbcnn {
  m_head: Conv2d
  m_down1: readonly Step[]
  m_down2: readonly Step[]
  m_down3: readonly Step[]
  m_body_encoder: readonly Step[]
  m_body_decoder: readonly Step[]
  m_up3: Level
  m_up2: Level
  m_up1: Level
  m_tail: Conv2d
  qf_pred: readonly Step[]
  qf_embed: readonly Step[]
  to_gamma_3: readonly Step[]
  to_beta_3: readonly Step[]
  to_gamma_2: readonly Step[]
  to_beta_2: readonly Step[]
  to_gamma_1: readonly Step[]
  to_beta_1: readonly Step[]

  constructor(init: Init, { channels, widths, blocks, downsampling, upsampling }: FbcnnOptions) {
    const [full, half, quarter, eighth] = widths
    const residual = (c: number) => Array.from({ length: blocks }, () => new KairResBlock(init, c, true))
    const down = (from: number, to: number) => [
      ...residual(from),
      ...kairDownsample(init, downsampling, { from, to, bias: true }),
    ]
    const up = (from: number, to: number): Level => {
      const steps = kairUpsample(init, upsampling, { from, to, bias: true })
      const [only] = steps
      const enlarge = steps.length === 1 && only ? only : steps
      return [enlarge, ...Array.from({ length: blocks }, () => new QualityBlock(init, to, true))]
    }
    const linear = (from: number, to: number) => new Linear(init, from, to, { bias: true })
    const scale = (c: number) => [linear(eighth, c), (x: Tensor) => x.sigmoid()]
    const shift = (c: number) => [linear(eighth, c), (x: Tensor) => x.tanh()]
    this.m_head = new Conv2d(init, channels, full, { kernel: 3, bias: true })
    this.m_down1 = down(full, half)
    this.m_down2 = down(half, quarter)
    this.m_down3 = down(quarter, eighth)
    this.m_body_encoder = residual(eighth)
    this.m_body_decoder = residual(eighth)
    this.m_up3 = up(eighth, quarter)
    this.m_up2 = up(quarter, half)
    this.m_up1 = up(half, full)
    this.m_tail = new Conv2d(init, full, channels, { kernel: 3, bias: true })
    this.qf_pred = [
      ...residual(eighth),
      (x) => x.mean([2, 3], { keepDim: true }),
      (x) => x.reshape([-1, eighth]),
      linear(eighth, eighth),
      relu,
      linear(eighth, eighth),
      relu,
      linear(eighth, 1),
      (x) => x.sigmoid(),
    ]
    this.qf_embed = [linear(1, eighth), relu, linear(eighth, eighth), relu, linear(eighth, eighth), relu]
    this.to_gamma_3 = scale(quarter)
    this.to_beta_3 = shift(quarter)
    this.to_gamma_2 = scale(half)
    this.to_beta_2 = shift(half)
    this.to_gamma_1 = scale(full)
    this.to_beta_1 = shift(full)
  }

  /** Predicts how strongly JPEG has compressed a picture, 1 − quality / 100: [b channels h w] -> [b 1]. */
  predict(image: Tensor): Tensor {
    return runSteps(this.qf_pred, this.#encode(image).deep)
  }

  /** [b channels h w] and its compression [b 1], or [1 1] for all; default: predicted -> [b channels h w]. */
  restore(image: Tensor, compression?: Tensor): Tensor {
    const { x1, x2, x3, x4, deep } = this.#encode(image)
    const code = runSteps(this.qf_embed, compression ?? runSteps(this.qf_pred, deep))
    const up = ([enlarge, ...blocks]: Level, x: Tensor, gamma: readonly Step[], beta: readonly Step[]) => {
      const modulation = { gamma: runSteps(gamma, code), beta: runSteps(beta, code) }
      const enlarged = runSteps(Array.isArray(enlarge) ? enlarge : [enlarge as Step], x)
      return blocks.reduce((y, block) => block.modulated(y, modulation), enlarged)
    }
    let x = runSteps(this.m_body_decoder, deep).add(x4)
    x = up(this.m_up3, x, this.to_gamma_3, this.to_beta_3).add(x3)
    x = up(this.m_up2, x, this.to_gamma_2, this.to_beta_2).add(x2)
    x = up(this.m_up1, x, this.to_gamma_1, this.to_beta_1).add(x1)
    return cropLike(this.m_tail.forward(x), image)
  }

  #encode(image: Tensor) {
    const x1 = this.m_head.forward(padTo(image, 8, 'replicate'))
    const x2 = runSteps(this.m_down1, x1)
    const x3 = runSteps(this.m_down2, x2)
    const x4 = runSteps(this.m_down3, x3)
    return { x1, x2, x3, x4, deep: runSteps(this.m_body_encoder, x4) }
  }
}

/** Derives the options from the key shapes of a checkpoint. */
function fbcnnOptionsFromWeights(shapes: KeyShapes): FbcnnOptions {
  const { size, count } = shapeReader('FBCNN', shapes)
  const blocks = count('m_body_encoder', 'res.0.weight')
  const width = (list: string) => size(`${list}.0.res.0.weight`, 0)
  return {
    channels: size('m_tail.weight', 0),
    widths: [width('m_down1'), width('m_down2'), width('m_down3'), width('m_body_encoder')],
    blocks,
    downsampling: downsamplingOf(shapes, blocks),
    upsampling: shapes.has('m_up3.0.weight')
      ? 'convtranspose'
      : shapes.has('m_up3.0.1.weight')
        ? 'upconv'
        : 'pixelshuffle',
    quality: auto,
  }
}

/** Compression [1 1] of a quality. */
function compressionOf(quality: NumberOrAuto): Tensor | undefined {
  return quality === auto ? undefined : constant(Float32Array.of(1 - quality / 100), [1, 1])
}

export const fbcnn = defineNetwork({
  facts: fbcnnFacts,
  defaults: fbcnnDefaults,
  optionsFromWeights: fbcnnOptionsFromWeights,
  optionsNotInWeights: ['quality'],
  create: (init, options) => new Fbcnn(init, options),
  inputs: { x: 'b channels h w' },
  outputs: ['y'],
  forward: (network, inputs, { options }) => ({
    y: network.restore(input(inputs, 'x'), compressionOf(options.quality)),
  }),
  parts: {
    predict: (network, inputs) => ({ compression: network.predict(input(inputs, 'x')) }),
    restore: (network, inputs) => ({
      y: network.restore(input(inputs, 'x'), input(inputs, 'compression')),
    }),
  },
  size: () => ({ multipleOf: 1, minimum: 1, padToMultiple: 8 }),
  channels: ({ channels }) => ({ input: channels, output: channels }),
  tiling: () => ({ whole: 'needless', tilePx: 512, overlapPx: 64, batch: 1 }),
  memory: ({ widths }) => ({ fixedBytes: 450e6, bytesPerPixel: 4 * 6 * widths[0] }),
  role: ({ quality }) => {
    if (quality !== auto) return { kind: 'restores' }
    const oncePerPhoto = { encode: { part: 'predict' }, output: 'compression', restore: 'restore' }
    return { kind: 'restores', oncePerPhoto }
  },
  check: ({ quality }) => {
    if (quality === auto || (quality >= 1 && quality <= 100)) return
    throw new RestoreError('usage', `options: expected quality in 1..100 or "${auto}", got ${quality}`)
  },
})
