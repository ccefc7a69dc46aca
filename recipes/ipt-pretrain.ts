// IPT's pre-training: six tasks on degraded ImageNet, one per batch, with a contrastive loss between tokens
// of images.
//
//   limpid train recipes/ipt-pretrain.ts --data ImageNet --set validate.images.root=CBSD68
//
// Data: ImageNet (1.28 million images); the released training uses both train and val.
// Hardware: 32 V100 (paper), hours not stated. 1.5 million steps of 256 windows at 3 × 33 G multiplications
// are 3.8·10¹⁹ multiplications. On one GPU: `--set accumulate=8 --set
// 'data.phases=[{"steps":1500000,"crop":48,"batch":32}]'`.
// Expected after recipes/ipt-finetune.ts, paper Table 1: Set5 ×2 38.37 dB; by λ (`--set constants.lambda=…`):
// 0 38.27, 0.05 38.32, 0.1 38.37, 0.2 38.33, 0.5 38.26.

import {
  adam,
  defineRecipe,
  folder,
  Ipt,
  inWindows,
  iptDefaults,
  iptLosses,
  iptPretraining,
  noise,
  oneTaskPerBatch,
  steps,
} from 'limpid/train'

const epoch = 5000
const noise50 = Object.keys(iptPretraining).indexOf('denoise-50')

export const recipe = defineRecipe({
  name: 'ipt-pretrain',
  card: { title: 'IPT, six tasks', task: 'multiple', license: 'apache' },
  network: {
    model: 'ipt',
    options: iptDefaults,
    create: (init, options) => new Ipt(init, options),
    multipleOf: iptDefaults.patchSize,
  },
  data: {
    images: folder('data/ImageNet'),
    phases: [{ steps: 300 * epoch, crop: iptDefaults.patchSize, batch: 256 }],
    // Images smaller than a crop are mirrored; the release enlarges them.
    sample: oneTaskPerBatch(Object.values(iptPretraining)),
  },
  // For the release's form: `--set constants.contrast=released`. Its newer version also clips: `--set
  // maxGradNormEach=1`.
  constants: { lambda: 0.1, contrast: 'paper', tokens: 16 },
  loss: iptLosses,
  optimizer: (parameters) => adam(parameters),
  learningRate: steps(5e-5, [200 * epoch], 0.4),
  steps: 300 * epoch,
  seed: 0,
  validate: {
    every: epoch,
    images: folder('data/CBSD68'),
    degrade: noise({ sigma: 50, clip: 'on' }),
    crop: 5 * iptDefaults.patchSize,
    restore: (model, input) => inWindows(model, input, noise50),
    metrics: ['psnr-y-diff'],
  },
  saveEvery: 1000,
  logEvery: 100,
})
