// U-Nets that predict noise for IR-SDE (arXiv:2301.11699), its denoising SDE, DA-CLIP's universal restoration
// (arXiv:2310.01018) and its in-the-wild follow-up (arXiv:2404.09732).
// Checkpoint keys: Algolzw/image-restoration-sde@2598d73 and Algolzw/daclip-uir@c2cc141
// models/modules/DenoisingUNet_arch.py. Images [b 3 h w] in 0..1, reflect-padded inside to a multiple of
// 2^levels; every side must be larger than its padding.

import { RestoreError } from '../../core/errors.ts'
import { cat, type Tensor } from '../../core/tensor.ts'
import { denoisingSde, restoringSde } from '../../diffusion/irsde.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { cropLike, padTo } from '../../nn/padding.ts'
import { SpatialTransformer } from '../../nn/spatialTransformer.ts'
import {
  downsample,
  FullAttention,
  LinearAttention,
  type MapAttention,
  ResBlock,
  ResidualAttention,
  sinusoid,
  Upsample,
} from '../../nn/unetBlocks.ts'
import type { TrainedSampling } from '../modelCard.ts'
import {
  defaultTiling,
  defineNetwork,
  type NamedTensors,
  type RequiredGuide,
  type Tap,
} from '../networkDescriptor.ts'
import { type UnetInputs, unetInputs } from '../unetInputs.ts'
import { conditionalUnetFacts } from './cards.ts'

/** Options of the conditional U-Net. */
export interface ConditionalUnetOptions {
  readonly channelsIn: number
  readonly channelsOut: number
  readonly width: number
  /** Channels entering each level, then leaving the last, in multiples of `width`. */
  readonly multipliers: readonly number[]
  /** Whether the network takes the degraded image besides the state; networks of the denoising SDE do not. */
  readonly isConditional: boolean
  /** Attention of the middle block; 'full', for the denoising SDE, is between all pixels. */
  readonly middleAttention: 'linear' | 'full'
  /** Width of DA-CLIP's embeddings; 0 without them. */
  readonly contextWidth: number
  /** Whether the content embedding enters through cross-attention at the deepest level. */
  readonly usesContent: boolean
  /** Whether a prompt computed from the degradation embedding is added to the time embedding. */
  readonly usesDegradation: boolean
  /** Whether resolution is halved before the first level and restored after the last. */
  readonly halvesInput: boolean
}

/** Default options of the conditional U-Net. */
export const conditionalUnetDefaults: ConditionalUnetOptions = {
  channelsIn: 3,
  channelsOut: 3,
  width: 64,
  multipliers: [1, 2, 4, 8, 16],
  isConditional: true,
  middleAttention: 'linear',
  contextWidth: 0,
  usesContent: false,
  usesDegradation: false,
  halvesInput: false,
}

/** Options of DA-CLIP's universal network that differ from the defaults. */
export const universalUnet = {
  multipliers: [1, 1, 2, 4, 8],
  contextWidth: 512,
  usesContent: true,
  usesDegradation: true,
} as const satisfies Partial<ConditionalUnetOptions>

/** Options of DA-CLIP's network for images in the wild that differ from the defaults. */
export const wildUnet = {
  ...universalUnet,
  contextWidth: 768,
  usesDegradation: false,
  halvesInput: true,
} as const satisfies Partial<ConditionalUnetOptions>

/** Names the published network that options belong to. */
export function unetVariant({
  isConditional,
  usesContent,
  usesDegradation,
  halvesInput,
}: ConditionalUnetOptions): 'IR-SDE' | 'denoising SDE' | 'DA-CLIP universal' | 'DA-CLIP wild' {
  if (halvesInput) return 'DA-CLIP wild'
  if (usesContent || usesDegradation) return 'DA-CLIP universal'
  return isConditional ? 'IR-SDE' : 'denoising SDE'
}

/** Inputs that stay the same over all steps of an image, computed once by `condition`. */
export interface Conditioning {
  /** Added to the time embedding [b 4·width]. */
  readonly prompt?: Tensor | undefined
  /** Vectors [b c] that the content embedding adds at the deepest level: down path, middle, up path. */
  readonly content?: readonly [down: Tensor, middle: Tensor, up: Tensor] | undefined
}

type Level<Resample> = readonly [ResBlock, ResBlock, ResidualAttention<MapAttention>, Resample]

/** Predicts the noise in x_t; keys and their order match the official code. */
export class ConditionalUnet {
  readonly options: ConditionalUnetOptions
  prompt?: Tensor // [1 4·width]
  text_mlp?: readonly [Linear, (x: Tensor) => Tensor, Linear]
  prompt_mlp?: Linear
  init_conv: Conv2d
  downsample?: Conv2d
  upsample?: Upsample
  time_mlp: readonly [(time: Tensor) => Tensor, Linear, (x: Tensor) => Tensor, Linear]
  downs: readonly Level<Conv2d>[]
  ups: readonly Level<Conv2d | Upsample>[]
  mid_block1: ResBlock
  mid_attn: ResidualAttention<MapAttention>
  mid_block2: ResBlock
  final_res_block: ResBlock
  final_conv: Conv2d

  constructor(init: Init, options: ConditionalUnetOptions) {
    const { channelsIn, channelsOut, width, multipliers, contextWidth, isConditional } = options
    const timeFeatures = 4 * width
    const widths = multipliers.map((multiplier) => multiplier * width)
    const last = widths.length - 2
    const middle = widths[last + 1] ?? width
    const block = (from: number, to: number) =>
      new ResBlock(init, { channelsIn: from, channelsOut: to, timeFeatures })
    const attention = (channels: number, isDeepest: boolean) =>
      new ResidualAttention<MapAttention>(
        init,
        channels,
        isDeepest && options.usesContent
          ? new SpatialTransformer(init, channels, contextWidth)
          : new LinearAttention(init, channels),
      )
    const conv3 = (from: number, to: number, bias: boolean) => new Conv2d(init, from, to, { kernel: 3, bias })
    this.options = options
    if (options.usesDegradation) {
      this.prompt = init.weight([1, timeFeatures], { bound: 1 })
      const [first, second] = [contextWidth, timeFeatures].map(
        (from) => new Linear(init, from, timeFeatures, { bias: true }),
      ) as [Linear, Linear]
      this.text_mlp = [first, (x) => x.silu(), second]
      this.prompt_mlp = new Linear(init, timeFeatures, timeFeatures, { bias: true })
    }
    this.init_conv = new Conv2d(init, isConditional ? 2 * channelsIn : channelsIn, width, {
      kernel: 7,
      bias: false,
    })
    if (options.halvesInput) {
      this.downsample = downsample(init, width, width)
      this.upsample = new Upsample(init, width, width)
    }
    this.time_mlp = [
      (time) => sinusoid(time, width),
      new Linear(init, width, timeFeatures, { bias: true }),
      (x) => x.gelu(),
      new Linear(init, timeFeatures, timeFeatures, { bias: true }),
    ]
    const levels = widths.slice(0, -1).map((from, i) => ({ from, to: widths[i + 1] ?? from, i }))
    this.downs = levels.map(({ from, to, i }) => [
      block(from, from),
      block(from, from),
      attention(from, i === last),
      i < last ? downsample(init, from, to) : conv3(from, to, false),
    ])
    this.ups = levels
      .toReversed()
      .map(({ from, to, i }) => [
        block(to + from, to),
        block(to + from, to),
        attention(to, i === last),
        i > 0 ? new Upsample(init, to, from) : conv3(to, from, false),
      ])
    this.mid_block1 = block(middle, middle)
    this.mid_attn =
      options.middleAttention === 'full'
        ? new ResidualAttention<MapAttention>(init, middle, new FullAttention(init, middle))
        : attention(middle, true)
    this.mid_block2 = block(middle, middle)
    this.final_res_block = block(2 * width, width)
    this.final_conv = conv3(width, channelsOut, true)
  }

  /**
   * Computes the conditioning from DA-CLIP's embeddings [b contextWidth], of which either may be missing.
   * @throws RestoreError 'shape' for an embedding of another width
   */
  condition(
    {
      content,
      degradation,
    }: { readonly content?: Tensor | undefined; readonly degradation?: Tensor | undefined },
    tap: Tap = () => {},
  ): Conditioning {
    const { contextWidth, usesContent, usesDegradation } = this.options
    for (const [name, context, isUsed] of [
      ['content', content, usesContent],
      ['degradation', degradation, usesDegradation],
    ] as const) {
      if (!context || !isUsed || context.shape[1] === contextWidth) continue
      throw new RestoreError(
        'shape',
        `U-Net: expected a ${name} embedding [b ${contextWidth}], got [${context.shape.join(' ')}]; ViT-B/32 gives 512 features, ViT-L/14 768: use the DA-CLIP that the weights were trained with`,
      )
    }
    const vectors = this.#transformers().map((transformer) => content && transformer.contextVector(content))
    const [down, middle, up] = vectors
    return {
      prompt: degradation && this.#prompt(degradation, tap),
      content: down && middle && up ? [down, middle, up] : undefined,
    }
  }

  #prompt(degradation: Tensor, tap: Tap): Tensor | undefined {
    if (!this.text_mlp || !this.prompt || !this.prompt_mlp) return undefined
    const [first, activate, second] = this.text_mlp
    const logits = second.forward(activate(first.forward(degradation)))
    tap('text_mlp', logits)
    const prompt = this.prompt_mlp.forward(logits.softmax(1).mul(this.prompt))
    tap('prompt_mlp', prompt)
    return prompt
  }

  /** Transformers at the deepest level: down path, middle, up path. */
  #transformers(): readonly SpatialTransformer[] {
    return [this.downs.at(-1)?.[2], this.mid_attn, this.ups[0]?.[2]].flatMap((attention) =>
      attention?.fn.fn instanceof SpatialTransformer ? attention.fn.fn : [],
    )
  }

  /** Predicts the noise [b channelsOut h w]. @throws RestoreError 'usage' for inputs of another variant */
  forward(
    { state, degraded, time }: UnetInputs,
    conditioning: Conditioning = {},
    tap: Tap = () => {},
  ): Tensor {
    const { multipliers, usesContent, isConditional } = this.options
    if (isConditional !== (degraded !== undefined)) {
      const [expected, got] = isConditional ? ['a degraded image', 'none'] : ['no degraded image', 'one']
      const variant = unetVariant(this.options)
      throw new RestoreError(
        'usage',
        `U-Net: expected ${expected} besides the state, as the weights are of the variant '${variant}', got ${got}`,
      )
    }
    if (usesContent && !conditioning.content)
      throw new RestoreError(
        'usage',
        `U-Net: expected a content embedding, as the weights are of the variant '${unetVariant(this.options)}', got none; compute it with DA-CLIP`,
      )
    const input = degraded ? cat([state.sub(degraded), degraded], 1) : state
    const embedded = this.init_conv.forward(padTo(input, 2 ** (multipliers.length - 1), 'reflect'))
    tap('init_conv', embedded)
    const timeEmbedding = this.#embedTime(time, conditioning, tap)
    const entry = this.downsample ? this.downsample.forward(embedded) : embedded
    const features = this.#levels(entry, timeEmbedding, conditioning, tap)
    const joined = cat([this.upsample ? this.upsample.forward(features) : features, embedded], 1)
    const final = this.final_res_block.forward(joined, timeEmbedding)
    tap('final_res_block', final)
    return cropLike(this.final_conv.forward(final), state)
  }

  #embedTime(time: Tensor, { prompt }: Conditioning, tap: Tap): Tensor {
    const [embed, first, activate, second] = this.time_mlp
    const embedded = second.forward(activate(first.forward(embed(time))))
    tap('time_mlp', embedded)
    return prompt ? embedded.add(prompt) : embedded
  }

  #levels(x: Tensor, time: Tensor, { content }: Conditioning, tap: Tap): Tensor {
    const deepest = this.downs.length - 1
    const skips: Tensor[] = []
    let y = x
    const run = (name: string, layer: () => Tensor) => {
      y = layer()
      tap(name, y)
    }
    for (const [i, [block1, block2, attention, resample]] of this.downs.entries()) {
      run(`downs.${i}.0`, () => block1.forward(y, time))
      skips.push(y)
      run(`downs.${i}.1`, () => block2.forward(y, time))
      run(`downs.${i}.2`, () => attention.forward(y, i === deepest ? content?.[0] : undefined))
      skips.push(y)
      run(`downs.${i}.3`, () => resample.forward(y))
    }
    run('mid_block1', () => this.mid_block1.forward(y, time))
    run('mid_attn', () => this.mid_attn.forward(y, content?.[1]))
    run('mid_block2', () => this.mid_block2.forward(y, time))
    for (const [j, [block1, block2, attention, resample]] of this.ups.entries()) {
      const joined = () => cat([y, skips.pop()!], 1)
      run(`ups.${j}.0`, () => block1.forward(joined(), time))
      run(`ups.${j}.1`, () => block2.forward(joined(), time))
      run(`ups.${j}.2`, () => attention.forward(y, j === 0 ? content?.[2] : undefined))
      run(`ups.${j}.3`, () => resample.forward(y))
    }
    return y
  }
}

/** Derives the options from the key shapes of a checkpoint. */
export function conditionalUnetOptionsFromWeights(shapes: KeyShapes): ConditionalUnetOptions {
  const { size, count } = shapeReader('U-Net', shapes)
  const width = size('init_conv.weight', 0)
  const levels = Array.from({ length: count('downs', '3.weight') }, (_, i) => size(`downs.${i}.3.weight`, 0))
  const channelsOut = size('final_conv.weight', 0)
  const isConditional = size('init_conv.weight', 1) === 2 * channelsOut
  const crossKey = 'mid_attn.fn.fn.transformer_blocks.0.attn2.to_v.weight'
  const usesContent = shapes.has(crossKey)
  const usesDegradation = shapes.has('prompt')
  return {
    channelsIn: size('init_conv.weight', 1) / (isConditional ? 2 : 1),
    channelsOut,
    width,
    multipliers: [1, ...levels.map((channels) => channels / width)],
    isConditional,
    middleAttention: shapes.has('mid_attn.fn.fn.to_out.weight') ? 'full' : 'linear',
    contextWidth: usesContent ? size(crossKey, 1) : usesDegradation ? size('text_mlp.0.weight', 1) : 0,
    usesContent,
    usesDegradation,
    halvesInput: shapes.has('downsample.weight'),
  }
}

/** Converts a conditioning to named tensors, the form that graphs exchange. */
function conditioningTensors({ prompt, content }: Conditioning): NamedTensors {
  const [contentDown, contentMiddle, contentUp] = content ?? []
  const named = { prompt, contentDown, contentMiddle, contentUp }
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, tensor]) => (tensor ? [[name, tensor]] : [])),
  )
}

/** Inverse of {@link conditioningTensors}. */
function conditioningOf({ prompt, contentDown, contentMiddle, contentUp }: NamedTensors): Conditioning {
  const content = contentDown && contentMiddle && contentUp
  return { prompt, content: content ? [contentDown, contentMiddle, contentUp] : undefined }
}

/** SDE and sampler of the official weights; undefined for IR-SDE, whose SDE differs from task to task. */
function officialSampling(options: ConditionalUnetOptions): TrainedSampling | undefined {
  if (!options.isConditional) return { sde: denoisingSde, sampler: 'ode' }
  const isGuided = options.usesContent || options.usesDegradation
  return isGuided ? { sde: restoringSde, sampler: 'posterior' } : undefined
}

export const conditionalUnet = defineNetwork({
  facts: conditionalUnetFacts,
  defaults: conditionalUnetDefaults,
  optionsFromWeights: conditionalUnetOptionsFromWeights,
  create: (init, options) => new ConditionalUnet(init, options),
  inputs: {
    state: 'b channelsIn h w',
    degraded: 'b channelsIn h w',
    time: 'b',
    content: 'b contextWidth',
    degradation: 'b contextWidth',
  },
  inputNames: ({ isConditional, usesContent, usesDegradation }) => [
    'state',
    ...(isConditional ? ['degraded'] : []),
    'time',
    ...(usesContent ? ['content'] : []),
    ...(usesDegradation ? ['degradation'] : []),
  ],
  outputs: ['prediction'],
  forward: (network, inputs, { tap }) => ({
    prediction: network.forward(unetInputs(inputs), network.condition(inputs, tap), tap),
  }),
  parts: {
    // One graph of `predict` serves all steps and tiles.
    condition: (network, inputs) => conditioningTensors(network.condition(inputs)),
    predict: (network, inputs) => ({
      prediction: network.forward(unetInputs(inputs), conditioningOf(inputs)),
    }),
  },
  size: ({ multipliers }) => ({ multipleOf: 1, minimum: 1, padToMultiple: 2 ** (multipliers.length - 1) }),
  channels: ({ channelsIn, channelsOut }) => ({ input: channelsIn, output: channelsOut }),
  tiling: ({ usesContent, middleAttention }) =>
    usesContent || middleAttention === 'full' ? { ...defaultTiling, whole: 'costly' } : defaultTiling,
  // Measured peak of the process: 0.99, 1.33 and 2.24 GB for 128², 256² and 512² pixels with the universal
  // network's 49 million weights, 2.4 GB with IR-SDE's 137 million. That is 4.6 KB per pixel at width 64,
  // plus four times the size of the weights.
  memory: ({ width, multipliers, usesContent }) => {
    const weights = (usesContent ? 140 : 100) * multipliers.reduce((sum, m) => sum + (m * width) ** 2, 0)
    return { fixedBytes: 200e6 + 17 * weights, bytesPerPixel: 94 * width }
  },
  role: (options) => ({
    kind: 'samples',
    guide: guideOf(options),
    sampling: officialSampling(options),
    isMaxSigmaEnough: true,
  }),
})

function guideOf(options: ConditionalUnetOptions): RequiredGuide | undefined {
  const { usesContent, usesDegradation, contextWidth, channelsIn } = options
  if (usesContent || usesDegradation) return { kind: 'embeddings', width: contextWidth }
  return channelsIn > 3 ? { kind: 'latents', width: channelsIn } : undefined
}
