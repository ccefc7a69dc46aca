// A minimal training with all features: several phases, mixup, weight averaging,
// gradient accumulation, validation.

import {
  adamW,
  cosine,
  defineRecipe,
  degraded,
  emaDecay,
  folder,
  l1Loss,
  noise,
  Restormer,
  restormerDefaults,
} from 'limpid/train'
import { steps } from './steps.ts'

export const recipe = defineRecipe({
  name: 'tiny',
  card: { title: 'Tiny', task: 'denoise', license: 'academic' },
  network: {
    model: 'restormer',
    options: {
      ...restormerDefaults,
      dim: 4,
      numBlocks: [1, 1, 1, 1],
      numRefinementBlocks: 1,
      heads: [1, 1, 1, 1],
    },
    create: (init, options) => new Restormer(init, options),
    multipleOf: 8,
  },
  data: {
    images: folder('images'),
    frame: 24,
    phases: [
      { steps: 10, crop: 8, batch: 2 },
      { steps: 10, crop: 16, batch: 1 },
    ],
    sample: degraded(noise({ sigma: [0, 50] })),
    mixup: { alpha: 1.2, probability: 0.5 },
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { weightDecay: 1e-4 }),
  learningRate: cosine(1e-3, 1e-6, steps),
  accumulate: 2,
  maxGradNorm: 0.1,
  ema: emaDecay(0.9),
  steps,
  seed: 1,
  validate: {
    every: 10,
    images: folder('images'),
    degrade: noise({ sigma: 25 }),
    crop: 16,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
    pictures: 1,
  },
  saveEvery: 3,
  logEvery: 5,
})
