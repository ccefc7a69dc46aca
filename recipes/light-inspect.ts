// light-inspect: names twelve kinds of damage, several at once, and how severe each is. One picture in five
// has none, and some look damaged without being so: nights, stars, lamps, text, gravel, blurred backgrounds.
//
//   limpid train recipes/light-inspect.ts --data PHOTOS --out runs/light-inspect
//
// 234 free photos of 1 to 2.5 megapixels. A step takes 1 s for the network and 3 s for its samples, each
// on one core: four core-hours. scripts/inspectTable.ts measures the weights.

import {
  adamW,
  cosine,
  defineRecipe,
  emaDecay,
  folder,
  inspectLosses,
  inspectSample,
  LightInspect,
  lightInspectDefaults,
  warmup,
} from 'limpid/train'

const steps = 3_500

export const recipe = defineRecipe({
  name: 'light-inspect',
  card: { title: 'Light, twelve kinds of damage and their severity', license: 'apache' },
  network: {
    model: 'light-inspect',
    options: lightInspectDefaults,
    create: (init, options) => new LightInspect(init, options),
  },
  data: {
    images: folder('data/photos'),
    // Pictures of this side are damaged; the network sees three crops and an overview of half of it.
    phases: [
      { steps: 2_500, crop: 256, batch: 16 },
      { steps: 1_000, crop: 384, batch: 8 },
    ],
    sample: inspectSample,
  },
  loss: ({ model, batch }) => inspectLosses(model, batch),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 1e-3 }),
  learningRate: warmup(200, cosine(1e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 1,
  saveEvery: 250,
  logEvery: 25,
})
