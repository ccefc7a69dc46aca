// How DA-CLIP is trained and used in training (arXiv:2310.01018 §3; Algolzw/daclip-uir@c2cc141): a controller beside a frozen CLIP by
// two contrasts, then a U-Net that is told what the frozen DA-CLIP sees.

import { join } from 'node:path'
import { toFloat32 } from '../../checkpoints/convert.ts'
import type { TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import { clipImage, fromBytes, resizeBytes, toBytes } from '../../data/clip/clipImage.ts'
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
import { frozen } from './frozenNetworks.ts'

/** Pictures of a caption file below a root. */
export function captionedImages(root: string, file: string): Images {
  if (isCaptionFile(file)) return { root, views: { target: file }, match: 'order', channels: 3, scale: 1 }
  throw new RestoreError('usage', `captionedImages: expected a file *.csv or *.tsv, got ${file}`)
}

export type CaptionedSample = {
  /** [3 s s], as CLIP takes it. */
  readonly image: TensorData
  /** Token ids of the caption. */
  readonly caption: TensorData
  /** Place of its degradation among the words. */
  readonly label: number
}

/** Samples of a caption file: most of each picture (0.9 to all of its area, of sides up to 3:4), with its tokens and degradation. */
export function captioned(
  words: readonly string[],
  { side, contextLength }: { readonly side: number; readonly contextLength: number },
): (draw: Draw) => CaptionedSample {
  const files = new Map<string, readonly CaptionLine[]>()
  return ({ index, views, data: { images }, random }) => {
    const file = join(images.root, images.views.target)
    const lines = files.get(file) ?? readCaptions(file)
    files.set(file, lines)
    const { caption, degradation, line } = lines[index] as CaptionLine
    const label = words.indexOf(degradation)
    if (label < 0) {
      throw new RestoreError(
        'input',
        `${file}:${line}: expected a degradation among ${words.join(', ')}, got '${degradation}'`,
      )
    }
    return {
      image: clipPlanes(randomResizedCrop(views.target as Pixels, side, random), side),
      caption: row(clipTokenizer().tokenize([caption], { contextLength }).ids),
      label,
    }
  }
}

/** torchvision's RandomResizedCrop(scale (0.9, 1), ratio (3/4, 4/3), bicubic) on bytes: [3 side side]. */
function randomResizedCrop(pixels: Pixels, side: number, random: Random): Image {
  const { image } = pixelsToPlanes(pixels)
  const place = drawWindow(image, random)
  const part = crop(image, place.top, place.left, place.height, place.width)
  return fromBytes(resizeBytes(toBytes(part), side, side))
}

function drawWindow({ width, height }: { readonly width: number; readonly height: number }, random: Random) {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * (0.9 + 0.1 * random.uniform())
    const ratio = Math.exp(Math.log(3 / 4) + Math.log(16 / 9) * random.uniform())
    const [w, h] = [Math.round(Math.sqrt(area * ratio)), Math.round(Math.sqrt(area / ratio))]
    if (w > width || h > height || w < 1 || h < 1) continue
    return { width: w, height: h, top: random.integer(height - h + 1), left: random.integer(width - w + 1) }
  }
  // The middle, of a ratio within the bounds.
  const ratio = Math.min(Math.max(width / height, 3 / 4), 4 / 3)
  const w = Math.min(width, Math.round(height * ratio))
  const h = Math.min(height, Math.round(width / ratio))
  return { width: w, height: h, top: (height - h) >> 1, left: (width - w) >> 1 }
}

/** What a CLIP of this side takes for an image, as a value of a sample: [3 side side]. */
export function clipPlanes(image: Image, side: number): TensorData {
  return row(clipImage(image, side))
}

/** The only one of a batch. */
function row(data: TensorData): TensorData {
  return { ...data, shape: data.shape.slice(1) }
}

/** A sample with what a DA-CLIP of this side sees of its input. */
export function withClip<S extends { readonly input: Image }>(
  sample: (draw: Draw) => S,
  side: number,
): (draw: Draw) => S & { readonly clip: TensorData } {
  return (draw) => {
    const made = sample(draw)
    return { ...made, clip: clipPlanes(made.input, side) }
  }
}

/** Starts a DA-CLIP from a CLIP, or goes on with a DA-CLIP; see `startController`. */
export function fromClip(
  options: ClipOptions,
  { asPublished }: { readonly asPublished: boolean },
): (checkpoint: Weights, random: Weights) => Weights {
  return (checkpoint, random) => {
    if (checkpoint.has('visual_control.proj')) return checkpoint
    const inner = [...checkpoint].map(([key, source]) => [`clip.${key}`, source] as const)
    const own = [...random].filter(([key]) => key === 'logit_scale' || key.startsWith('visual_control.'))
    const network = new DaClip(emptyInit(), options)
    loadWeights(network, new Map([...own, ...inner]))
    startController(network, { asPublished })
    return new Map(
      [...stateDict(network)].map(([key, tensor]) => {
        const data = tensor.read()
        return [key, { shape: data.shape, floats: () => toFloat32(data) }] as const
      }),
    )
  }
}

export interface ControllerConstants extends Readonly<Record<string, string>> {
  /** 'wrong' as published: pictures of one degradation count as wrong for one another's text; 'right' for all alike. */
  readonly equalTexts: string
}

/** The contrast of content and captions, and that of degradations and words, over the pictures of all processes. */
export function controllerLosses(
  words: readonly string[],
  contextLength: number,
): (context: LossContext<DaClip, CaptionedSample, ControllerConstants>) => Readonly<Record<string, Tensor>> {
  return ({ model, batch, constants: { equalTexts } }) => {
    if (equalTexts !== 'right' && equalTexts !== 'wrong')
      throw new RestoreError('usage', `constants.equalTexts: expected right or wrong, got ${equalTexts}`)
    const labels = batch.label
    const isShared = equalTexts === 'right'
    const texts = isShared ? words : labels.map((label) => words[label] as string)
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

/** An optimizer that keeps the logit scale within [0, ln 100] after every step. */
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

/** Which parameters of a CLIP weight decay shrinks: neither vectors nor the logit scale. */
export function clipDecays(key: string, { shape }: Tensor): boolean {
  return shape.length >= 2 && !/bn|ln|bias|logit_scale/.test(key)
}

const guides = frozen({
  optionsFromWeights: daClipOptionsFromWeights,
  create: (init, options: ClipOptions) => Object.assign(new DaClip(init, options), { options }),
})

/** Opens a trained DA-CLIP; for `network.start`. */
export const openGuide = guides.open

/** What a trained DA-CLIP sees in pictures [b 3 s s] as `withClip` makes them, without gradients. */
export function guideEmbeddings(file: string, clip: Tensor): Embeddings {
  const network = guides.get(file, deviceOf(clip))
  const [side, wanted] = [clip.size(3), network.options.imageSide]
  if (side !== wanted)
    throw new RestoreError(
      'usage',
      `${file}: expected the recipe to make pictures of ${wanted} pixels for this DA-CLIP, got ${side}`,
    )
  return scope(() => noGrad(() => network.encodeImage(clip)))
}

/** The same for an image [1 3 h w] in [0, 1]; for validation. */
export function guideImage(file: string, image: Tensor): Embeddings {
  const device = deviceOf(image)
  const { imageSide } = guides.get(file, device).options
  const [channels, height, width] = [image.size(1), image.size(2), image.size(3)]
  const { bytes } = image.read()
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  return guideEmbeddings(file, toTorch(clipImage({ width, height, channels, data }, imageSide), device))
}
