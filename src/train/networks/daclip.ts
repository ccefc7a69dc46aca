// Training of DA-CLIP and with DA-CLIP (arXiv:2310.01018 §3; Algolzw/daclip-uir@c2cc141): a controller for a
// frozen CLIP, trained with two contrastive losses, then a U-Net conditioned on the frozen DA-CLIP's
// embeddings.

import { join } from 'node:path'
import { toFloat32 } from '../../checkpoints/convert.ts'
import type { TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import { type ClipSize, clipImage, fromBytes, resizeBytes, toBytes } from '../../data/clip/clipImage.ts'
import { withoutPadding } from '../../data/clip/tokenizer.ts'
import { clipTokenizer } from '../../data/clip/vocabulary.ts'
import { crop, type Image, type Pixels, pixelsToPlanes } from '../../data/image.ts'
import type { ClipOptions } from '../../models/clip/clip.ts'
import {
  DaClip,
  daClipLosses,
  daClipOptionsFromWeights,
  type Embeddings,
  startController,
} from '../../models/daclip/daclip.ts'
import { maxLogitScale } from '../../models/daclip/words.ts'
import { emptyInit } from '../../nn/init.ts'
import { loadWeights, stateDict } from '../../nn/module.ts'
import { deviceOf, noGrad, scope, toTorch } from '../../torch/backend.ts'
import { gatherNumbers, gatherRows } from '../../torch/group.ts'
import { assign, type Optimizer } from '../../torch/optim.ts'
import type { LossContext, Weights } from '../recipe/recipe.ts'
import { type CaptionLine, isCaptionFile, readCaptions } from '../samples/captions.ts'
import type { Images } from '../samples/images.ts'
import type { Draw } from '../samples/samples.ts'
import { frozenNetworks } from './frozenNetworks.ts'

/** Images listed in a caption file below a root. */
export function captionedImages(root: string, file: string): Images {
  if (isCaptionFile(file)) return { root, views: { target: file }, match: 'order', channels: 3, scale: 1 }
  throw new RestoreError('usage', `captionedImages: expected a file *.csv or *.tsv, got ${file}`)
}

/** A sample for DA-CLIP’s controller. */
export type CaptionedSample = {
  /** CLIP's input [3 h w]. */
  readonly image: TensorData
  /** Token ids of the caption. */
  readonly caption: TensorData
  /** Index of the degradation among the words. */
  readonly label: number
}

/** Samples of a caption file: a random crop of 0.9 to 1 of the image area, caption tokens, degradation. */
export function captioned(
  words: readonly string[],
  { imageSize, contextLength }: Pick<ClipOptions, 'imageSize' | 'contextLength'>,
): (draw: Draw) => CaptionedSample {
  const files = new Map<string, readonly CaptionLine[]>()
  return ({ index, views, data: { images }, random }) => {
    const file = join(images.root, images.views.target)
    const lines = files.get(file) ?? readCaptions(file)
    files.set(file, lines)
    const { caption, degradation, line } = lines[index]!
    const label = words.indexOf(degradation)
    if (label < 0) {
      throw new RestoreError(
        'input',
        `${file}:${line}: expected a degradation out of ${words.join(', ')}, got '${degradation}'`,
      )
    }
    return {
      image: clipPlanes(randomResizedCrop(views.target!, imageSize, random), imageSize),
      caption: withoutBatchAxis(clipTokenizer().tokenize([caption], { contextLength }).ids),
      label,
    }
  }
}

/** torchvision's RandomResizedCrop, scale (0.9, 1), ratio (3/4, 4/3), bicubic, on bytes: [3 h w]. */
function randomResizedCrop(pixels: Pixels, [height, width]: ClipSize, random: Random): Image {
  const { image } = pixelsToPlanes(pixels)
  const place = drawWindow(image, random)
  const part = crop(image, place.top, place.left, place.height, place.width)
  return fromBytes(resizeBytes(toBytes(part), width, height))
}

function drawWindow({ width, height }: { readonly width: number; readonly height: number }, random: Random) {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * (0.9 + 0.1 * random.uniform())
    const ratio = Math.exp(Math.log(3 / 4) + Math.log(16 / 9) * random.uniform())
    const w = Math.round(Math.sqrt(area * ratio))
    const h = Math.round(Math.sqrt(area / ratio))
    if (w > width || h > height || w < 1 || h < 1) continue
    return { width: w, height: h, top: random.integer(height - h + 1), left: random.integer(width - w + 1) }
  }
  // Falls back to the largest center crop with a ratio within the bounds.
  const ratio = Math.min(Math.max(width / height, 3 / 4), 4 / 3)
  const w = Math.min(width, Math.round(height * ratio))
  const h = Math.min(height, Math.round(width / ratio))
  return { width: w, height: h, top: (height - h) >> 1, left: (width - w) >> 1 }
}

/** CLIP's input for an image, as a sample value [3 h w]. */
export function clipPlanes(image: Image, size: ClipSize): TensorData {
  return withoutBatchAxis(clipImage(image, size))
}

function withoutBatchAxis(data: TensorData): TensorData {
  return { ...data, shape: data.shape.slice(1) }
}

/** Adds `clip`, the input of a DA-CLIP with images of this size, to each sample. */
export function withClip<S extends { readonly input: Image }>(
  sample: (draw: Draw) => S,
  imageSize: ClipSize,
): (draw: Draw) => S & { readonly clip: TensorData } {
  return (draw) => {
    const values = sample(draw)
    return { ...values, clip: clipPlanes(values.input, imageSize) }
  }
}

/** Initializes a DA-CLIP from a CLIP (see `startController`), or from a DA-CLIP unchanged. */
export function fromClip(
  options: ClipOptions,
  { asPublished }: { readonly asPublished: boolean },
): (checkpoint: Weights, random: Weights) => Weights {
  return (checkpoint, random) => {
    if (checkpoint.has('visual_control.proj')) return checkpoint
    const clip = [...checkpoint].map(([key, source]) => [`clip.${key}`, source] as const)
    const controller = [...random].filter(
      ([key]) => key === 'logit_scale' || key.startsWith('visual_control.'),
    )
    const network = new DaClip(emptyInit(), options)
    loadWeights(network, new Map([...controller, ...clip]))
    startController(network, { asPublished })
    return new Map(
      [...stateDict(network)].map(([key, tensor]) => {
        const data = tensor.read()
        return [key, { shape: data.shape, floats: () => toFloat32(data) }] as const
      }),
    )
  }
}

/** Constants of {@link controllerLosses}. */
export interface ControllerConstants extends Readonly<Record<string, string>> {
  /**
   * 'wrong' as published: the equal degradation texts of two images are negatives of each other. 'right':
   * they are all positives.
   */
  readonly equalTexts: string
}

/** Contrast of content with captions and of degradations with words, over the images of all processes. */
export function controllerLosses(
  words: readonly string[],
  contextLength: number,
): (context: LossContext<DaClip, CaptionedSample, ControllerConstants>) => Readonly<Record<string, Tensor>> {
  return ({ model, batch, constants: { equalTexts } }) => {
    if (equalTexts !== 'right' && equalTexts !== 'wrong')
      throw new RestoreError('usage', `constants.equalTexts: expected right or wrong, got ${equalTexts}`)
    const labels = batch.label
    const isShared = equalTexts === 'right'
    const texts = isShared ? words : labels.map((label) => words[label]!)
    const { ids } = clipTokenizer().tokenize(texts, { contextLength })
    const onDevice = (tokens: TensorData) => toTorch(withoutPadding(tokens), deviceOf(batch.image))
    return daClipLosses(model, {
      image: batch.image,
      captions: onDevice(batch.caption.read()),
      degradations: onDevice(ids),
      labels: isShared ? gatherNumbers(labels) : undefined,
      gather: gatherRows,
    })
  }
}

/** Wraps an optimizer to clamp the logit scale to [0, ln 100] after every step. */
export function clampingLogitScale(optimizer: Optimizer, parameters: ReadonlyMap<string, Tensor>): Optimizer {
  const scale = parameters.get('logit_scale')
  return {
    ...optimizer,
    step: (rate) => {
      optimizer.step(rate)
      if (scale) scope(() => noGrad(() => assign(scale, scale.clamp(0, maxLogitScale))))
    },
  }
}

/** Whether weight decay applies to a parameter of CLIP: not to vectors or the logit scale. */
export function clipDecays(key: string, { shape }: Tensor): boolean {
  return shape.length >= 2 && !/bn|ln|bias|logit_scale/.test(key)
}

const guides = frozenNetworks({
  optionsFromWeights: daClipOptionsFromWeights,
  create: (init, options: ClipOptions) => Object.assign(new DaClip(init, options), { options }),
})

/** Opens a trained DA-CLIP; call it in `network.start`. */
export const openGuide = guides.open

/** Embeds images [b 3 h w] from `withClip` with a trained DA-CLIP, without gradients. */
export function guideEmbeddings(file: string, clip: Tensor): Embeddings {
  const network = guides.get(file, deviceOf(clip))
  const [height, width] = network.options.imageSize
  if (clip.size(2) !== height || clip.size(3) !== width)
    throw new RestoreError(
      'usage',
      `${file}: expected images of ${height} x ${width} pixels for this DA-CLIP, got ${clip.size(2)} x ${clip.size(3)}; change the size passed to withClip`,
    )
  return scope(() => noGrad(() => network.encodeImage(clip)))
}

/** Embeds an image [1 3 h w] in [0, 1] with a trained DA-CLIP, without gradients; for validation. */
export function guideEmbeddingsOfImage(file: string, image: Tensor): Embeddings {
  const device = deviceOf(image)
  const { imageSize } = guides.get(file, device).options
  const channels = image.size(1)
  const height = image.size(2)
  const width = image.size(3)
  const { bytes } = image.read()
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  return guideEmbeddings(file, toTorch(clipImage({ width, height, channels, data }, imageSize), device))
}
