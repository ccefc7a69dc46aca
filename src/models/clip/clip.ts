// CLIP: Learning Transferable Visual Models From Natural Language Supervision, arXiv:2103.00020, with vision
// transformers.
// Checkpoint keys: OpenCLIP's (mlfoundations/open_clip, also in Algolzw/daclip-uir@c2cc141
// da-clip/src/open_clip), which are OpenAI's too.
// Images [b 3 h w] come from data/clip/clipImage.ts, tokens int64 [b n] from data/clip/tokenizer.ts.

import { fitPositions, openAiExtras, patchGrid } from '../../checkpoints/clipLayouts.ts'
import { RestoreError } from '../../core/errors.ts'
import { constant } from '../../core/hostBackend.ts'
import { rearrange } from '../../core/rearrange.ts'
import { cat, scoped, type Tensor } from '../../core/tensor.ts'
import { MultiheadAttention } from '../../nn/attention.ts'
import { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import { type KeyShapes, shapeReader } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { LayerNorm } from '../../nn/norm.ts'
import { defineNetwork, input, type Tap } from '../networkDescriptor.ts'
import { clipFacts } from './cards.ts'

/** Options of CLIP’s two towers. */
export interface ClipOptions {
  /** Features of an embedding, shared by images and texts. */
  readonly features: number
  /** Of the images, in pixels. The weights reveal it if it is square. */
  readonly imageSize: readonly [height: number, width: number]
  readonly patch: number
  /**
   * Channels of the convolutional stem before the patches (Xiao et al., arXiv:2106.14881): a 4×4 convolution
   * of stride 4, then 3×3 ones of stride 2. Empty for published weights.
   */
  readonly stem: readonly number[]
  readonly visionWidth: number
  readonly visionLayers: number
  readonly visionHeads: number
  /** Tokens of the longest text. */
  readonly contextLength: number
  readonly vocabulary: number
  readonly textWidth: number
  readonly textLayers: number
  readonly textHeads: number
  /** 'quickGelu', for OpenAI's own weights, is x·sigmoid(1.702 x). */
  readonly activation: 'gelu' | 'quickGelu'
  /** Whether the keys of the text tower start with text., as in OpenCLIP's CustomTextCLIP. */
  readonly hasTextPrefix: boolean
}

/** Options of ViT-B/32. */
export const clipDefaults: ClipOptions = {
  features: 512,
  imageSize: [224, 224],
  patch: 32,
  stem: [],
  visionWidth: 768,
  visionLayers: 12,
  visionHeads: 12,
  contextLength: 77,
  vocabulary: 49_408,
  textWidth: 512,
  textLayers: 12,
  textHeads: 8,
  activation: 'gelu',
  hasTextPrefix: false,
}

/** Options of ViT-L/14 that differ from the defaults. */
export const clipLarge = {
  features: 768,
  patch: 14,
  visionWidth: 1024,
  visionLayers: 24,
  visionHeads: 16,
  textWidth: 768,
  textHeads: 12,
} as const satisfies Partial<ClipOptions>

interface TransformerOptions {
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly activation: ClipOptions['activation']
  /** Whether weights start normally distributed and scaled by depth, as in the text tower. */
  readonly isScaledByDepth: boolean
}

/** Transformer block: pre-norm attention, then an MLP of four times the width. */
export class Block {
  readonly activation: ClipOptions['activation']
  ln_1: LayerNorm
  attn: MultiheadAttention
  ln_2: LayerNorm
  mlp: { c_fc: Linear; c_proj: Linear }

  constructor(init: Init, { width, layers, heads, activation, isScaledByDepth }: TransformerOptions) {
    const deviation = width ** -0.5
    const inWeights = isScaledByDepth ? { inWeights: { deviation } } : {}
    this.activation = activation
    this.ln_1 = new LayerNorm(init, width)
    this.attn = new MultiheadAttention(init, {
      features: width,
      heads,
      inBias: true,
      outBias: true,
      ...inWeights,
    })
    this.ln_2 = new LayerNorm(init, width)
    this.mlp = {
      c_fc: new Linear(init, width, 4 * width, { bias: true }),
      c_proj: new Linear(init, 4 * width, width, { bias: true }),
    }
    if (!isScaledByDepth) return
    const deep = deviation * (2 * layers) ** -0.5
    this.attn.out_proj.weight = init.weight([width, width], { deviation: deep })
    this.mlp.c_fc.weight = init.weight([4 * width, width], { deviation: (2 * width) ** -0.5 })
    this.mlp.c_proj.weight = init.weight([width, 4 * width], { deviation: deep })
  }

  /** [b n width] -> [b n width]. */
  forward(x: Tensor, mask?: Tensor): Tensor {
    const attended = x.add(
      scoped(x, () => {
        const query = this.ln_1.forward(x)
        return this.attn.forward({ query, key: query, value: query }, mask)
      }),
    )
    return attended.add(
      scoped(attended, () => {
        const hidden = this.mlp.c_fc.forward(this.ln_2.forward(attended))
        const active = this.activation === 'gelu' ? hidden.gelu() : hidden.mul(hidden.mul(1.702).sigmoid())
        return this.mlp.c_proj.forward(active)
      }),
    )
  }
}

function blocks(init: Init, options: TransformerOptions): readonly Block[] {
  return Array.from({ length: options.layers }, () => new Block(init, options))
}

/** The vision tower's blocks. */
export function visionBlocks(init: Init, options: ClipOptions): readonly Block[] {
  const { visionWidth: width, visionLayers: layers, visionHeads: heads, activation } = options
  return blocks(init, { width, layers, heads, activation, isScaledByDepth: false })
}

/** Weights of a vision tower before and after its transformer. */
export interface VisionEnds {
  class_embedding: Tensor // [width]
  positional_embedding: Tensor // [1 + patches, width]
  proj: Tensor // [width features]
  stem: readonly Conv2d[]
  conv1: Conv2d
  ln_pre: LayerNorm
  ln_post: LayerNorm
}

/** Creates the stem with an initialization that preserves the variance (He et al., arXiv:1502.01852). */
function stemConvs(init: Init, stem: readonly number[]): readonly Conv2d[] {
  return stem.map((channelsOut, i) => {
    const channelsIn = stem[i - 1] ?? 3
    const shape = i === 0 ? { kernel: 4, stride: 4, padding: 0 } : { kernel: 3, stride: 2 }
    const conv = new Conv2d(init, channelsIn, channelsOut, { ...shape, bias: true })
    const deviation = Math.sqrt(2 / (channelsIn * shape.kernel ** 2))
    conv.weight = init.weight([channelsOut, channelsIn, shape.kernel, shape.kernel], { deviation })
    return conv
  })
}

/** Total stride of a stem with this many convolutions. */
function stemStride(convs: number): number {
  return convs === 0 ? 1 : 2 ** (convs + 1)
}

/** Creates the weights before and after a vision tower's transformer. */
export function visionEnds(
  init: Init,
  { visionWidth, patch, imageSize, features, stem }: ClipOptions,
): VisionEnds {
  const deviation = visionWidth ** -0.5
  const kernel = patch / stemStride(stem.length)
  const [rows, columns] = patchGrid({ imageSize, patch })
  const tokens = 1 + rows * columns
  return {
    class_embedding: init.weight([visionWidth], { deviation }),
    positional_embedding: init.weight([tokens, visionWidth], { deviation }),
    proj: init.weight([visionWidth, features], { deviation }),
    stem: stemConvs(init, stem),
    conv1: new Conv2d(init, stem.at(-1) ?? 3, visionWidth, {
      kernel,
      bias: false,
      stride: kernel,
      padding: 0,
    }),
    ln_pre: new LayerNorm(init, visionWidth),
    ln_post: new LayerNorm(init, visionWidth),
  }
}

/** [b 3 h w] -> tokens [b 1+patches width], the class token first. */
export function embedImage(ends: VisionEnds, image: Tensor, tap: Tap): Tensor {
  const stemmed = ends.stem.reduce((x, conv) => conv.forward(x).gelu(), image)
  const patches = ends.conv1.forward(stemmed)
  tap('conv1', patches)
  const tokens = rearrange(patches, 'b c h w -> b (h w) c')
  const { b, c } = tokens.axes('b n c')
  const first = ends.class_embedding.reshape([1, 1, c]).expand([b, 1, c])
  const embedded = ends.ln_pre.forward(cat([first, tokens], 1).add(ends.positional_embedding))
  tap('ln_pre', embedded)
  return embedded
}

/** Tokens [b n width] -> features [b d] of the class token. */
export function projectImage(ends: VisionEnds, tokens: Tensor, tap: Tap): Tensor {
  const { b, c } = tokens.axes('b n c')
  const pooled = ends.ln_post.forward(tokens.slice(1, 0, 1).reshape([b, c]))
  tap('ln_post', pooled)
  return pooled.matmul(ends.proj)
}

/** CLIP's image encoder. */
export class VisionTower implements VisionEnds {
  class_embedding: Tensor
  positional_embedding: Tensor
  proj: Tensor
  stem: readonly Conv2d[]
  conv1: Conv2d
  ln_pre: LayerNorm
  transformer: { resblocks: readonly Block[] }
  ln_post: LayerNorm

  constructor(init: Init, options: ClipOptions) {
    const ends = visionEnds(init, options)
    this.class_embedding = ends.class_embedding
    this.positional_embedding = ends.positional_embedding
    this.proj = ends.proj
    this.stem = ends.stem
    this.conv1 = ends.conv1
    this.ln_pre = ends.ln_pre
    this.transformer = { resblocks: visionBlocks(init, options) }
    this.ln_post = ends.ln_post
  }

  /** [b 3 h w] -> features [b d], not normalized; `added`[i] [b n width] adds to the output of block i. */
  forward(image: Tensor, added: readonly Tensor[] = [], tap: Tap = () => {}): Tensor {
    const tokens = this.transformer.resblocks.reduce(
      (x, block, i) => {
        const y = block.forward(x)
        const joined = added[i] ? y.add(added[i]) : y
        tap(`transformer.resblocks.${i}`, joined)
        return joined
      },
      embedImage(this, image, tap),
    )
    tap('transformer', tokens)
    return projectImage(this, tokens, tap)
  }
}

/** CLIP's text encoder, whose weights OpenCLIP keeps at the top level of its checkpoints. */
export class TextTower {
  positional_embedding: Tensor // [contextLength width]
  text_projection: Tensor // [width features]
  transformer: { resblocks: readonly Block[] }
  token_embedding: { weight: Tensor } // [vocabulary width]
  ln_final: LayerNorm

  constructor(init: Init, options: ClipOptions) {
    const { textWidth: width, textLayers: layers, textHeads: heads, activation } = options
    this.positional_embedding = init.weight([options.contextLength, width], { deviation: 0.01 })
    this.text_projection = init.weight([width, options.features], { deviation: width ** -0.5 })
    this.transformer = {
      resblocks: blocks(init, { width, layers, heads, activation, isScaledByDepth: true }),
    }
    this.token_embedding = { weight: init.weight([options.vocabulary, width], { deviation: 0.02 }) }
    this.ln_final = new LayerNorm(init, width)
  }

  /**
   * Token ids [b n] -> features [b d] of the end token, which has the largest id; not normalized.
   * @throws RestoreError 'shape' for more tokens than the context length
   */
  encodeText(ids: Tensor, tap: Tap = () => {}): Tensor {
    const { b } = ids.axes('b n')
    const n = ids.size(1)
    const contextLength = this.positional_embedding.size(0)
    if (n > contextLength) {
      throw new RestoreError(
        'shape',
        `text: expected at most ${contextLength} tokens, got ${n}; tokenize with contextLength ${contextLength}`,
      )
    }
    const embedded = this.token_embedding.weight.embedding(ids).add(this.positional_embedding.slice(0, 0, n))
    const mask = causalMask(n)
    const tokens = this.transformer.resblocks.reduce((x, block, i) => {
      const y = block.forward(x, mask)
      tap(`transformer.resblocks.${i}`, y)
      return y
    }, embedded)
    const width = tokens.size(2)
    const at = ids.argmax(1).reshape([b, 1, 1]).expand([b, 1, width])
    // The norm acts on each token separately, so only the one that is used is normalized.
    return this.ln_final.forward(tokens.gather(1, at).reshape([b, width])).matmul(this.text_projection)
  }
}

/** Attention mask [n n]: −∞ where a token would attend to a later one. */
function causalMask(n: number): Tensor {
  const values = new Float32Array(n * n)
  for (let row = 0; row < n; row++) values.fill(Number.NEGATIVE_INFINITY, row * n + row + 1, (row + 1) * n)
  return constant(values, [n, n])
}

/** Initial `logit_scale`: natural logarithm of the factor on similarities. */
export const initialLogitScale = Math.log(1 / 0.07)

/** Interface of both checkpoint layouts. */
export interface ClipNetwork {
  logit_scale: Tensor
  /** [b 3 h w] -> features [b d], not normalized. */
  encodeImage(image: Tensor, tap?: Tap): Tensor
  /** Token ids [b n] -> features [b d], not normalized. */
  encodeText(ids: Tensor, tap?: Tap): Tensor
}

/** CLIP with the text tower's keys at the top level. */
export class Clip extends TextTower implements ClipNetwork {
  logit_scale: Tensor // []
  visual: VisionTower

  constructor(init: Init, options: ClipOptions) {
    super(init, options)
    this.logit_scale = init.weight([], { constant: initialLogitScale })
    this.visual = new VisionTower(init, options)
  }

  encodeImage(image: Tensor, tap: Tap = () => {}): Tensor {
    return this.visual.forward(image, [], (name, tensor) => tap(`visual.${name}`, tensor))
  }
}

/** CLIP with the text tower's keys under text.*. */
export class CustomTextClip implements ClipNetwork {
  logit_scale: Tensor // []
  visual: VisionTower
  text: TextTower

  constructor(init: Init, options: ClipOptions) {
    this.logit_scale = init.weight([], { constant: initialLogitScale })
    this.visual = new VisionTower(init, options)
    this.text = new TextTower(init, options)
  }

  encodeImage(image: Tensor, tap: Tap = () => {}): Tensor {
    return this.visual.forward(image, [], (name, tensor) => tap(`visual.${name}`, tensor))
  }

  encodeText(ids: Tensor, tap: Tap = () => {}): Tensor {
    return this.text.encodeText(ids, (name, tensor) => tap(`text.${name}`, tensor))
  }
}

/** Derives the options from key shapes, with heads of 64 features and, for OpenAI's own files, QuickGELU. */
export function clipOptionsFromWeights(shapes: KeyShapes): ClipOptions {
  const { size, count } = shapeReader('CLIP', shapes)
  const layers = (tower: string) => count(`${tower}transformer.resblocks`, 'ln_1.weight')
  const hasTextPrefix = shapes.has('text.token_embedding.weight')
  const text = hasTextPrefix ? 'text.' : ''
  const stemLength = count('visual.stem', 'weight')
  const patch = size('visual.conv1.weight', 2) * stemStride(stemLength)
  const side = patch * Math.round(Math.sqrt(size('visual.positional_embedding', 0) - 1))
  const visionWidth = size('visual.conv1.weight', 0)
  const textWidth = size(`${text}token_embedding.weight`, 1)
  return {
    features: size('visual.proj', 1),
    imageSize: [side, side],
    patch,
    stem: Array.from({ length: stemLength }, (_, i) => size(`visual.stem.${i}.weight`, 0)),
    visionWidth,
    visionLayers: layers('visual.'),
    visionHeads: Math.max(1, Math.floor(visionWidth / 64)),
    contextLength: size(`${text}positional_embedding`, 0),
    vocabulary: size(`${text}token_embedding.weight`, 0),
    textWidth,
    textLayers: layers(text),
    textHeads: Math.max(1, Math.floor(textWidth / 64)),
    activation: shapes.has(openAiMarker) ? 'quickGelu' : 'gelu',
    hasTextPrefix,
  }
}

/** Key of a number that only OpenAI's own files contain. */
const openAiMarker = 'input_resolution'

export const clip = defineNetwork({
  facts: clipFacts,
  defaults: clipDefaults,
  optionsFromWeights: clipOptionsFromWeights,
  create: (init, options) =>
    options.hasTextPrefix ? new CustomTextClip(init, options) : new Clip(init, options),
  inputs: { image: 'b 3 h w', ids: 'b n' },
  outputs: ['imageFeatures', 'textFeatures'],
  forward: (network, inputs, { tap }) => ({
    imageFeatures: network.encodeImage(input(inputs, 'image'), tap),
    textFeatures: network.encodeText(input(inputs, 'ids'), tap),
  }),
  parts: {
    image: (network, inputs) => ({ imageFeatures: network.encodeImage(input(inputs, 'image')) }),
    text: (network, inputs) => ({ textFeatures: network.encodeText(input(inputs, 'ids')) }),
  },
  size: ({ imageSize }) => ({ multipleOf: 1, minimum: 1, fixedSize: imageSize }),
  channels: () => ({ input: 3, output: 3 }),
  memory: () => ({ fixedBytes: 1.5e9, bytesPerPixel: 0 }),
  role: () => ({ kind: 'features' }),
  ignoredKeys: openAiExtras,
  adaptWeights: fitPositions,
})
