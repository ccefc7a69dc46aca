// light-weather: rain, snow and drops on the lens, from light drizzle to heavy showers, with noise and JPEG after them. One sample in six is
// clean; a third of those are stars, lamps and text, which look like weather and stay.
//
//   limpid train recipes/light-weather.ts --data PHOTOS \
//     --set network.weights=weights/light-photo.safetensors \
//     --set validate.images.root=CBSD68 --out runs/light-weather
//
// 234 free photos of 1 to 2.5 megapixels; one CPU core: about 1.1 s per step.

import {
  adamW,
  chain,
  cosine,
  type Degrade,
  defineRecipe,
  degradedTruth,
  emaDecay,
  folder,
  jpeg,
  Light,
  l1Loss,
  lightDefaults,
  maybe,
  noise,
  oneOf,
  rain,
  raindrops,
  snow,
  truth,
  warmup,
} from 'limpid/train'

const steps = 8_000

const clean: Degrade = (image) => image

const rainy = oneOf([
  [3, rain()],
  [1, rain({ amount: [2, 20] })],
  [1, rain({ width: [0.6, 3], opacity: [0.15, 1], length: [8, 90], angle: [-50, 50], veil: [0, 0.3] })],
  [1, rain({ blend: 'additive', veil: 0, amount: [10, 120], length: [8, 60] })],
])

const snowy = oneOf([
  [3, snow()],
  [1, snow({ amount: [3, 60], size: [2, 16], opacity: [0.3, 1], speed: [0, 4] })],
])

const dropped = oneOf([
  [3, raindrops()],
  [1, raindrops({ defocus: [0.3, 5] })],
])

const weather = oneOf([
  [4, rainy],
  [3, snowy],
  [4, dropped],
  [1, chain([rainy, dropped])],
])

const damaged = chain([
  weather,
  maybe(0.25, noise({ sigma: [1, 12], clip: 'on' })),
  maybe(0.35, jpeg({ quality: [50, 95] })),
])

const picture = truth({ synthetic: 0.12, whole: 0.15 })
const lights = truth({ synthetic: 1, kinds: { stars: 3, lamps: 3, text: 1, gratings: 1 } })
const damagedSample = degradedTruth(picture, damaged)
const cleanSample = degradedTruth(picture, clean)
const lightsSample = degradedTruth(lights, clean)

export const recipe = defineRecipe({
  name: 'light-weather',
  card: { title: 'Light network, rain, snow and drops', task: 'derain', license: 'apache' },
  network: {
    model: 'light',
    options: lightDefaults,
    create: (init, options) => new Light(init, options),
    multipleOf: 8,
    weights: 'weights/light-photo.safetensors',
  },
  data: {
    images: folder('data/photos'),
    // Drops are wider than the crops that noise needs.
    phases: [{ steps, crop: 128, batch: 3 }],
    sample: (draw) => {
      const kind = draw.random.fork(3).uniform()
      if (kind < 0.83) return damagedSample(draw)
      return kind < 0.94 ? cleanSample(draw) : lightsSample(draw)
    },
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(100, cosine(1e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 5,
  validate: {
    every: 1000,
    images: folder('data/CBSD68'),
    degrade: oneOf([rain(), snow(), raindrops()]),
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 100,
  logEvery: 50,
})
