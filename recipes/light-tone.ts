// light-tone: finds haze, darkness, light from behind, fading and color casts in a small view of the whole
// photo, as maps that are applied at full size. One photo in five has nothing wrong, nights and sunsets
// among them, so that such photos stay as they are.
//
//   limpid train recipes/light-tone.ts --data PHOTOS --set validate.images.root=CBSD68 --out runs/light-tone
//
// 234 free photos; copies of 512 pixels do and save most of the decoding. A step takes 0.7 s for the network
// and 0.6 s for its samples, each on one core: three core-hours.

import {
  adamW,
  cosine,
  defineRecipe,
  emaDecay,
  folder,
  haze,
  LightTone,
  lightToneDefaults,
  lowLight,
  oneOf,
  restoreTone,
  toneLosses,
  toneSample,
  warmup,
} from 'limpid/train'

const steps = 8_000

export const recipe = defineRecipe({
  name: 'light-tone',
  card: { title: 'Light, haze, darkness, fading and color casts', task: 'tone', license: 'apache' },
  network: {
    model: 'light-tone',
    options: lightToneDefaults,
    create: (init, options) => new LightTone(init, options),
  },
  data: {
    images: folder('data/photos'),
    // Photos are seen whole, as views of 256 pixels, whatever their size.
    phases: [{ steps, crop: 256, batch: 8 }],
    frame: 256,
    sample: toneSample,
  },
  loss: ({ model, batch }) => toneLosses(model, batch),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.999], weightDecay: 1e-4 }),
  learningRate: warmup(100, cosine(8e-4, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 1,
  validate: {
    every: 1000,
    images: folder('data/CBSD68'),
    degrade: oneOf([
      [1, haze()],
      [1, lowLight()],
      [1, (image) => image],
    ]),
    restore: (model, input) => restoreTone(model, input, { haze: true, gain: true, cast: true }),
    metrics: ['psnr'],
  },
  saveEvery: 250,
  logEvery: 25,
})
