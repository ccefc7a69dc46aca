// light-detect: a small DA-CLIP that recognizes ten kinds of degradation, and clean photos, by name.
//
// In a checkout of the repository, where scripts/ makes the pairs:
//
//   limpid degrade PHOTOS -o photos-half --with resize:scale=0.5
//   npx tsx scripts/kindPairs.ts photos-half kinds
//   limpid train recipes/light-detect.ts --data kinds --out runs/light-detect
//
// Data: squares of 200 to 440 pixels from 234 free photos, degraded by Limpid itself. The photos are halved
// first, because CLIP's 224-pixel input shows little detail of larger ones. Your own pairs in folders
// <kind>/LQ and <kind>/GT work too. 2 CPU cores: 2.5 hours.
// Expected: 96.6 % correct on CBSD68 with each kind of degradation. There are no captions: the text tower
// learns the names of the degradations and their synonyms, and nothing about image content.

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
  imageSize: [224, 224] as const,
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
    phases: [{ steps, crop: options.imageSize[0], batch: 32 }],
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
