// A small Restormer for noise of unknown strength on your own photos: a template for your own recipe.
//
//   limpid train recipes/your-own.ts --data PHOTOS --set validate.images.root=OTHER_PHOTOS --out runs/mine
//
// 2 CPU cores: about 0.7 s per step. Copy this file anywhere. `--dry-run` checks data and memory, `--overfit`
// the loss.

import {
  adamW,
  cosine,
  defineRecipe,
  degraded,
  folder,
  l1Loss,
  noise,
  Restormer,
  restormerDefaults,
} from 'limpid/train'

const steps = 20_000

export const recipe = defineRecipe({
  name: 'your-own',
  card: { title: 'My denoiser', task: 'denoise', license: 'mine' },
  network: {
    model: 'restormer',
    options: { ...restormerDefaults, dim: 16, numBlocks: [1, 2, 2, 2], numRefinementBlocks: 1 },
    create: (init, options) => new Restormer(init, options),
    multipleOf: 8,
  },
  data: {
    images: folder('data/photos'),
    phases: [{ steps, crop: 64, batch: 4 }],
    sample: degraded(noise({ sigma: [0, 50] })),
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { weightDecay: 1e-4 }),
  learningRate: cosine(3e-4, 1e-6, steps),
  maxGradNorm: 0.01,
  steps,
  seed: 1,
  validate: {
    every: 1000,
    images: folder('data/validation'),
    degrade: noise({ sigma: 25 }),
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 500,
  logEvery: 50,
})
