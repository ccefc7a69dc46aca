// light-upscale-x4: enlarges photos four times, with the samples of light-upscale-x2, from whose weights it starts.
//
// In a checkout of the repository, where scripts/ makes the weights to start from:
//
//   npx tsx scripts/upscaleStart.ts weights/light-upscale-x2.safetensors start.safetensors
//   limpid train recipes/light-upscale-x4.ts --data PHOTOS --set network.weights=start.safetensors \
//     --set validate.images.root=Set5 --out runs/light-upscale-x4
//
// 234 free photos of 1 to 2.5 megapixels. A step takes 0.6 s on one CPU core; the weights in the package are from this recipe.

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
  in8Bits,
  jpeg,
  LightUpscale,
  l1Loss,
  lightUpscaleDefaults,
  maybe,
  noise,
  oneOf,
  poisson,
  resize,
  sharpen,
  truth,
  warmup,
} from 'limpid/train'

const scale = 4
const steps = 3_800

const clean: Degrade = (image) => in8Bits(image)

const shrink = oneOf([
  [4, resize({ scale: 1 / scale })],
  [1, resize({ scale: 1 / scale, method: 'area' })],
  [1, resize({ scale: 1 / scale, method: 'lanczos' })],
])

const weakNoise = oneOf([
  noise({ sigma: [0, 8] }),
  noise({ sigma: [0, 8], color: 'gray' }),
  poisson({ scale: [0.05, 0.4] }),
])

const web = chain([
  maybe(0.3, sharpen({ amount: [0.2, 1], sigma: [0.5, 1.2] })),
  maybe(0.5, weakNoise),
  maybe(
    0.8,
    oneOf([
      [3, jpeg({ quality: [60, 95] })],
      [1, jpeg({ quality: [60, 95], subsampling: '4:4:4' })],
    ]),
  ),
  clean,
])

const picture = truth({ whole: 0, synthetic: 0.15 })
const cleanSample = degradedTruth(picture, clean, { downscale: shrink })
const webSample = degradedTruth(picture, web, {
  downscale: chain([maybe(0.7, blur({ kernel: 'iso', sigma: [0.4, 3] })), shrink]),
})

export const recipe = defineRecipe({
  name: 'light-upscale-x4',
  card: { title: 'Light upscaler ×4', task: 'upscale', license: 'apache' },
  network: {
    model: 'light-upscale',
    options: { ...lightUpscaleDefaults, scale },
    create: (init, options) => new LightUpscale(init, options),
  },
  data: {
    images: folder('data/photos', { scale }),
    phases: [{ steps, crop: 48, batch: 8 }],
    sample: (draw) => (draw.random.fork(3).uniform() < 0.5 ? cleanSample(draw) : webSample(draw)),
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(200, cosine(1.5e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 1,
  validate: {
    every: 1000,
    images: folder('data/Set5', { scale }),
    degrade: resize({ scale: 1 / scale, rounding: 'uint8' }),
    crop: 128,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr-y'],
  },
  saveEvery: 250,
  logEvery: 50,
})
