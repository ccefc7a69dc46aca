// IPT fine-tuned on one of its six tasks, like its published single-task checkpoints.
//
//   limpid train recipes/ipt-finetune.ts --data DIV2K/HR --set network.weights=IPT_pretrain.pt \
//     --set validate.images.root=Set5
//
// For another task, change `task` below. To fine-tune ipt-small, set
// `network.weights=runs/ipt-small/weights.safetensors` and copy the options of that recipe.
// Hardware: the paper's 32 V100, 30 epochs at 2e-5; the release has 50 epochs of 1000 batches of 64.
// Expected, paper Table 1 for sr-x2: Set5 38.37, Set14 34.43, B100 32.48, Urban100 33.76 dB on Y.

import {
  adam,
  defineRecipe,
  folder,
  Ipt,
  inWindows,
  iptDefaults,
  iptLosses,
  iptPretraining,
  oneTaskPerBatch,
  tasksFrom,
} from 'limpid/train'

const task: keyof typeof iptPretraining = 'sr-x2'
const { scale, degrade } = iptPretraining[task]
const { patchSize } = iptDefaults
const steps = 50_000

export const recipe = defineRecipe({
  name: `ipt-${task}`,
  card: { title: `IPT, ${task}`, task, license: 'apache' },
  network: {
    model: 'ipt',
    options: { ...iptDefaults, scales: [scale], queries: 1 },
    create: (init, options) => new Ipt(init, options),
    multipleOf: patchSize,
    weights: 'IPT_pretrain.pt',
    adapt: tasksFrom([Object.keys(iptPretraining).indexOf(task)]),
  },
  data: {
    images: folder('data/DIV2K/HR', { scale }),
    phases: [{ steps, crop: patchSize, batch: 64 }],
    sample: oneTaskPerBatch([iptPretraining[task]]),
  },
  constants: { lambda: 0, contrast: 'released', tokens: 16 },
  loss: iptLosses,
  optimizer: (parameters) => adam(parameters),
  learningRate: 2e-5,
  steps,
  seed: 0,
  validate: {
    every: 1000,
    images: folder('data/Set5', { scale }),
    degrade,
    crop: 2 * patchSize,
    restore: (model, input) => inWindows(model, input, 0),
    metrics: ['psnr-y-diff'],
  },
  saveEvery: 1000,
  logEvery: 100,
})
