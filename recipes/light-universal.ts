// light-universal: the light network in IR-SDE for ten kinds of degradation, conditioned on light-detect's
// embeddings and initialized from light-photo.
//
//   limpid degrade PHOTOS -o photos-half --with resize:scale=0.5
//   limpid train recipes/light-universal.ts --data photos-half --set validate.images.root=CBSD68 \
//     --out runs/light-universal
//
// 234 free photos of 1 to 2.5 megapixels, halved as for light-detect and degraded by Limpid itself; 2 CPU
// cores: about 1 s per step, an hour.
// Results: weights/README.md.

import {
  adamW,
  cosine,
  croppedTo,
  defineRecipe,
  degradeByKind,
  emaDecay,
  folder,
  LightDiffusion,
  lightDiffusionDefaults,
  restoringSde,
  tenKinds,
  tenKindsPaired,
  warmup,
  withClip,
} from 'limpid/train'
import { guided, startGuide } from './daclip/shared.ts'

const steps = 4000
// The degradations change pixels by about 40 (of 255).
const dataSigma = 40
const { card, loss, restore } = guided({
  ...restoringSde,
  // Published networks use 50; a short training learns to separate noise of 10 from the image.
  maxSigma: 10,
  dataSigma,
  sampleSteps: 2,
  sampleTimes: 'matched',
})

export const recipe = defineRecipe({
  name: 'light-universal',
  card: { ...card('Light, ten degradations'), license: 'apache' },
  network: {
    model: 'light-diffusion',
    options: lightDiffusionDefaults,
    create: (init, options) => new LightDiffusion(init, options),
    weights: 'weights/light-photo.safetensors',
    // The output is what light-photo adds to its input, up to a factor.
    adapt: (lightPhoto, random) =>
      new Map([
        ...random,
        ...[...lightPhoto].map(([key, { shape, floats }]) => {
          const scale = key.startsWith('ending.') ? 255 / dataSigma : 1
          return [`trunk.${key}`, { shape, floats: () => floats().map((value) => scale * value) }] as const
        }),
      ]),
    start: startGuide,
  },
  data: {
    images: folder('data/photos'),
    // The guide gets the full crop, at the size it was trained on; the network restores a part of it.
    phases: [{ steps, crop: 224, batch: 5 }],
    sample: croppedTo(withClip(tenKindsPaired(), [224, 224]), 96),
  },
  constants: { guide: 'weights/light-detect.safetensors' },
  loss,
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(200, cosine(1e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 1,
  validate: {
    every: 1000,
    images: folder('data/few-photos'),
    degrade: (image, random) => degradeByKind(image, random.integer(tenKinds.length), random),
    crop: 224,
    restore,
    metrics: ['psnr'],
  },
  saveEvery: 250,
  logEvery: 50,
})
