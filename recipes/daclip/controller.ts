// DA-CLIP's controller for a frozen CLIP: embeds the content of degraded images and their degradation.
//
//   limpid train recipes/daclip/controller.ts --data universal \
//     --set network.weights=open_clip_model.safetensors
//
// Data: daclip_train.csv in that folder: a header, then lines of the path of a degraded image, a tab, and
// '<caption>: <degradation>'. The authors captioned the clean images with BLIP. CLIP:
// laion/CLIP-ViT-B-32-laion2B-s34B-b79K.
// Hardware: one A100 with these settings. Or four A100, one process each (`--set accumulate=4`), with a
// learning rate of 3e-5 and a `total` of 50 epochs of 4 · 784 images, both changed in this file. Hours not
// stated.
// Expected: the degradation loss stays near ln(784 / 10) = 4.4, because equal texts are negatives of each
// other (Algolzw/daclip-uir issue 34); `--set constants.equalTexts=right` makes them positives. The measure
// of success is the accuracy of `limpid detect`.

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
/** Steps per epoch of the 52,800 images in the ten sets. */
const epoch = Math.floor(52_800 / batch)
const total = 30 * epoch
const options = clipDefaults

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
    phases: [{ steps: total, crop: options.imageSize[0], batch }],
    sample: captioned(degradationWords, options),
  },
  constants: { equalTexts: 'wrong' },
  loss: controllerLosses(degradationWords, options.contextLength),
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
