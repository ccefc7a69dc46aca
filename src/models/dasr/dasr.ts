// DASR: Unsupervised Degradation Representation Learning for Blind Super-Resolution, arXiv:2104.00416.
// Checkpoint keys: SYSU-SAIL/DASR@51524af model/blindsr.py and moco/builder.py. Input [b 3 h w] in 0..1 of
// any size.
// train/networks/dasr.ts trains the encoder (momentum and queue, or ranked contrast).

import { inverseNorm } from '../../core/functional.ts'
import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { BatchNorm2d, type BatchStatistics } from '../../nn/batchNorm.ts'
import { Conv2d, convolve } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { MeanShift } from '../../nn/meanShift.ts'
import { runSteps, type Step, scaleOfUpsampler, upsampler } from '../../nn/upsampler.ts'
import { defineNetwork, input, type Tap } from '../networkDescriptor.ts'
import { dasrFacts } from './cards.ts'

/** Options of DASR. */
export interface DasrOptions {
  readonly scale: number
  readonly groups: number
  readonly blocks: number // in each group
  readonly channels: number
  /** Channels divided by those in the middle of a channel attention. */
  readonly reduction: number
  /** Channels of the encoder at full, half and quarter resolution; the last is the representation's width. */
  readonly encoderChannels: readonly [number, number, number]
  /** Keys in the queue of contrastive training; 0 for no queue and key encoder, as in published files. */
  readonly queueSize: number
}

/** Default options of DASR. */
export const dasrDefaults: DasrOptions = {
  scale: 4,
  groups: 5,
  blocks: 5,
  channels: 64,
  reduction: 8,
  encoderChannels: [64, 128, 256],
  queueSize: 0,
}

type OnBatch = (statistics: BatchStatistics) => void

const leakyRelu = (x: Tensor) => x.leakyRelu(0.1)
const sigmoid = (x: Tensor) => x.sigmoid()

/** Degradation encoder (§3.1): embeds how a picture is degraded, independent of its content. */
export class Encoder {
  E: readonly (Conv2d | BatchNorm2d | typeof leakyRelu)[]
  mlp: readonly [Linear, typeof leakyRelu, Linear]

  constructor(init: Init, [full, half, quarter]: DasrOptions['encoderChannels']) {
    const layer = (from: number, to: number, stride = 1) => [
      new Conv2d(init, from, to, { kernel: 3, bias: true, stride }),
      new BatchNorm2d(init, to),
      leakyRelu,
    ]
    this.E = [
      ...layer(3, full),
      ...layer(full, full),
      ...layer(full, half, 2),
      ...layer(half, half),
      ...layer(half, quarter, 2),
      ...layer(quarter, quarter),
    ]
    const linear = () => new Linear(init, quarter, quarter, { bias: true })
    this.mlp = [linear(), leakyRelu, linear()]
  }

  /**
   * [b 3 h w] in 0..1 -> representation [b d]. With `onBatch`, norms use the statistics of the batch, as in
   * training, and report them.
   */
  forward(image: Tensor, tap: Tap, onBatch?: OnBatch): Tensor {
    let x = image.mul(255)
    for (let i = 0; i < this.E.length; i += 3) {
      const conv = this.E[i]
      const norm = this.E[i + 1]
      if (!(conv instanceof Conv2d) || !(norm instanceof BatchNorm2d))
        throw new TypeError('expected a convolution and its norm')
      x = scoped(x, () =>
        leakyRelu(onBatch ? norm.forward(conv.forward(x), onBatch) : convFolded(x, conv, norm)),
      )
      tap(`E.${i + 2}`, x)
    }
    return x.mean([2, 3])
  }

  /** Projects a representation for the contrastive loss: [b d] -> [b d] of length 1. */
  project(representation: Tensor): Tensor {
    const projected = runSteps(this.mlp, representation)
    return projected.mul(inverseNorm(projected, -1))
  }
}

/** norm(conv(x)) as one convolution. */
function convFolded(x: Tensor, conv: Conv2d, norm: BatchNorm2d): Tensor {
  return convolve(x, norm.foldInto(conv))
}

/** The trained encoder and, for contrastive training, the key encoder and the queue of keys. */
export class Contrast {
  queue?: Tensor // [d keys], columns of length 1
  queue_ptr?: Tensor // [1], next column to write
  encoder_q: Encoder
  encoder_k?: Encoder

  constructor(init: Init, { encoderChannels, queueSize }: DasrOptions) {
    if (queueSize > 0) {
      const [, , d] = encoderChannels
      this.queue = notTrained(init.weight([d, queueSize], { deviation: 1 }))
      this.queue_ptr = init.buffer([1], 0)
    }
    this.encoder_q = new Encoder(init, encoderChannels)
    if (queueSize > 0) {
      const frozen: Init = { ...init, weight: (shape, drawn) => notTrained(init.weight(shape, drawn)) }
      this.encoder_k = new Encoder(frozen, encoderChannels)
    }
  }
}

function notTrained(tensor: Tensor): Tensor {
  tensor.isTrainable = false
  return tensor
}

/**
 * Compares queries and their keys [b d], and the queue [d keys]: logits [b 1+keys], positives in column 0.
 */
export function contrastiveLogits(queries: Tensor, keys: Tensor, queue: Tensor, temperature = 0.07): Tensor {
  const positive = queries.mul(keys).sum([1], { keepDim: true })
  return cat([positive, queries.matmul(queue)], 1).mul(1 / temperature)
}

/** Mean cross-entropy of logits with the positives in column 0 (InfoNCE, equation 1). */
export function contrastiveLoss(logits: Tensor): Tensor {
  return logits.logSoftmax(1).slice(1, 0, 1).mean().neg()
}

/** Degradation-aware convolution (§3.2): the representation predicts kernels and gates of every channel. */
class DaConv {
  kernel: readonly [Linear, typeof leakyRelu, Linear]
  conv: Conv2d
  ca: { readonly conv_du: readonly [Conv2d, typeof leakyRelu, Conv2d, typeof sigmoid] }

  constructor(init: Init, { channels: c, reduction }: DasrOptions) {
    const pointwise = (from: number, to: number, bias: boolean) =>
      new Conv2d(init, from, to, { kernel: 1, bias })
    this.kernel = [
      new Linear(init, c, c, { bias: false }),
      leakyRelu,
      new Linear(init, c, 9 * c, { bias: false }),
    ]
    this.conv = pointwise(c, c, true)
    const middle = Math.floor(c / reduction)
    this.ca = { conv_du: [pointwise(c, middle, false), leakyRelu, pointwise(middle, c, false), sigmoid] }
  }

  /** [b c h w] with `code` [b c], or [1 c] for all -> [b c h w]. */
  forward(x: Tensor, code: Tensor): Tensor {
    const { b: codes, c } = code.axes('b c')
    const gate = runSteps(this.ca.conv_du, code.reshape([codes, c, 1, 1]))
    // NOTE: the activation before the 1×1 convolution follows the release, not figure 2.
    const filtered = this.conv.forward(leakyRelu(depthwiseConv(x, runSteps(this.kernel, code))))
    return filtered.add(x.mul(gate))
  }
}

/** Depth-wise 3×3 convolution of [b c h w] with kernels [b c·9], or [1 c·9] for all. */
function depthwiseConv(x: Tensor, kernels: Tensor): Tensor {
  const { b, c, h, w } = x.axes('b c h w')
  const codes = kernels.size(0)
  const channels = codes * Number(c)
  const weight = kernels.reshape([channels, 1, 3, 3])
  if (codes === 1) return x.conv2d(weight, undefined, { padding: 1, groups: channels })
  const together = x.reshape([1, channels, h, w])
  return together.conv2d(weight, undefined, { padding: 1, groups: channels }).reshape([b, c, h, w])
}

/** Degradation-aware block. */
class Dab {
  da_conv1: DaConv
  da_conv2: DaConv
  conv1: Conv2d
  conv2: Conv2d

  constructor(init: Init, options: DasrOptions) {
    const conv = () => new Conv2d(init, options.channels, options.channels, { kernel: 3, bias: true })
    this.da_conv1 = new DaConv(init, options)
    this.da_conv2 = new DaConv(init, options)
    this.conv1 = conv()
    this.conv2 = conv()
  }

  forward(x: Tensor, code: Tensor, tap: Tap): Tensor {
    const first = this.da_conv1.forward(x, code)
    tap('.da_conv1', first)
    const middle = leakyRelu(this.conv1.forward(leakyRelu(first)))
    const out = this.conv2.forward(leakyRelu(this.da_conv2.forward(middle, code))).add(x)
    tap('', out)
    return out
  }
}

/** Residual group: blocks and a final convolution. */
class Dag {
  body: readonly (Dab | Conv2d)[]

  constructor(init: Init, options: DasrOptions) {
    const { blocks, channels } = options
    this.body = [
      ...Array.from({ length: blocks }, () => new Dab(init, options)),
      new Conv2d(init, channels, channels, { kernel: 3, bias: true }),
    ]
  }

  forward(x: Tensor, code: Tensor, tap: Tap): Tensor {
    const inside = this.body.reduce(
      (y, part, i) =>
        scoped(y, () =>
          part instanceof Dab
            ? part.forward(y, code, (name, t) => tap(`.body.${i}${name}`, t))
            : part.forward(y),
        ),
      x,
    )
    const out = inside.add(x)
    tap('', out)
    return out
  }
}

/** Super-resolution network conditioned on a degradation representation (§3.2). */
class Generator {
  sub_mean: MeanShift
  add_mean: MeanShift
  head: readonly [Conv2d]
  compress: readonly [Linear, typeof leakyRelu]
  body: readonly (Dag | Conv2d)[]
  tail: readonly [readonly Step[], Conv2d]

  constructor(init: Init, options: DasrOptions) {
    const { channels, groups, scale, encoderChannels } = options
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: true })
    this.sub_mean = new MeanShift(init, -1)
    this.add_mean = new MeanShift(init, 1)
    this.head = [conv(3, channels)]
    this.compress = [new Linear(init, encoderChannels[2], channels, { bias: false }), leakyRelu]
    this.body = [...Array.from({ length: groups }, () => new Dag(init, options)), conv(channels, channels)]
    this.tail = [upsampler(init, scale, channels), conv(channels, 3)]
  }

  /** [b 3 h w] in 0..1 and a representation [b d], or [1 d] for all -> [b 3 h·scale w·scale]. */
  forward(image: Tensor, representation: Tensor, tap: Tap): Tensor {
    const code = runSteps(this.compress, representation)
    tap('compress', code)
    const centered = this.sub_mean.forward(image.mul(255))
    tap('sub_mean', centered)
    const shallow = runSteps(this.head, centered)
    tap('head', shallow)
    const deep = this.body.reduce(
      (x, part, i) =>
        part instanceof Dag
          ? part.forward(x, code, (name, t) => tap(`body.${i}${name}`, t))
          : part.forward(x),
      shallow,
    )
    const [steps, last] = this.tail
    const enlarged = runSteps(steps, deep.add(shallow))
    tap('tail.0', enlarged)
    return this.add_mean.forward(last.forward(enlarged)).mul(1 / 255)
  }
}

/** Blind super-resolution: a generator G conditioned on the degradation representation of an encoder E. */
export class Dasr {
  G: Generator
  E: Contrast

  constructor(init: Init, options: DasrOptions) {
    this.G = new Generator(init, options)
    this.E = new Contrast(init, options)
  }

  /** Encodes how a picture is degraded: [b 3 h w] in 0..1 -> representation [b d]. */
  encode(image: Tensor, tap: Tap = () => {}): Tensor {
    return this.E.encoder_q.forward(image, (name, t) => tap(`E.encoder_q.${name}`, t))
  }

  /** [b 3 h w] in 0..1 and representations, [b d] or [1 d] for all -> [b 3 h·scale w·scale], not clamped. */
  restore(image: Tensor, representation: Tensor, tap: Tap = () => {}): Tensor {
    return this.G.forward(image, representation, (name, t) => tap(`G.${name}`, t))
  }
}

/** Derives the options from the key shapes of a checkpoint. */
export function dasrOptionsFromWeights(shapes: KeyShapes): DasrOptions {
  const { size, count } = shapeReader('DASR', shapes)
  const channels = size('G.head.0.weight', 0)
  const width = (layer: number) => size(`E.encoder_q.E.${layer}.weight`, 0)
  return {
    scale: scaleOfUpsampler(shapes, 'G.tail.0.', channels),
    groups: count('G.body', 'body.0.conv1.weight'),
    blocks: count('G.body.0.body', 'conv1.weight'),
    channels,
    reduction: Math.floor(channels / size('G.body.0.body.0.da_conv1.ca.conv_du.0.weight', 0)),
    encoderChannels: [width(0), width(6), width(12)],
    queueSize: shapes.get('E.queue')?.[1] ?? 0,
  }
}

export const dasr = defineNetwork({
  facts: dasrFacts,
  defaults: dasrDefaults,
  optionsFromWeights: dasrOptionsFromWeights,
  create: (init, options) => new Dasr(init, options),
  inputs: { x: 'b 3 h w' },
  outputs: ['y', 'fea'],
  forward: (network, inputs, { tap }) => {
    const fea = network.encode(input(inputs, 'x'), tap)
    return { y: network.restore(input(inputs, 'x'), fea, tap), fea }
  },
  parts: {
    encode: (network, inputs) => ({ fea: network.encode(input(inputs, 'x')) }),
    // fea [1 d] applies to the whole batch.
    restore: (network, inputs) => ({ y: network.restore(input(inputs, 'x'), input(inputs, 'fea')) }),
  },
  scale: ({ scale }) => scale,
  channels: () => ({ input: 3, output: 3 }),
  tiling: () => ({ whole: 'needless', tilePx: 256, overlapPx: 32, batch: 1 }),
  // Measured peak at ×4: 306, 682, 1312 MB for 64², 192², 256² input pixels: 239 MB plus 16.4 KB per pixel.
  memory: () => ({ fixedBytes: 250e6, bytesPerPixel: 17_000 }),
  role: () => ({
    kind: 'restores',
    oncePerPhoto: { encode: { part: 'encode' }, output: 'fea', restore: 'restore' },
  }),
})
