// Recipe for timing the loader, imported by its workers: noisy crops of photos, the training data of a
// denoiser.

import { l1Loss } from '../../src/core/functional.ts'
import { noise } from '../../src/degrade/noise.ts'
import { Restormer, restormerDefaults } from '../../src/models/restormer/restormer.ts'
import { adamW } from '../../src/torch/optim.ts'
import { defineRecipe } from '../../src/train/recipe/recipe.ts'
import { folder } from '../../src/train/samples/images.ts'
import { degraded } from '../../src/train/samples/samples.ts'

export const recipe = defineRecipe({
  name: 'loader',
  network: {
    model: 'restormer',
    options: { ...restormerDefaults, dim: 24, numBlocks: [2, 3, 3, 4], numRefinementBlocks: 2 },
    create: (init, options) => new Restormer(init, options),
  },
  data: {
    images: folder('images'),
    phases: [{ steps: 1, crop: 64, batch: 4 }],
    sample: degraded(noise({ sigma: [0, 50] })),
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { weightDecay: 1e-4 }),
  learningRate: 3e-4,
  maxGradNorm: 0.01,
  steps: 1,
  seed: 1,
  saveEvery: 1,
  logEvery: 1,
})
