// IPT: Pre-Trained Image Processing Transformer, arXiv:2012.00364.
// Checkpoint keys: huawei-noah/Pretrained-IPT@675540e model/ipt.py. Input [b 3 p p] in 0..1, where p is the
// patch size: the network accepts no other, so the runtime cuts pictures into windows.

import { divideDims } from '../../core/dims.ts'
import { RestoreError } from '../../core/errors.ts'
import { rearrange } from '../../core/rearrange.ts'
import { scoped, type Tensor } from '../../core/tensor.ts'
import { MultiheadAttention } from '../../nn/attention.ts'
import { Conv2d } from '../../nn/conv.ts'
import { type Distribution, type Init, uniformByFanIn } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { MeanShift } from '../../nn/meanShift.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { runSteps, scaleOfUpsampler, upsampler } from '../../nn/upsampler.ts'
import { defineNetwork, input, type Tap } from '../networkDescriptor.ts'
import { iptFacts } from './cards.ts'

/** Options of IPT. */
export interface IptOptions {
  /** Scale of every task; each task has its own head, tail and query. */
  readonly scales: readonly number[]
  readonly channels: number
  readonly patchSize: number
  /** Side of the square of pixels that forms a token. */
  readonly tokenSize: number
  readonly layers: number // of the encoder, and of the decoder
  readonly heads: number
  readonly hidden: number // of the feed-forward networks
  /** Task embeddings; IPT_pretrain.pt has 6. */
  readonly queries: number
  readonly hasPosition: boolean
  /** Whether positions are added to the queries and keys of every layer instead of to the input. */
  readonly positionEvery: boolean
  readonly hasNorm: boolean
  /** Whether the network has linear_encoding, mlp_head and task embeddings. */
  readonly hasMlp: boolean
  /** Whether attention projects out with a bias: some PyTorch releases added one despite `bias=False`. */
  readonly outProjectionBias: boolean
}

/** Default options of IPT. */
export const iptDefaults: IptOptions = {
  scales: [2, 3, 4, 1, 1, 1],
  channels: 64,
  patchSize: 48,
  tokenSize: 3,
  layers: 12,
  heads: 12,
  hidden: 2304,
  queries: 6,
  hasPosition: true,
  positionEvery: false,
  hasNorm: true,
  hasMlp: true,
  outProjectionBias: false,
}

const relu = (x: Tensor) => x.relu()

/** Features per token. */
function featuresOf({ channels, tokenSize }: IptOptions): number {
  return channels * tokenSize ** 2
}

function tokensOf({ patchSize, tokenSize }: IptOptions): number {
  return (patchSize / tokenSize) ** 2
}

class ResidualBlock {
  body: readonly [Conv2d, typeof relu, Conv2d]

  constructor(init: Init, channels: number) {
    const conv = () => new Conv2d(init, channels, channels, { kernel: 5, bias: true })
    this.body = [conv(), relu, conv()]
  }

  forward(x: Tensor): Tensor {
    return x.add(runSteps(this.body, x))
  }
}

function attention(init: Init, options: IptOptions, inWeights?: Distribution): MultiheadAttention {
  return new MultiheadAttention(init, {
    features: featuresOf(options),
    heads: options.heads,
    inBias: false,
    outBias: options.outProjectionBias,
    ...(inWeights ? { inWeights } : {}),
  })
}

function layerNorm(init: Init, options: IptOptions): LayerNorm | undefined {
  return options.hasNorm ? new LayerNorm(init, featuresOf(options)) : undefined
}

function normalize(norm: LayerNorm | undefined, x: Tensor): Tensor {
  return norm ? norm.forward(x) : x
}

function plus(x: Tensor, embedding: Tensor | undefined): Tensor {
  return embedding ? x.add(embedding) : x
}

function feedForward({ linear1, linear2 }: { linear1: Linear; linear2: Linear }, x: Tensor): Tensor {
  return linear2.forward(linear1.forward(x).relu())
}

/** Equation 2: z' = MSA(LN(z)) + z, then FFN(LN(z')) + z'. */
class EncoderLayer {
  self_attn: MultiheadAttention
  linear1: Linear
  linear2: Linear
  norm1: LayerNorm | undefined
  norm2: LayerNorm | undefined

  constructor(init: Init, options: IptOptions) {
    const d = featuresOf(options)
    this.self_attn = attention(init, options, uniformByFanIn(d))
    this.linear1 = new Linear(init, d, options.hidden, { bias: true })
    this.linear2 = new Linear(init, options.hidden, d, { bias: true })
    this.norm1 = layerNorm(init, options)
    this.norm2 = layerNorm(init, options)
  }

  /** [b n d] -> [b n d]; `position` [n d] is added to queries and keys. */
  forward(z: Tensor, position: Tensor | undefined, tap: Tap): Tensor {
    const attended = scoped(z, () => {
      const u = normalize(this.norm1, z)
      const q = plus(u, position)
      return this.self_attn.forward({ query: q, key: q, value: u })
    })
    tap('.self_attn', attended)
    const y = z.add(attended)
    const out = y.add(scoped(y, () => feedForward(this, normalize(this.norm2, y))))
    tap('', out)
    return out
  }
}

interface DecoderInputs {
  readonly memory: Tensor // [b n d], output of the encoder
  readonly task: Tensor | undefined // [n d]
  readonly position: Tensor | undefined // [n d]
}

/**
 * Equation 3. The task embedding is added to queries and keys of self-attention and to queries of
 * cross-attention, never to values.
 */
class DecoderLayer {
  self_attn: MultiheadAttention
  multihead_attn: MultiheadAttention
  linear1: Linear
  linear2: Linear
  norm1: LayerNorm | undefined
  norm2: LayerNorm | undefined
  norm3: LayerNorm | undefined

  constructor(init: Init, options: IptOptions) {
    const d = featuresOf(options)
    this.self_attn = attention(init, options)
    this.multihead_attn = attention(init, options)
    this.linear1 = new Linear(init, d, options.hidden, { bias: true })
    this.linear2 = new Linear(init, options.hidden, d, { bias: true })
    this.norm1 = layerNorm(init, options)
    this.norm2 = layerNorm(init, options)
    this.norm3 = layerNorm(init, options)
  }

  /** [b n d] -> [b n d]. */
  forward(z: Tensor, { memory, task, position }: DecoderInputs, tap: Tap): Tensor {
    const attended = scoped(z, () => {
      const u = normalize(this.norm1, z)
      const q = plus(u, task)
      return this.self_attn.forward({ query: q, key: q, value: u })
    })
    tap('.self_attn', attended)
    const y = z.add(attended)
    const crossAttended = scoped(y, () => {
      const query = plus(normalize(this.norm2, y), task)
      // NOTE: the memory is not normalized, unlike in the paper (release model/ipt.py,
      // TransformerDecoderLayer).
      return this.multihead_attn.forward({ query, key: plus(memory, position), value: memory })
    })
    tap('.multihead_attn', crossAttended)
    const x = y.add(crossAttended)
    const out = x.add(scoped(x, () => feedForward(this, normalize(this.norm3, x))))
    tap('', out)
    return out
  }
}

/** Transformer on the features of a window (§3.1); only the release has `linear_encoding` and `mlp_head`. */
class VisionTransformer {
  readonly tokenSize: number
  readonly positionEvery: boolean
  linear_encoding?: Linear
  mlp_head?: readonly [Linear, null, typeof relu, Linear]
  query_embed?: { weight: Tensor } // [queries n·d]
  encoder: { layers: readonly EncoderLayer[] }
  decoder: { layers: readonly DecoderLayer[] }
  position_encoding?: { pe: { weight: Tensor } } // [n d]

  constructor(init: Init, options: IptOptions) {
    const d = featuresOf(options)
    const n = tokensOf(options)
    const { hidden, layers, queries, tokenSize } = options
    this.tokenSize = tokenSize
    this.positionEvery = options.positionEvery
    if (options.hasMlp) {
      this.linear_encoding = new Linear(init, d, d, { bias: true })
      // Index 1 is a dropout with probability 0.
      this.mlp_head = [
        new Linear(init, d, hidden, { bias: true }),
        null,
        relu,
        new Linear(init, hidden, d, { bias: true }),
      ]
      this.query_embed = { weight: init.weight([queries, n * d], { deviation: 1 }) }
    }
    const times = <T>(create: () => T): readonly T[] => Array.from({ length: layers }, create)
    this.encoder = { layers: times(() => new EncoderLayer(init, options)) }
    this.decoder = { layers: times(() => new DecoderLayer(init, options)) }
    if (options.hasPosition)
      this.position_encoding = { pe: { weight: init.weight([n, d], { deviation: 1 }) } }
  }

  /** [b c p p] -> [b c p p]. */
  forward(features: Tensor, task: number, tap: Tap): Tensor {
    const size = this.tokenSize
    const { h, w } = features.axes('b c h w')
    const tokens = rearrange(features, 'b c (i y) (j x) -> b (i j) (c y x)', { y: size, x: size })
    const decoded = this.#transform(tokens, task, tap)
    const rows = divideDims(h, size)
    if (rows === undefined)
      throw new RestoreError('shape', `IPT: expected sides divisible by ${size}, got ${h} × ${w}`)
    return rearrange(decoded, 'b (i j) (c y x) -> b c (i y) (j x)', { i: rows, y: size, x: size })
  }

  /** [b n d] -> [b n d]. */
  #transform(tokens: Tensor, task: number, tap: Tap): Tensor {
    const position = this.position_encoding?.pe.weight
    const [atInput, atLayers] = this.positionEvery ? [undefined, position] : [position, undefined]
    const encoded = this.linear_encoding?.forward(tokens)
    if (encoded) tap('linear_encoding', encoded)
    let z = plus(plus(tokens, encoded), atInput)
    this.encoder.layers.forEach((layer, i) => {
      z = layer.forward(z, atLayers, (part, t) => tap(`encoder.layers.${i}${part}`, t))
    })
    tap('encoder', z)
    const inputs = { memory: z, task: this.#taskEmbedding(task, tokens), position: atLayers }
    this.decoder.layers.forEach((layer, i) => {
      z = layer.forward(z, inputs, (part, t) => tap(`decoder.layers.${i}${part}`, t))
    })
    tap('decoder', z)
    if (!this.mlp_head) return z
    const [into, , activation, out] = this.mlp_head
    const added = scoped(z, () => out.forward(activation(into.forward(z))))
    tap('mlp_head', added)
    return z.add(added)
  }

  /** Row `task` of the embeddings as [n d]. */
  #taskEmbedding(task: number, tokens: Tensor): Tensor | undefined {
    if (!this.query_embed) return undefined
    const { weight } = this.query_embed
    if (task >= weight.size(0)) {
      throw new RestoreError(
        'usage',
        `IPT: expected a task below ${weight.size(0)}, the number of task embeddings, got ${task}`,
      )
    }
    return weight.slice(0, task, task + 1).reshape([tokens.size(1), tokens.size(2)])
  }
}

/** Image processing transformer with a head and a tail for every task. */
export class Ipt {
  sub_mean: MeanShift
  add_mean: MeanShift
  head: readonly (readonly [Conv2d, ResidualBlock, ResidualBlock])[]
  body: VisionTransformer
  tail: readonly (readonly [ReturnType<typeof upsampler>, Conv2d])[]

  constructor(init: Init, options: IptOptions) {
    const { channels, scales } = options
    const conv = (from: number, to: number) => new Conv2d(init, from, to, { kernel: 3, bias: true })
    this.sub_mean = new MeanShift(init, -1)
    this.add_mean = new MeanShift(init, 1)
    this.head = scales.map(() => [
      conv(3, channels),
      new ResidualBlock(init, channels),
      new ResidualBlock(init, channels),
    ])
    this.body = new VisionTransformer(init, options)
    this.tail = scales.map((scale) => [upsampler(init, scale, channels), conv(channels, 3)])
  }

  /** [b 3 p p] in 0..1 -> [b 3 p·scale p·scale], not clamped; `task` is an index of the options' scales. */
  forward(image: Tensor, task: number, tap: Tap = () => {}): Tensor {
    const head = this.head[task]
    const tail = this.tail[task]
    if (!head || !tail) {
      throw new RestoreError('usage', `IPT: expected a task from 0 to ${this.head.length - 1}, got ${task}`)
    }
    const centered = this.sub_mean.forward(image.mul(255))
    tap('sub_mean', centered)
    const features = runSteps(head, centered)
    tap(`head.${task}`, features)
    const transformed = this.body.forward(features, task, (name, t) => tap(`body.${name}`, t))
    tap('body', transformed)
    const [steps, last] = tail
    const out = last.forward(runSteps(steps, transformed.add(features)))
    tap(`tail.${task}`, out)
    return this.add_mean.forward(out).mul(1 / 255)
  }
}

/**
 * Derives the options from the key shapes of a checkpoint. Shapes reveal neither `heads` nor `positionEvery`,
 * and `patchSize` only through positions or task embeddings; the rest is as published.
 */
export function iptOptionsFromWeights(shapes: KeyShapes): IptOptions {
  const { size, count } = shapeReader('IPT', shapes)
  const channels = size('head.0.0.weight', 0)
  const features = size('body.encoder.layers.0.linear1.weight', 1)
  const tokenSize = Math.round(Math.sqrt(features / channels))
  const position = shapes.get('body.position_encoding.pe.weight')
  const embedding = shapes.get('body.query_embed.weight')
  const tokens = position?.[0] ?? (embedding ? (embedding[1] ?? 0) / features : undefined)
  const tasks = count('head', '0.weight')
  return {
    scales: Array.from({ length: tasks }, (_, i) => scaleOfUpsampler(shapes, `tail.${i}.0.`, channels)),
    channels,
    patchSize: tokens === undefined ? iptDefaults.patchSize : Math.round(Math.sqrt(tokens)) * tokenSize,
    tokenSize,
    layers: count('body.encoder.layers', 'linear1.weight'),
    heads: iptDefaults.heads,
    hidden: size('body.encoder.layers.0.linear1.weight', 0),
    queries: embedding?.[0] ?? iptDefaults.queries,
    hasPosition: position !== undefined,
    positionEvery: false,
    hasNorm: shapes.has('body.encoder.layers.0.norm1.weight'),
    hasMlp: shapes.has('body.linear_encoding.weight'),
    outProjectionBias: shapes.has('body.encoder.layers.0.self_attn.out_proj.bias'),
  }
}

/** Tasks of the released six-task checkpoint, in its order. */
const releasedTasks = ['sr-x2', 'sr-x3', 'sr-x4', 'derain', 'denoise-30', 'denoise-50'] as const

/** Names every task: as published for the published six, else 'sr-x2' by scale or 'restore' for scale 1. */
export function iptTasks({ scales }: Pick<IptOptions, 'scales'>): readonly string[] {
  if (scales.join() === iptDefaults.scales.join()) return releasedTasks
  return scales.map((scale) => (scale === 1 ? 'restore' : `sr-x${scale}`))
}

/** Finds the index of a task by its name or index, or of the only task by ''. @throws RestoreError 'usage' */
export function iptTaskIndex(options: Pick<IptOptions, 'scales'>, task: string): number {
  const names = iptTasks(options)
  const listed = names.map((name, i) => `${name} (${i})`).join(', ')
  const unknownTask = (got: string) =>
    new RestoreError('usage', `task: expected one of ${listed}, which these weights have, got ${got}`)
  if (task === '') {
    if (names.length === 1) return 0
    throw unknownTask('none')
  }
  if (/^\d+$/.test(task)) {
    if (Number(task) < names.length) return Number(task)
    throw unknownTask(task)
  }
  // Keys do not reveal what weights of scale 1 were trained for, so any of these names is accepted.
  const isOfScale1 = ['derain', 'denoise-30', 'denoise-50'].includes(task) && !names.includes(task)
  const target = isOfScale1 ? 'restore' : task
  const matches = names.flatMap((name, i) => (name === target ? [i] : []))
  if (matches[0] === undefined || matches.length > 1)
    throw unknownTask(matches.length > 1 ? `${task}, which is ambiguous` : task)
  return matches[0]
}

/** Options of IPT and the task to run, by name or index; '' for weights of a single task. */
interface IptTaskOptions extends IptOptions {
  readonly task: string
}

export const ipt = defineNetwork({
  facts: iptFacts,
  defaults: { ...iptDefaults, task: '' },
  optionsFromWeights: (shapes): IptTaskOptions => ({ ...iptOptionsFromWeights(shapes), task: '' }),
  optionsNotInWeights: ['heads', 'positionEvery', 'patchSize', 'task'],
  create: (init, options) => new Ipt(init, options),
  inputs: { x: 'b 3 h w' },
  outputs: ['y'],
  forward: (network, inputs, { options, tap }) => ({
    y: network.forward(input(inputs, 'x'), iptTaskIndex(options, options.task), tap),
  }),
  size: ({ patchSize }) => ({ multipleOf: 1, minimum: 1, fixedTile: [patchSize, patchSize] }),
  // Scale of the first task until one is chosen.
  scale: (options) => options.scales[options.task === '' ? 0 : iptTaskIndex(options, options.task)] ?? 1,
  channels: () => ({ input: 3, output: 3 }),
  // The tile is the network's own window.
  tiling: () => ({ whole: 'preferred', tilePx: 48, overlapPx: 16, batch: 8 }),
  // Measured peak of the process: 1.89 GB in batches of 8 windows. The sum over windows and the result take
  // 24 bytes per output pixel.
  memory: () => ({ fixedBytes: 2e9, bytesPerPixel: 600 }),
  role: () => ({ kind: 'restores' }),
  check: (options) => {
    iptTaskIndex(options, options.task)
  },
  ignoredKeys: ['body.position_encoding.position_ids'],
})
