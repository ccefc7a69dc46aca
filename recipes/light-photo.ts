// light-photo: the light network for photos from cameras and the web, fine-tuned from light-denoise.
// Degradations are random mixtures of sensor noise, film-like grain, scaled or smoothed noise, JPEG and
// slight blur. One image in eight is clean, so that the network leaves clean photos unchanged.
//
//   limpid train recipes/light-photo.ts --data PHOTOS \
//     --set network.weights=runs/light-denoise/weights.safetensors \
//     --set validate.images.root=CBSD68 --out runs/light-photo
//
// 234 free photos of 1 to 2.5 megapixels; 2 CPU cores: about 0.5 s per step, under an hour.

import {
  adamW,
  blur,
  camera,
  chain,
  cosine,
  type Degrade,
  defineRecipe,
  degraded,
  emaDecay,
  folder,
  jpeg,
  Light,
  l1Loss,
  lightDefaults,
  maybe,
  noise,
  oneOf,
  poisson,
  resizeTo,
  warmup,
} from 'limpid/train'

const steps = 5_000

const clean: Degrade = (image) => image

/** Noise as in enlarged photos: drawn on a coarser grid and upscaled. */
const grain: Degrade = (image, random) => {
  const { width, height, channels } = image
  const share = 0.5 + 0.4 * random.uniform()
  const w = Math.ceil(width * share)
  const h = Math.ceil(height * share)
  const sigma = ((2 + 28 * random.uniform()) / 255) * (random.uniform() < 0.5 ? 1 : 0.6)
  const field = new Float32Array(channels * w * h)
  random.fillNormal(field)
  const coarse = { width: w, height: h, channels, data: field.map((value) => sigma * value) }
  const { data } = resizeTo(coarse, { width, height })
  return { ...image, data: image.data.map((value, i) => value + (data[i] ?? 0)) }
}

const noisy = oneOf([
  [4, camera({ shot: [0.0002, 0.02], read: [0.2, 8] })],
  [2, noise({ sigma: [1, 45], clip: 'on' })],
  [1, noise({ sigma: [1, 25], color: 'gray', clip: 'on' })],
  [1, poisson({ scale: [0.1, 1.5] })],
  [2, grain],
  [1, chain([noise({ sigma: [5, 50] }), blur({ kernel: 'iso', sigma: [0.3, 0.8] })])],
  [1, clean],
])

const photo = oneOf([
  [1, clean],
  [
    7,
    chain([
      maybe(0.25, blur({ kernel: 'iso', sigma: [0.2, 0.9] })),
      noisy,
      maybe(0.55, jpeg({ quality: [30, 95] })),
    ]),
  ],
])

export const recipe = defineRecipe({
  name: 'light-photo',
  card: { title: 'Light network, noise and compression of photos', task: 'denoise', license: 'apache' },
  network: {
    model: 'light',
    options: lightDefaults,
    create: (init, options) => new Light(init, options),
    multipleOf: 8,
    weights: 'runs/light-denoise/weights.safetensors',
  },
  data: {
    images: folder('data/photos'),
    phases: [{ steps, crop: 80, batch: 6 }],
    sample: degraded(photo),
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(200, cosine(8e-4, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 2,
  validate: {
    every: 2500,
    images: folder('data/CBSD68'),
    degrade: photo,
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 500,
  logEvery: 50,
})
