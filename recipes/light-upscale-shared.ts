// What the recipes of light-upscale share: samples, network and training.

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

const clean: Degrade = (image) => in8Bits(image)

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

/** What differs by scale. */
interface Upscaling {
  readonly scale: 2 | 4
  readonly steps: number
  /** Highest learning rate. */
  readonly rate: number
  /** Blur before the half of the samples that are like pictures of the web are shrunk, in pixels of the target. */
  readonly blurSigma: readonly [number, number]
}

export function upscaleRecipe({ scale, steps, rate, blurSigma }: Upscaling) {
  const shrink = oneOf([
    [4, resize({ scale: 1 / scale })],
    [1, resize({ scale: 1 / scale, method: 'area' })],
    [1, resize({ scale: 1 / scale, method: 'lanczos' })],
  ])

  const cleanSample = degradedTruth(picture, clean, { downscale: shrink })
  const webSample = degradedTruth(picture, web, {
    downscale: chain([maybe(0.7, blur({ kernel: 'iso', sigma: blurSigma })), shrink]),
  })

  return defineRecipe({
    name: `light-upscale-x${scale}`,
    card: { title: `Light upscaler ×${scale}`, task: 'upscale', license: 'apache' },
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
    learningRate: warmup(200, cosine(rate, 1e-6, steps)),
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
}
