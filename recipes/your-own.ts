// A small Restormer for noise of unknown strength on photos of your own: a start for a recipe of your own.
//
//   limpid train recipes/your-own.ts --data PHOTOS --out runs/mine
//
// 2 CPU cores: about 0.7 s a step. Copy this file anywhere; `--dry-run` checks data and memory, `--overfit` the loss.

import {
  adamW,
  cosine,
  defineRecipe,
  degraded,
  folder,
  type Image,
  l1Loss,
  type Random,
  Restormer,
  restormerDefaults,
} from 'limpid/train'

const steps = 20_000

/** Gaussian noise of deviation 0 to 50 (of 255): any function of image and chance will do. */
function noise(image: Image, random: Random): Image {
  const sigma = (50 / 255) * random.uniform()
  const data = new Float32Array(image.data.length)
  random.fillNormal(data)
  return { ...image, data: data.map((value, i) => (image.data[i] ?? 0) + sigma * value) }
}

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
    sample: degraded(noise),
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
    degrade: noise,
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 500,
  logEvery: 50,
})
