// DA-CLIP: Controlling Vision-Language Models for Multi-Task Image Restoration, arXiv:2310.01018.
// A controller beside CLIP's frozen image encoder embeds how a picture is degraded and steers the encoder to
// embed its content.
// Checkpoint keys: Algolzw/daclip-uir@c2cc141 da-clip/src/open_clip/daclip_model.py.

import { fitPositions } from '../../checkpoints/clipLayouts.ts'
import { elementCount, float32Data, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import type { Tensor } from '../../core/tensor.ts'
import { contrastiveLoss, normalized, sharedTextLoss } from '../../nn/contrastive.ts'
import type { Conv2d } from '../../nn/conv.ts'
import type { Init } from '../../nn/init.ts'
import type { KeyShapes } from '../../nn/keyShapes.ts'
import { Linear } from '../../nn/linear.ts'
import { mapTensors, stateDict } from '../../nn/module.ts'
import type { LayerNorm } from '../../nn/norm.ts'
import {
  type Block,
  Clip,
  type ClipOptions,
  clipDefaults,
  clipOptionsFromWeights,
  embedImage,
  initialLogitScale,
  projectImage,
  type VisionEnds,
  type VisionTower,
  visionBlocks,
  visionEnds,
} from '../clip/clip.ts'
import { defineNetwork, input, type Tap } from '../networkDescriptor.ts'
import { daClipFacts } from './cards.ts'

/** Copy of the image encoder with a zero-initialized dense layer on the output of every block. */
class Controller implements VisionEnds {
  class_embedding: Tensor
  positional_embedding: Tensor
  proj: Tensor
  stem: readonly Conv2d[]
  conv1: Conv2d
  ln_pre: LayerNorm
  transformer: { transformer: { resblocks: readonly Block[] }; zero_modules: readonly Linear[] }
  ln_post: LayerNorm

  constructor(init: Init, options: ClipOptions) {
    const ends = visionEnds(init, options)
    const { visionWidth: width } = options
    this.class_embedding = ends.class_embedding
    this.positional_embedding = ends.positional_embedding
    this.proj = ends.proj
    this.stem = ends.stem
    this.conv1 = ends.conv1
    this.ln_pre = ends.ln_pre
    const resblocks = visionBlocks(init, options)
    this.transformer = {
      transformer: { resblocks },
      zero_modules: resblocks.map(() => {
        const dense = new Linear(init, width, width, { bias: true })
        dense.weight = init.weight([width, width], { constant: 0 })
        dense.bias = init.weight([width], { constant: 0 })
        return dense
      }),
    }
    this.ln_post = ends.ln_post
  }

  /** [b 3 s s] -> degradation features [b d], additions to the encoder's blocks, last tokens [b n width]. */
  forward(image: Tensor, tap: Tap): { degradation: Tensor; hidden: readonly Tensor[]; tokens: Tensor } {
    const { transformer, zero_modules: dense } = this.transformer
    const hidden: Tensor[] = []
    let tokens = embedImage(this, image, tap)
    for (const [i, block] of transformer.resblocks.entries()) {
      tokens = block.forward(tokens)
      tap(`transformer.transformer.resblocks.${i}`, tokens)
      const added = dense[i]!.forward(tokens)
      tap(`transformer.zero_modules.${i}`, added)
      hidden.push(added)
    }
    return { degradation: projectImage(this, tokens, tap), hidden, tokens }
  }
}

/** Creates weights that are loaded and used but not trained. */
function frozen(init: Init): Init {
  return {
    ...init,
    weight: (shape, distribution) => {
      const tensor = init.weight(shape, distribution)
      tensor.isTrainable = false
      return tensor
    },
  }
}

/** Embeddings of an image by DA-CLIP. */
export interface Embeddings {
  /** Embedding of what the picture shows [b d], not normalized. */
  readonly content: Tensor
  /** Embedding of how it is degraded [b d], not normalized. */
  readonly degradation: Tensor
}

/** Frozen CLIP with a trained controller. */
export class DaClip {
  logit_scale: Tensor // []
  /** Frozen. */
  clip: Clip
  /** Same tower as clip.visual: official checkpoints store it twice. */
  visual: VisionTower
  visual_control: Controller

  constructor(init: Init, options: ClipOptions) {
    this.logit_scale = init.weight([], { constant: initialLogitScale })
    this.clip = new Clip(frozen(init), options)
    this.visual = this.clip.visual
    this.visual_control = new Controller(init, options)
  }

  /** Embeds degraded pictures [b 3 s s]. */
  encodeImage(image: Tensor, tap: Tap = () => {}): Embeddings {
    const { degradation, hidden } = this.visual_control.forward(image, (name, tensor) =>
      tap(`visual_control.${name}`, tensor),
    )
    // NOTE: the controller's last block adds to the encoder's first; published weights depend on it.
    const content = this.clip.visual.forward(image, hidden.toReversed(), (name, tensor) =>
      tap(`visual.${name}`, tensor),
    )
    return { content, degradation }
  }
}

/** Training batch of DA-CLIP. */
export interface DaClipBatch {
  readonly image: Tensor
  /** Token ids of the clean pictures' captions [b n]. */
  readonly captions: Tensor
  /** Token ids of degradations: [b n], or [k n] together with `labels`. */
  readonly degradations: Tensor
  /** For each image, its row of `degradations`, which are all different. */
  readonly labels?: readonly number[] | undefined
  /** Gathers rows of all processes, so that each computes the loss of all; `labels` then cover all, too. */
  readonly gather?: ((rows: Tensor) => Tensor) | undefined
}

/** Computes both contrastive losses, at their shared scale; the controller is trained on their sum. */
export function daClipLosses(
  network: DaClip,
  { image, captions, degradations, labels, gather = (rows) => rows }: DaClipBatch,
): { readonly content: Tensor; readonly degradation: Tensor } {
  const embeddings = network.encodeImage(image)
  const scale = network.logit_scale.exp()
  const [content, degradation] = [embeddings.content, embeddings.degradation].map((rows) =>
    gather(normalized(rows)),
  ) as [Tensor, Tensor]
  const [caption, word] = [captions, degradations].map((ids) => normalized(network.clip.encodeText(ids))) as [
    Tensor,
    Tensor,
  ]
  return {
    content: contrastiveLoss(content, gather(caption), scale),
    // Shared texts are the same in every process, so they are not gathered.
    degradation: labels
      ? sharedTextLoss(degradation, word, { labels, scale })
      : contrastiveLoss(degradation, gather(word), scale),
  }
}

/**
 * Initializes the controller as a copy of the image encoder with zero dense layers. Call it before moving the
 * network to a device. `asPublished` reproduces a slip of the official code: every row of the first dense
 * layer gets the values of the encoder's last norm, and the controller's last norm stays at 1 and 0.
 */
export function startController(network: DaClip, { asPublished }: { readonly asPublished: boolean }): void {
  const encoder = stateDict(network.clip.visual)
  const norm = network.clip.visual.ln_post
  const first = { 'zero_modules.0.weight': norm.weight, 'zero_modules.0.bias': norm.bias }
  mapTensors(network, (tensor, key) => {
    const prefix = 'visual_control.'
    if (!key.startsWith(prefix)) return tensor
    const name = key.slice(prefix.length).replace('transformer.transformer.', 'transformer.')
    const dense = Object.entries(first).find(([end]) => name.endsWith(end))?.[1]
    if (name.includes('zero_modules')) return filled(tensor, asPublished ? dense : undefined)
    if (asPublished && name.startsWith('ln_post'))
      return filled(tensor, undefined, name.endsWith('weight') ? 1 : 0)
    const source = encoder.get(name)
    if (!source) throw new RestoreError('checkpoint', `DA-CLIP: expected ${name} in the encoder, got none`)
    return hostTensor(source.read())
  })
}

/** Creates a host tensor of the same shape whose rows all equal `row`, or whose values all equal `value`. */
function filled({ shape }: Tensor, row: Tensor | undefined, value = 0): Tensor {
  const sizes = shape as readonly number[]
  const values = new Float32Array(elementCount(sizes)).fill(value)
  if (row) {
    const source = viewAs(row.read().bytes, Float32Array)
    for (let i = 0; i < values.length; i++) values[i] = source[i % source.length]!
  }
  return hostTensor(float32Data(values, sizes))
}

/** Derives the options, those of the CLIP inside, from the key shapes of a checkpoint. */
export function daClipOptionsFromWeights(shapes: KeyShapes): ClipOptions {
  const prefix = 'clip.'
  const inner = [...shapes].flatMap(([key, shape]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), shape] as const] : [],
  )
  return clipOptionsFromWeights(new Map(inner))
}

export const daClip = defineNetwork({
  facts: daClipFacts,
  defaults: clipDefaults,
  optionsFromWeights: daClipOptionsFromWeights,
  create: (init, options) => new DaClip(init, options),
  inputs: { image: 'b 3 h w' },
  outputs: ['content', 'degradation'],
  forward: (network, inputs, { tap }) => ({ ...network.encodeImage(input(inputs, 'image'), tap) }),
  parts: {
    image: (network, inputs) => ({ imageFeatures: network.clip.encodeImage(input(inputs, 'image')) }),
    text: (network, inputs) => ({ textFeatures: network.clip.encodeText(input(inputs, 'ids')) }),
  },
  size: ({ imageSize }) => ({ multipleOf: 1, minimum: 1, fixedSize: imageSize }),
  channels: () => ({ input: 3, output: 3 }),
  memory: () => ({ fixedBytes: 2e9, bytesPerPixel: 0 }),
  role: ({ features, imageSize, contextLength }) => ({
    kind: 'guides',
    guidance: { kind: 'embeddings', width: features, imageSize, contextLength },
  }),
  adaptWeights: fitPositions,
})
