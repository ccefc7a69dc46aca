// light-denoise: the light network for color Gaussian noise of any strength from 0 to 50 (of 255).
//
//   limpid train recipes/light-denoise.ts --data PHOTOS --set validate.images.root=CBSD68 \
//     --out runs/light-denoise
//
// 234 free photos of 1 to 2.5 megapixels; 2 CPU cores: about 0.4 s per step, under 3 hours.
// Results: `limpid models show light-denoise`.

import {
  adamW,
  cosine,
  defineRecipe,
  degraded,
  emaDecay,
  folder,
  Light,
  l1Loss,
  lightDefaults,
  noise,
  warmup,
} from 'limpid/train'

const steps = 20_000

export const recipe = defineRecipe({
  name: 'light-denoise',
  card: { title: 'Light network, blind color Gaussian noise', task: 'denoise', license: 'apache' },
  network: {
    model: 'light',
    options: lightDefaults,
    create: (init, options) => new Light(init, options),
    multipleOf: 8,
  },
  data: {
    images: folder('data/photos'),
    phases: [{ steps, crop: 64, batch: 8 }],
    sample: degraded(noise({ sigma: [0, 50] })),
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(200, cosine(2e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 1,
  validate: {
    every: 2000,
    images: folder('data/CBSD68'),
    degrade: noise({ sigma: 25 }),
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 500,
  logEvery: 50,
})
