// Synthetic versions of the ten degradations that DA-CLIP distinguishes, in the order of `degradationWords`,
// and a DA-CLIP trained on them with degradation words as its only texts.

import { type Grid, patchGrid } from '../../checkpoints/clipLayouts.ts'
import { int64Data, type TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { counterRandom, type Random } from '../../core/random.ts'
import type { Tensor } from '../../core/tensor.ts'
import { withoutPadding } from '../../data/clip/tokenizer.ts'
import { clipTokenizer } from '../../data/clip/vocabulary.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { cutPatch, drawPlace } from '../../data/patches.ts'
import { blur } from '../../degrade/blur.ts'
import { oneOf } from '../../degrade/chain.ts'
import type { Degrade } from '../../degrade/defineDegradation.ts'
import { haze } from '../../degrade/haze.ts'
import { holes } from '../../degrade/holes.ts'
import { jpeg } from '../../degrade/jpeg.ts'
import { lowLight, shadow } from '../../degrade/lowLight.ts'
import { noise } from '../../degrade/noise.ts'
import { rain, snow } from '../../degrade/rainAndSnow.ts'
import { raindrops } from '../../degrade/raindrops.ts'
import type { ClipOptions } from '../../models/clip/clip.ts'
import { DaClip } from '../../models/daclip/daclip.ts'
import { degradationWords } from '../../models/daclip/words.ts'
import { crossEntropy, normalized, sharedTextLoss } from '../../nn/contrastive.ts'
import type { Init } from '../../nn/init.ts'
import { Linear } from '../../nn/linear.ts'
import { mapTensors, stateDict } from '../../nn/module.ts'
import { deviceOf, toTorch } from '../../torch/backend.ts'
import type { LossContext } from '../recipe/recipe.ts'
import { kindIndex } from '../samples/kindFolders.ts'
import { cropViews, type Draw } from '../samples/samples.ts'
import { clipPlanes } from './daclip.ts'
import { dctFilters } from './dctFilters.ts'

type Word = (typeof degradationWords)[number]

/**
 * Degradation of each word. Strengths range from just visible in a photo of half a megapixel to severe:
 * weaker damage cannot be recognized.
 */
const degradations: Readonly<Record<Word, Degrade>> = {
  'motion-blurry': oneOf([
    blur({ kernel: 'line', length: [9, 24] }),
    blur({ kernel: 'shake', length: [12, 30] }),
  ]),
  hazy: haze({ density: [1.2, 3], light: [0.8, 1] }),
  'jpeg-compressed': jpeg({ quality: [5, 30] }),
  'low-light': lowLight(),
  noisy: noise({ sigma: [12, 60], clip: 'on' }),
  raindrop: raindrops({ amount: [6, 16], size: [18, 44], defocus: [0.5, 1.8] }),
  rainy: rain({ amount: [60, 150], opacity: [0.5, 0.85] }),
  shadowed: shadow({ strength: [0.75, 0.92], softness: [1, 3] }),
  snowy: snow({ amount: [40, 140], opacity: [0.75, 0.95] }),
  uncompleted: holes(),
}

/** The ten degradations, each of random strength, in the order of `degradationWords`. */
export const tenKinds: readonly Degrade[] = degradationWords.map((word) => degradations[word])

/** Applies the degradation of index `kind`, none if it is past the last, and rounds to 8 bits as files do. */
export function degradeByKind(image: Image, kind: number, random: Random): Image {
  const degrade = tenKinds[kind]
  return in8Bits(degrade ? degrade(image, random) : image)
}

/** Samples of crops degraded by one of the ten kinds, drawn uniformly. */
export function tenKindsPaired(): (draw: Draw) => { input: Image; target: Image; kind: number } {
  return (draw) => {
    const { target } = cropViews(draw)
    if (!target)
      throw new RestoreError(
        'usage',
        `tenKindsPaired: expected a view target, got ${Object.keys(draw.views)}`,
      )
    const kind = draw.random.fork(2).integer(tenKinds.length)
    return { input: degradeByKind(target, kind, draw.random.fork(1)), target, kind }
  }
}

/** Names of each kind and of a clean photo, comma-separated; DA-CLIP's own word first. */
const names: Readonly<Record<Word | 'clean', string>> = {
  'motion-blurry':
    'motion-blurry, motion blur, blurry, blurred, blur, camera shake, shaky, out of focus, unsharp',
  hazy: 'hazy, haze, fog, foggy, mist, misty, smog, smoke',
  'jpeg-compressed':
    'jpeg-compressed, jpeg, jpeg compression, jpeg artifacts, compressed, compression artifacts, blocky, blocking',
  'low-light': 'low-light, low light, dark, underexposed, too dark, dim, night, badly lit',
  noisy: 'noisy, noise, grainy, grain, gaussian noise, sensor noise, high iso',
  raindrop: 'raindrop, raindrops, water drops, drops on the lens, droplets, wet lens, wet window',
  rainy: 'rainy, rain, raining, rain streaks, heavy rain, downpour',
  shadowed: 'shadowed, shadow, shadows, in shadow, shade, cast shadow',
  snowy: 'snowy, snow, snowing, snowfall, snowflakes, falling snow',
  uncompleted:
    'uncompleted, incomplete, inpainting, holes, missing parts, masked, scribbled over, covered by text',
  clean: 'clean, sharp, undamaged, good, high quality, no degradation, pristine, clear',
}

const synonyms = Object.values(names).map((list) => list.split(', '))
const templates = ['%', '%', '%', 'a % photo', 'a photo with %', 'a % picture', 'photo, %', 'the image is %']

/**
 * Draws a text for each kind and for a clean photo: DA-CLIP's own word with probability 1/2, else a random
 * name in a random phrase.
 */
export function drawTexts(random: Random): readonly string[] {
  return synonyms.map((list) => {
    if (random.uniform() < 0.5) return list[0]!
    const template = templates[random.integer(templates.length)]!
    return template.replace('%', list[random.integer(list.length)]!)
  })
}

/** A sample for a detector. */
export type DetectorSample = {
  /** CLIP's input [3 s s]. */
  readonly image: TensorData
  /** Index of the kind; a clean photo comes after the last. */
  readonly kind: number
  /** Kind of every patch [n], int64; clean where the damage does not reach. */
  readonly patches: TensorData
}

/** Mean absolute difference above which a patch counts as damaged. */
const visibleDifference = 2 / 255

/**
 * Samples for a detector from pairs in folders <kind>/LQ and <kind>/GT: the largest square that fits, resized
 * for CLIP. One in eleven is clean.
 */
export function detectorSamples({
  imageSize,
  patch,
}: Pick<ClipOptions, 'imageSize' | 'patch'>): (draw: Draw) => DetectorSample {
  return ({ name, views: { input, target }, random, data: { images } }) => {
    if (!input || !target)
      throw new RestoreError(
        'usage',
        'detectorSamples: expected views input and target; open the images with pairFolders',
      )
    const pairKind = kindIndex(name, degradationWords)
    const isClean = random.integer(tenKinds.length + 1) === tenKinds.length
    const kind = isClean ? tenKinds.length : pairKind
    const sidePx = Math.min(target.width, target.height)
    // Only mirrors, never rotates: rain and shadows have a natural direction.
    const mode = random.integer(2) === 0 ? 0 : 5
    const place = { ...drawPlace(target, sidePx, random, { isUpright: true }), mode } as const
    const clean = cutPatch(target, place, images.channels)
    const image = isClean ? clean : cutPatch(input, place, images.channels)
    const patches = changedCells(image, clean, patchGrid({ imageSize, patch })).map((isChanged) =>
      isChanged ? kind : tenKinds.length,
    )
    return { image: clipPlanes(image, imageSize), kind, patches: int64Data(patches, [patches.length]) }
  }
}

/** Whether two square images visibly differ, for each cell of a grid, row by row. */
function changedCells(a: Image, b: Image, [rows, columns]: Grid): readonly boolean[] {
  const { width: side, channels } = a
  const sums = new Float64Array(rows * columns)
  const sizes = new Float64Array(rows * columns)
  const cellOf = (count: number) =>
    Int32Array.from({ length: side }, (_, i) => Math.floor((i * count) / side))
  const [rowOf, columnOf] = [cellOf(rows), cellOf(columns)]
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < side; y++) {
      const pixelRow = (c * side + y) * side
      const cellRow = rowOf[y]! * columns
      for (let x = 0; x < side; x++) {
        const cell = cellRow + columnOf[x]!
        sums[cell]! += Math.abs(a.data[pixelRow + x]! - b.data[pixelRow + x]!)
        sizes[cell]!++
      }
    }
  }
  return Array.from(sums, (sum, i) => sum > visibleDifference * sizes[i]!)
}

/**
 * DA-CLIP trained without captions. Its content encoder is not trained and all zeros, so content embeddings
 * are zero too. The text tower learns the words above; the embeddings of all other tokens stay zero, which
 * identifies unknown words.
 */
export class DetectorDaClip extends DaClip {
  /** Training only: classifies every patch, which localizes damage long before the global loss does. */
  patches: Linear

  constructor(init: Init, options: ClipOptions) {
    super(init, options)
    this.patches = new Linear(init, options.visionWidth, tenKinds.length + 1, { bias: true })
    const [first] = this.visual_control.stem
    if (first) first.weight = dctFilters(init, first.weight)
    mapTensors(this.clip.visual, ({ shape }) => init.weight(shape as number[], { constant: 0 }))
    this.clip.token_embedding.weight = init.buffer(
      [options.vocabulary, options.textWidth],
      initialTokenEmbedding(options),
    )
    for (const [key, tensor] of stateDict(this))
      tensor.isTrainable = !/^visual\.|^clip\.visual\.|zero_modules/.test(key)
  }

  /** Whether a key is published; the others are only for training, or alias clip.visual.*. */
  static publishes(key: string): boolean {
    return !/^(visual|patches)\./.test(key)
  }
}

/** Rows [vocabulary textWidth]: random for the tokens that `drawTexts` can produce, zeros elsewhere. */
function initialTokenEmbedding({ vocabulary, textWidth }: ClipOptions): number[] {
  const random = counterRandom(0)
  const rows = new Array<number>(vocabulary * textWidth).fill(0)
  for (const id of knownTokens())
    for (let i = 0; i < textWidth; i++) rows[id * textWidth + i] = 0.02 * random.normal()
  return rows
}

function knownTokens(): ReadonlySet<number> {
  const { encode, startId, endId } = clipTokenizer()
  const texts = templates.flatMap((template) => synonyms.flat().map((name) => template.replace('%', name)))
  // 0 is the padding.
  return new Set([0, startId, endId, ...texts.flatMap((text) => encode(text))])
}

/** Contrastive loss between degradation embeddings and words, and cross-entropy of the patches' kinds. */
export function detectorLosses(
  contextLength: number,
): (context: LossContext<DetectorDaClip, DetectorSample>) => Readonly<Record<string, Tensor>> {
  return ({ model, batch, random }) => {
    const { ids } = clipTokenizer().tokenize(drawTexts(random), { contextLength })
    const texts = model.clip.encodeText(toTorch(withoutPadding(ids), deviceOf(batch.image)))
    const { degradation, tokens } = model.visual_control.forward(batch.image, () => {})
    const options = { labels: batch.kind, scale: model.logit_scale.exp() }
    const patchLogits = model.patches.forward(tokens.slice(1, 1, tokens.size(1)))
    return {
      degradation: sharedTextLoss(normalized(degradation), normalized(texts), options),
      patches: crossEntropy(patchLogits, batch.patches),
    }
  }
}
