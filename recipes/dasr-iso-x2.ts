// DASR ×2, noise-free pictures blurred by isotropic Gaussians of any width from 0.2 to 2.
//
//   limpid train recipes/dasr-iso-x2.ts --data DF2K/HR --set validate.images.root=Set5
//
// Data: DIV2K (800) and Flickr2K (2650). The paper's hardware: 2 GPUs, below 1 GB on each; hours not stated.
// Expected, paper Table 2, widths 0/0.6/1.2/1.8: Set5 37.87/37.47/37.19/35.43, Set14 33.34/32.96/32.78/31.60 dB
// (`limpid eval --protocol dasr-iso-x2`).

import {
  adam,
  Dasr,
  dasrDefaults,
  dasrLosses,
  defineRecipe,
  folder,
  isForContrastAlone,
  sequence,
  srmd,
  startContrast,
  steps,
  twoViews,
  withContrast,
} from 'limpid/train'

const scale = 2
const options = { ...dasrDefaults, scale, queueSize: 8192 }
// The authors count 9 × 3450 pictures in batches of 32 as an epoch.
const epoch = 970
const encoderSteps = 100 * epoch
const total = 600 * epoch

export const recipe = defineRecipe({
  name: 'dasr-iso-x2',
  card: { title: 'DASR ×2, unknown isotropic blur', task: 'super-resolution', license: 'mit' },
  network: {
    model: 'dasr',
    options,
    create: (init, options) => new Dasr(init, options),
    // From a published file: --set network.weights=model_600.pt
    adapt: withContrast,
    start: ({ E }) => startContrast(E),
    published: { holds: (key) => !isForContrastAlone(key), options: { ...options, queueSize: 0 } },
  },
  data: {
    images: folder('data/DF2K/HR', { scale }),
    phases: [{ steps: total, crop: 48, batch: 32 }],
    sample: twoViews({ kernel: 'iso', sigma: [0.2, 2] }),
  },
  constants: { encoderSteps },
  loss: dasrLosses,
  optimizer: (parameters) => adam(parameters),
  learningRate: sequence([
    [encoderSteps, steps(1e-3, [59 * epoch], 0.1)],
    [total - encoderSteps, steps(1e-4, [124 * epoch, 249 * epoch, 374 * epoch, 499 * epoch], 0.5)],
  ]),
  steps: total,
  seed: 1,
  validate: {
    every: 10 * epoch,
    images: folder('data/Set5', { scale }),
    degrade: srmd({ kernel: 'iso', sigma: 1.2, scale }),
    restore: (model, input) => model.restore(input, model.encode(input)),
    metrics: ['psnr-y-diff'],
  },
  saveEvery: epoch,
  logEvery: 100,
})
