// A light DASR ×2 (2 MB as float16) for images blurred by isotropic Gaussians of any width from 0.2 to 2.
//
//   limpid degrade PHOTOS -o photos-half --with resize:scale=0.5
//   limpid train recipes/dasr/light-x2.ts --data photos-half --set validate.images.root=Set5 \
//     --out runs/dasr-light-x2
//
// 234 free photos of 1 to 2.5 megapixels, halved because few are sharp at full size; 2 CPU cores, 3 hours.
// Results: weights/README.md.

import {
  adam,
  blurredView,
  cosine,
  type DasrOptions,
  dasrWithDctFilters,
  defineRecipe,
  folder,
  rankedDasrLosses,
  sequence,
  srmd,
  warmup,
} from 'limpid/train'

const scale = 2
const options: DasrOptions = {
  scale,
  groups: 2,
  blocks: 3,
  channels: 48,
  reduction: 8,
  encoderChannels: [32, 64, 128],
  queueSize: 0,
}
const encoderSteps = 1500
const total = 8000

export const recipe = defineRecipe({
  name: 'dasr-light-x2',
  card: { title: 'Light DASR ×2, unknown isotropic blur', task: 'upscale', license: 'apache' },
  network: { model: 'dasr', options, create: dasrWithDctFilters },
  data: {
    images: folder('data/photos', { scale }),
    phases: [
      { steps: encoderSteps, crop: 48, batch: 32 },
      { steps: total - encoderSteps, crop: 32, batch: 16 },
    ],
    sample: blurredView({ sigma: [0.2, 2] }),
  },
  constants: { encoderSteps },
  loss: rankedDasrLosses,
  optimizer: (parameters) => adam(parameters),
  learningRate: sequence([
    [encoderSteps, cosine(1e-3, 2e-4, encoderSteps)],
    [total - encoderSteps, warmup(200, cosine(1e-3, 1e-6, total - encoderSteps))],
  ]),
  // The predicted kernels may diverge early on.
  maxGradNorm: 50,
  steps: total,
  seed: 1,
  validate: {
    every: 1000,
    images: folder('data/Set5', { scale }),
    degrade: srmd({ kernel: 'iso', sigma: 1.2, scale }),
    crop: 128,
    restore: (model, input) => model.restore(input, model.encode(input)),
    metrics: ['psnr-y-diff'],
  },
  saveEvery: 500,
  logEvery: 50,
})
