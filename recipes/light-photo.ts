// light-photo: the light network for photos from cameras and the web. JPEG alone, once or twice, with and without chroma subsampling;
// sensor noise, even noise, film-like grain, scaled or smoothed noise; both mixed, with slight blur. One sample in ten is clean, so that
// the network leaves clean photos unchanged.
//
//   limpid train recipes/light-photo.ts --data PHOTOS \
//     --set network.weights=weights/light-photo.safetensors \
//     --set validate.images.root=CBSD68 --out runs/light-photo
//
// 234 free photos of 1 to 2.5 megapixels; one CPU core: about 0.8 s per step, 4 hours.

import {
  adamW,
  blur,
  cameraNoise,
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
  poisson,
  resizeTo,
  truth,
  warmup,
} from 'limpid/train'

const steps = 16_000

const clean: Degrade = (image) => image

/** Noise of an enlarged picture: drawn on a coarser grid. */
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
  [4, cameraNoise({ shot: [0.0002, 0.02], read: [0.2, 8] })],
  [3, noise({ sigma: [1, 55], clip: 'on' })],
  [4, noise({ sigma: [1, 55] })],
  [1, noise({ sigma: [1, 25], color: 'gray', clip: 'on' })],
  [1, poisson({ scale: [0.1, 1.5] })],
  [2, grain],
  [1, chain([noise({ sigma: [5, 50] }), blur({ kernel: 'iso', sigma: [0.3, 0.8] })])],
])

/** JPEG from a lowest quality on: low and middle qualities more often than high ones, which leave little to learn. */
function compressed(lowest: number): Degrade {
  return oneOf(
    (['4:2:0', '4:2:0', '4:4:4'] as const).map((subsampling) =>
      oneOf([
        [2, jpeg({ quality: [lowest, 50], subsampling })],
        [1, jpeg({ quality: [50, 95], subsampling })],
      ]),
    ),
  )
}

const slightBlur = maybe(0.3, blur({ kernel: 'iso', sigma: [0.2, 0.9] }))

const photo = oneOf([
  [2, clean],
  [8, compressed(8)],
  [1, chain([compressed(20), compressed(20)])],
  [6, noisy],
  [3, chain([slightBlur, noisy, maybe(0.7, compressed(25))])],
])

export const recipe = defineRecipe({
  name: 'light-photo',
  card: { title: 'Light network, noise and compression of photos', task: 'photo', license: 'apache' },
  network: {
    model: 'light',
    options: lightDefaults,
    create: (init, options) => new Light(init, options),
    multipleOf: 8,
    weights: 'weights/light-photo.safetensors',
  },
  data: {
    images: folder('data/photos'),
    phases: [{ steps, crop: 80, batch: 6 }],
    sample: degradedTruth(truth(), photo),
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adamW(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
  learningRate: warmup(100, cosine(1e-3, 1e-6, steps)),
  maxGradNorm: 1,
  ema: emaDecay(0.999),
  steps,
  seed: 4,
  validate: {
    every: 2000,
    images: folder('data/CBSD68'),
    degrade: jpeg({ quality: 20 }),
    crop: 256,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 100,
  logEvery: 50,
})
