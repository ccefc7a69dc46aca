// light-inspect: names twelve kinds of damage, several at once, and how severe each is. One picture in five
// has none, and some look damaged without being so: nights, stars, lamps, text, gravel, blurred backgrounds.
//
// In a checkout of the repository, where scripts/ makes the weights to start from:
//
//   npx tsx scripts/inspectStart.ts weights/light-detect.safetensors start.safetensors
//   limpid train recipes/light-inspect.ts --data PHOTOS --set network.weights=start.safetensors --out runs/light-inspect
//
// 234 free photos of 1 to 2.5 megapixels. A step takes 0.5 s for the network and 2 s for its pictures, each on one core.
// scripts/inspectTable.ts measures the weights.

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

const steps = 1_200

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
    // Of each photo four pictures of this side are damaged; the network sees three crops and an overview of half of it.
    phases: [
      { steps: 1_000, crop: 256, batch: 4 },
      { steps: 200, crop: 384, batch: 2 },
    ],
    sample: inspectSample,
  },
  loss: ({ model, batch }) => inspectLosses(model, batch),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 1e-3 }),
  learningRate: warmup(50, cosine(5e-4, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.995),
  steps,
  seed: 1,
  saveEvery: 100,
  logEvery: 25,
})
