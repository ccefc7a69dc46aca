// light-deblur: motion of 3 to 15 pixels, camera shake, and defocus of 0.5 to 4 pixels, with noise and JPEG after them. In half of the samples
// light mixes as it does in a lens, with lights that are brighter than white. One sample in six is sharp and stays as it is.
//
//   limpid train recipes/light-deblur.ts --data PHOTOS \
//     --set network.weights=weights/light-photo.safetensors \
//     --set validate.images.root=CBSD68 --out runs/light-deblur
//
// 234 free photos of 1 to 2.5 megapixels; one CPU core: about 1.1 s per step.

import {
  adamW,
  blur,
  chain,
  cosine,
  type Degrade,
  defineRecipe,
  degradedTruth,
  emaDecay,
  folder,
  inLinearLight,
  jpeg,
  Light,
  l1Loss,
  lightDefaults,
  maybe,
  noise,
  oneOf,
  poisson,
  truth,
  warmup,
} from 'limpid/train'

const steps = 9_000

const motion = oneOf([
  [2, blur({ kernel: 'line', length: [3, 15], angle: [0, 180] })],
  [1, blur({ kernel: 'shake', length: [3, 18] })],
])

const defocus = oneOf([
  [3, blur({ kernel: 'disc', radius: [0.5, 4] })],
  [1, blur({ kernel: 'iso', sigma: [0.4, 2.2] })],
  [1, blur({ kernel: 'plateau-iso', sigma: [0.5, 2.5], beta: [1, 3] })],
])

const soft = oneOf([motion, defocus])

const damaged = chain([
  oneOf([soft, inLinearLight(soft, { highlights: [1, 5] })]),
  maybe(
    0.8,
    oneOf([
      [3, noise({ sigma: [0, 4] })],
      [1, poisson({ scale: [0.05, 0.3] })],
    ]),
  ),
  maybe(0.7, jpeg({ quality: [70, 98] })),
])

const sharp: Degrade = maybe(0.5, jpeg({ quality: [80, 98] }))

const photo = oneOf([
  [5, damaged],
  [1, sharp],
])

export const recipe = defineRecipe({
  name: 'light-deblur',
  card: { title: 'Light network, motion blur and defocus', task: 'deblur', license: 'apache' },
  network: {
    model: 'light',
    options: lightDefaults,
    create: (init, options) => new Light(init, options),
    multipleOf: 8,
    weights: 'weights/light-photo.safetensors',
  },
  data: {
    images: folder('data/photos'),
    phases: [{ steps, crop: 112, batch: 3 }],
    sample: degradedTruth(truth({ whole: 0 }), photo),
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(100, cosine(1e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 6,
  validate: {
    every: 1000,
    images: folder('data/CBSD68'),
    degrade: chain([
      oneOf([blur({ kernel: 'line', length: [5, 13] }), blur({ kernel: 'disc', radius: [1.5, 3.5] })]),
      noise({ sigma: 1.5 }),
      jpeg({ quality: 90 }),
    ]),
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 100,
  logEvery: 50,
})
