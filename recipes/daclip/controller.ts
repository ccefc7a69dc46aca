// DA-CLIP's controller beside a frozen CLIP: what pictures show in spite of their damage, and what damage it is.
//
//   limpid train recipes/daclip/controller.ts --data universal --set network.weights=open_clip_model.safetensors
//
// Data: daclip_train.csv in that folder: a header, then lines of the path of a degraded picture, a tab, and '<caption>: <degradation>';
// the authors' captions are BLIP's of the clean pictures. CLIP: laion/CLIP-ViT-B-32-laion2B-s34B-b79K.
// Hardware: one A100 with these numbers, or 4, a process on each (`--set accumulate=4`), with a rate of 3e-5 and a `total` of 50 epochs of
// 4 · 784 pictures, both changed in this file; hours not stated. Expected: the contrast of degradations stays near ln(784 / 10) = 4.4, as
// equal texts count as wrong (issue 34 of Algolzw/daclip-uir); `--set constants.equalTexts=right` takes that away. What counts is how often `limpid detect` is right.

import {
  adamW,
  captioned,
  captionedImages,
  clampingLogitScale,
  clipDecays,
  clipDefaults,
  controllerLosses,
  cosine,
  DaClip,
  defineRecipe,
  degradationWords,
  fromClip,
  warmup,
} from 'limpid/train'

const batch = 784
/** Of the 52,800 pictures of the ten sets. */
const epoch = Math.floor(52_800 / batch)
const total = 30 * epoch
const options = clipDefaults
const { imageSide: side, contextLength } = options

export const recipe = defineRecipe({
  name: 'daclip-controller',
  card: { title: 'DA-CLIP, ViT-B/32', task: 'universal', license: 'mit' },
  network: {
    model: 'daclip',
    options,
    create: (init, options) => new DaClip(init, options),
    weights: 'weights/open_clip_model.safetensors',
    adapt: fromClip(options, { asPublished: true }),
  },
  data: {
    images: captionedImages('data/universal', 'daclip_train.csv'),
    phases: [{ steps: total, crop: side, batch }],
    sample: captioned(degradationWords, { side, contextLength }),
  },
  constants: { equalTexts: 'wrong' },
  loss: controllerLosses(degradationWords, contextLength),
  optimizer: (parameters) =>
    clampingLogitScale(
      adamW(parameters, { betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.05, decays: clipDecays }),
      parameters,
    ),
  learningRate: warmup(100, cosine(2e-5, 0, total)),
  precision: 'bfloat16',
  steps: total,
  seed: 0,
  saveEvery: epoch,
  logEvery: 10,
})
