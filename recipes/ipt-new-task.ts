// Adapts ipt-small to a task it was not pre-trained for, JPEG artifacts: a new head, tail and query around
// the trained body.
//
//   limpid train recipes/ipt-new-task.ts --data PHOTOS --set validate.images.root=CBSD68 \
//     --set network.weights=runs/ipt-small/weights.safetensors
//
// Without network.weights it trains from scratch, for comparison. To freeze the body, uncomment `learns`. 2
// CPU cores: 15 minutes.

import {
  adam,
  cosine,
  defineRecipe,
  folder,
  Ipt,
  inWindows,
  iptDefaults,
  iptLosses,
  jpeg,
  oneTaskPerBatch,
  tasksFrom,
  warmup,
} from 'limpid/train'

const patchSize = 24
const steps = 2000

export const recipe = defineRecipe({
  name: 'ipt-new-task',
  card: { title: 'Small IPT, JPEG artifacts', task: 'jpeg', license: 'apache' },
  network: {
    model: 'ipt',
    // The options of ipt-small, with one task.
    options: {
      ...iptDefaults,
      patchSize,
      channels: 16,
      layers: 4,
      hidden: 288,
      scales: [1],
      queries: 1,
    },
    create: (init, options) => new Ipt(init, options),
    multipleOf: patchSize,
    adapt: tasksFrom(['new']),
    // learns: (key) => /^(head|tail)\.|query_embed/.test(key),
  },
  data: {
    images: folder('data/photos'),
    phases: [{ steps, crop: patchSize, batch: 16 }],
    // The slack lets 16-pixel JPEG blocks fall anywhere in a window.
    sample: oneTaskPerBatch([{ scale: 1, degrade: jpeg({ quality: [10, 40] }), slack: 15 }]),
  },
  constants: { lambda: 0, contrast: 'released', tokens: 16 },
  loss: iptLosses,
  optimizer: (parameters) => adam(parameters),
  learningRate: warmup(200, cosine(5e-4, 1e-6, steps)),
  maxGradNormEach: 1,
  steps,
  seed: 1,
  validate: {
    every: 1000,
    images: folder('data/CBSD68'),
    degrade: jpeg({ quality: 20 }),
    crop: 10 * patchSize,
    restore: (model, input) => inWindows(model, input, 0),
    metrics: ['psnr-y-diff'],
  },
  saveEvery: 500,
  logEvery: 50,
})
