// light-detect: a small DA-CLIP that tells ten kinds of damage apart, and an undamaged photo, by their names.
//
// In a checkout of the repository, whose scripts/ make the pairs:
//
//   limpid degrade PHOTOS -o photos-half --with resize:scale=0.5
//   npx tsx scripts/kindPairs.ts photos-half kinds
//   limpid train recipes/light-detect.ts --data kinds --out runs/light-detect
//
// Squares of 200 to 440 pixels of 234 free photos, at half their size as a CLIP sees little of more, damaged by Limpid itself; or pairs of
// your own in folders <kind>/LQ and <kind>/GT. 2 CPU cores: 2.5 hours. Expected: 96.6 % of CBSD68 with each kind of damage right. There are
// no captions for them: the text tower learns the names of the damage and other words for it, and nothing of what pictures show.

import {
  adamW,
  balancedKinds,
  clampingLogitScale,
  clipDecays,
  clipDefaults,
  cosine,
  DetectorDaClip,
  defineRecipe,
  degradationWords,
  detectorLosses,
  detectorSamples,
  emaDecay,
  pairFolders,
  warmup,
} from 'limpid/train'

const steps = 8000
const options = {
  ...clipDefaults,
  features: 128,
  imageSide: 224,
  patch: 16,
  visionWidth: 128,
  stem: [48, 96, 128],
  visionLayers: 2,
  visionHeads: 2,
  contextLength: 32,
  textWidth: 48,
  textLayers: 2,
  textHeads: 1,
}

export const recipe = defineRecipe({
  name: 'light-detect',
  card: { title: 'Light, ten degradations by their names', task: 'universal', license: 'apache' },
  network: {
    model: 'daclip',
    options,
    create: (init, options) => new DetectorDaClip(init, options),
    published: { holds: DetectorDaClip.publishes, options },
  },
  data: {
    images: pairFolders('data/kinds', { input: '*/LQ', target: '*/GT' }, { match: 'order' }),
    phases: [{ steps, crop: options.imageSide, batch: 32 }],
    sample: detectorSamples(options),
    order: balancedKinds(degradationWords),
  },
  loss: detectorLosses(options.contextLength),
  optimizer: (parameters) =>
    clampingLogitScale(
      adamW(parameters, { betas: [0.9, 0.98], weightDecay: 0.05, decays: clipDecays }),
      parameters,
    ),
  learningRate: warmup(200, cosine(1e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 1,
  saveEvery: 500,
  logEvery: 50,
})
