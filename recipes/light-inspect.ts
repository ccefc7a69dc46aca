// light-inspect: names twelve kinds of damage, several at once, and how severe each is. One picture in five
// has none, and some look damaged without being so: nights, stars, lamps, text, gravel, blurred backgrounds.
//
// In a checkout of the repository, where scripts/ makes the weights to start from:
//
//   npx tsx scripts/inspectStart.ts weights/light-detect.safetensors start.safetensors
//   limpid train recipes/light-inspect.ts --data PHOTOS --set network.weights=start.safetensors --out runs/light-inspect
//
// 234 free photos of 1 to 2.5 megapixels. Pictures take four times as long to make as a step takes, so each batch is used
// three times. The weights were trained for 1,200 steps without that, then for 4,600 from there
// (network.weights=weights/light-inspect.safetensors).
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

const steps = 4_600

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
      { steps: 4_200, crop: 256, batch: 4 },
      { steps: 400, crop: 384, batch: 2 },
    ],
    echo: { times: 3, apart: 16 },
    sample: inspectSample,
  },
  loss: ({ model, batch }) => inspectLosses(model, batch),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 1e-3 }),
  learningRate: warmup(100, cosine(7e-4, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.998),
  steps,
  seed: 2,
  saveEvery: 100,
  logEvery: 25,
})
