// The ten degradations that DA-CLIP tells apart, as Limpid draws them on clean photos, in the order of `degradationWords`; and the
// words by which people call them, for a text tower that is trained on no other texts.

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
import { localWaves } from './dctFilters.ts'

type Word = (typeof degradationWords)[number]

/** From what the eye just sees in a photo of half a megapixel to what spoils it: weaker damage has no name to be learned. */
const damage: Readonly<Record<Word, Degrade>> = {
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

/** The ten kinds, each of varied strength, in the order of `degradationWords`. */
export const tenKinds: readonly Degrade[] = degradationWords.map((word) => damage[word])

/** An image with a kind of damage, or none after the last, rounded to 8 bits as files are. */
export function damaged(image: Image, kind: number, random: Random): Image {
  const degrade = tenKinds[kind]
  return in8Bits(degrade ? degrade(image, random) : image)
}

/** Crops with one of the ten kinds, each as likely. */
export function tenKindsPaired(): (draw: Draw) => { input: Image; target: Image; kind: number } {
  return (draw) => {
    const { target } = cropViews(draw)
    if (!target)
      throw new RestoreError('usage', `tenKinds: expected a view target, got ${Object.keys(draw.views)}`)
    const kind = draw.random.fork(2).integer(tenKinds.length)
    return { input: damaged(target, kind, draw.random.fork(1)), target, kind }
  }
}

/** What each kind is called, and a photo without any: the word of DA-CLIP first. */
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

/** A text for each kind and for a clean photo: DA-CLIP's own word every other time, else another, in a phrase or not. */
export function drawTexts(random: Random): readonly string[] {
  return synonyms.map((list) => {
    if (random.uniform() < 0.5) return list[0] as string
    const template = templates[random.integer(templates.length)] as string
    return template.replace('%', list[random.integer(list.length)] as string)
  })
}

export type DetectSample = {
  /** [3 s s], as CLIP takes it. */
  readonly image: TensorData
  /** Place of its kind; that of a clean photo comes last. */
  readonly kind: number
  /** The same for every patch [n], int64: clean where no damage fell. */
  readonly patches: TensorData
}

/** Mean difference of a patch from which on damage counts. */
const visible = 2 / 255

/**
 * Squares of pairs in folders <kind>/LQ and <kind>/GT, as large as they have, and as a CLIP sees them; one in eleven is a clean one.
 */
export function kindsSeen({
  imageSide,
  patch,
}: Pick<ClipOptions, 'imageSide' | 'patch'>): (draw: Draw) => DetectSample {
  return ({ name, views: { input, target }, random, data: { images } }) => {
    if (!input || !target)
      throw new RestoreError('usage', 'kindsSeen: expected views input and target; take pairFolders')
    const ofPair = kindIndex(name, degradationWords)
    const isClean = random.integer(tenKinds.length + 1) === tenKinds.length
    const kind = isClean ? tenKinds.length : ofPair
    const sidePx = Math.min(target.width, target.height)
    // Mirrored every other time: rain falls, and shadows lie, as they do.
    const mode = random.integer(2) === 0 ? 0 : 5
    const place = { ...drawPlace(target, sidePx, random, { isUpright: true }), mode } as const
    const clean = cutPatch(target, place, images.channels)
    const seen = isClean ? clean : cutPatch(input, place, images.channels)
    const patches = changedCells(seen, clean, Math.floor(imageSide / patch)).map((isChanged) =>
      isChanged ? kind : tenKinds.length,
    )
    return { image: clipPlanes(seen, imageSide), kind, patches: int64Data(patches, [patches.length]) }
  }
}

/** Whether two square pictures differ, for each of `count` · `count` cells, row by row. */
function changedCells(a: Image, b: Image, count: number): readonly boolean[] {
  const { width: side, channels } = a
  const [sums, sizes] = [new Float64Array(count * count), new Float64Array(count * count)]
  const cells = Int32Array.from({ length: side }, (_, i) => Math.floor((i * count) / side))
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < side; y++) {
      const [row, line] = [(c * side + y) * side, (cells[y] as number) * count]
      for (let x = 0; x < side; x++) {
        const at = line + (cells[x] as number)
        const difference = Math.abs((a.data[row + x] as number) - (b.data[row + x] as number))
        sums[at] = (sums[at] as number) + difference
        sizes[at] = (sizes[at] as number) + 1
      }
    }
  }
  return Array.from(sums, (sum, i) => sum > visible * (sizes[i] as number))
}

/**
 * A DA-CLIP without captions: what pictures show is not learned, and its encoder is all zeros, and so are its embeddings of content.
 * The text tower learns the words above; those of the vocabulary that it never sees are zeros too, by which they can be told.
 */
export class WordsDaClip extends DaClip {
  /** For training alone: the kind of every patch, which tells where to look long before the whole picture's does. */
  patches: Linear

  constructor(init: Init, options: ClipOptions) {
    super(init, options)
    this.patches = new Linear(init, options.visionWidth, tenKinds.length + 1, { bias: true })
    const [first] = this.visual_control.stem
    if (first) first.weight = localWaves(init, first.weight)
    mapTensors(this.clip.visual, ({ shape }) => init.weight(shape as number[], { constant: 0 }))
    this.clip.token_embedding.weight = init.buffer(
      [options.vocabulary, options.textWidth],
      knownRows(options),
    )
    for (const [key, tensor] of stateDict(this))
      tensor.isTrainable = !/^visual\.|^clip\.visual\.|zero_modules/.test(key)
  }

  /** Whether a key is of the published network: the rest serves training, or is clip.visual.* once more. */
  static publishes(key: string): boolean {
    return !/^(visual|patches)\./.test(key)
  }
}

/** Rows of the tokens of all texts that `drawTexts` may give, by chance as CLIP starts; zeros elsewhere. */
function knownRows({ vocabulary, textWidth }: ClipOptions): number[] {
  const random = counterRandom(0)
  const rows = new Array<number>(vocabulary * textWidth).fill(0)
  for (const id of knownTokens())
    for (let i = 0; i < textWidth; i++) rows[id * textWidth + i] = 0.02 * random.normal()
  return rows
}

function knownTokens(): ReadonlySet<number> {
  const { encode, startId, endId } = clipTokenizer()
  const texts = templates.flatMap((template) => synonyms.flat().map((name) => template.replace('%', name)))
  // 0 fills the rest of a row.
  return new Set([0, startId, endId, ...texts.flatMap((text) => encode(text))])
}

/** The contrast of degradations and words, and the cross entropy of the patches' kinds. */
export function wordsLoss(
  contextLength: number,
): (context: LossContext<WordsDaClip, DetectSample>) => Readonly<Record<string, Tensor>> {
  return ({ model, batch, random }) => {
    const { ids } = clipTokenizer().tokenize(drawTexts(random), { contextLength })
    const texts = model.clip.encodeText(toTorch(withoutPadding(ids), deviceOf(batch.image)))
    const { degradation, tokens } = model.visual_control.forward(batch.image, () => {})
    const choice = { labels: batch.kind, scale: model.logit_scale.exp() }
    const kinds = model.patches.forward(tokens.slice(1, 1, tokens.size(1)))
    return {
      degradation: sharedTextLoss(normalized(degradation), normalized(texts), choice),
      patches: crossEntropy(kinds, batch.patches),
    }
  }
}
