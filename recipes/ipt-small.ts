// A small IPT for six tasks, trained by the authors' method: SR ×2, ×3 and ×4, rain, noise of sigma 30 and 50
// (of 255).
//
//   limpid train recipes/ipt-small.ts --data PHOTOS --set validate.images.root=CBSD68 --out runs/ipt-small
//
// 234 free photos of 1 to 2.5 megapixels; 2 CPU cores, 1.4 hours.
// Results: docs/train.md.

import {
  adam,
  cosine,
  defineRecipe,
  folder,
  Ipt,
  inWindows,
  iptDefaults,
  iptLosses,
  iptPretraining,
  noise,
  oneTaskPerBatch,
  warmup,
} from 'limpid/train'

const patchSize = 24
const steps = 10_000
const noise50 = Object.keys(iptPretraining).indexOf('denoise-50')

export const recipe = defineRecipe({
  name: 'ipt-small',
  card: { title: 'Small IPT, six tasks', task: 'multiple', license: 'apache' },
  network: {
    model: 'ipt',
    options: { ...iptDefaults, patchSize, channels: 16, layers: 4, hidden: 288 },
    create: (init, options) => new Ipt(init, options),
    multipleOf: patchSize,
  },
  data: {
    images: folder('data/photos'),
    phases: [{ steps, crop: patchSize, batch: 16 }],
    sample: oneTaskPerBatch(Object.values(iptPretraining)),
  },
  // `--set constants.lambda=0` disables the contrast; `--set constants.contrast=paper` selects the paper's
  // form.
  constants: { lambda: 0.1, contrast: 'released', tokens: 16 },
  loss: iptLosses,
  optimizer: (parameters) => adam(parameters),
  learningRate: warmup(200, cosine(1e-3, 1e-6, steps)),
  maxGradNormEach: 1,
  steps,
  seed: 1,
  validate: {
    every: 2000,
    images: folder('data/CBSD68'),
    degrade: noise({ sigma: 50, clip: 'on' }),
    crop: 10 * patchSize,
    restore: (model, input) => inWindows(model, input, noise50),
    metrics: ['psnr-y-diff'],
  },
  saveEvery: 500,
  logEvery: 50,
})
