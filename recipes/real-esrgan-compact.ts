// Real-ESRGAN, PSNR stage (Real-ESRNet), with the compact network of realesr-general-x4v3: enlarges photos ×4 and removes what cameras, editors and
// the web did to them, by degradations of two orders.
//
//   limpid train recipes/real-esrgan-compact.ts --data PHOTOS --set validate.images.root=Set5
//   limpid train recipes/real-esrgan-compact.ts --data PHOTOS --set network.weights=realesr-general-x4v3.pth ...
//
// Wang et al., arXiv:2107.10833, §3 and §4.1; numbers from xinntao/Real-ESRGAN@0011624 options/train_realesrnet_x4plus.yml, degradations from
// realesrgan/data/realesrgan_dataset.py and realesrgan/models/realesrnet_model.py. Data there: DIV2K, Flickr2K and OutdoorSceneTraining.
// 4 GPUs with 12 samples each; here `accumulate` computes their gradients one after another. Crops are degraded as they are trained on, where the
// official code degrades 400 pixels and then cuts 256.

import {
  adam,
  blur,
  Compact,
  chain,
  compactDefaults,
  constant,
  type Degrade,
  defineRecipe,
  degraded,
  emaDecay,
  folder,
  type Image,
  in8Bits,
  jpeg,
  l1Loss,
  maybe,
  noise,
  oneOf,
  poisson,
  resize,
  resizeTo,
} from 'limpid/train'

const scale = 4
const steps = 1_000_000
const kernelSizes = [7, 9, 11, 13, 15, 17, 19, 21]

type Range = readonly [low: number, high: number]

/** Sinc filters, as oversharpening leaves them. */
const ringing = (size: number, lowest: number) => blur({ kernel: 'sinc', size, cutoff: [lowest, Math.PI] })

function blurs(sigma: Range): Degrade {
  const both = { sigma, sigma2: sigma, angle: [-180, 180] } as const
  const below = [0.5, 1] as const
  const ofSize = (size: number): Degrade =>
    oneOf([
      [0.1, ringing(size, size < 13 ? Math.PI / 3 : Math.PI / 5)],
      [0.9 * 0.45, blur({ kernel: 'iso', size, sigma })],
      [0.9 * 0.25, blur({ kernel: 'aniso', size, ...both })],
      [0.9 * 0.06, blur({ kernel: 'generalized-iso', size, sigma, beta: below })],
      [0.9 * 0.06, blur({ kernel: 'generalized-iso', size, sigma, beta: [1, 4] })],
      [0.9 * 0.015, blur({ kernel: 'generalized-aniso', size, ...both, beta: below })],
      [0.9 * 0.015, blur({ kernel: 'generalized-aniso', size, ...both, beta: [1, 4] })],
      [0.9 * 0.06, blur({ kernel: 'plateau-iso', size, sigma, beta: 1 })],
      [0.9 * 0.06, blur({ kernel: 'plateau-iso', size, sigma, beta: [1, 2] })],
      [0.9 * 0.015, blur({ kernel: 'plateau-aniso', size, ...both, beta: 1 })],
      [0.9 * 0.015, blur({ kernel: 'plateau-aniso', size, ...both, beta: [1, 2] })],
    ])
  return oneOf(kernelSizes.map(ofSize))
}

function noises(sigma: Range, photons: Range): Degrade {
  const kinds = (color: 'gray' | 'color') => [
    noise({ sigma, color, clip: 'on' }),
    poisson({ scale: photons, color, clip: 'on' }),
  ]
  return oneOf([
    [0.4, oneOf(kinds('gray'))],
    [0.6, oneOf(kinds('color'))],
  ])
}

interface Resizing {
  /** Shares of enlarging, shrinking and keeping. */
  readonly shares: readonly [up: number, down: number, keep: number]
  readonly range: Range
}

/** Resizes to a random share of a size, by any of three methods. */
function resizing({ shares: [up, down, keep], range }: Resizing, sizeOf: (image: Image) => number): Degrade {
  return (image, random) => {
    const kind = random.uniform() * (up + down + keep)
    const [low, high] = kind < up ? [1, range[1]] : kind < up + down ? [range[0], 1] : [1, 1]
    const side = Math.round(sizeOf(image) * (low + (high - low) * random.uniform()))
    const method = (['area', 'linear', 'bicubic'] as const)[random.integer(3)] ?? 'area'
    return resizeTo(image, { height: side, width: side }, { method, antialias: false })
  }
}

/** Degrades square targets to inputs, a quarter of their side. */
const secondOrder: Degrade = (target, random) => {
  const side = target.width / scale
  const finalSize = resizing({ shares: [0, 0, 1], range: [1, 1] }, () => side)
  const finalSinc = maybe(0.8, oneOf(kernelSizes.map((size) => ringing(size, Math.PI / 3))))
  const compressed = jpeg({ quality: [30, 95] })
  const first = chain([
    blurs([0.2, 3]),
    resizing({ shares: [0.2, 0.7, 0.1], range: [0.15, 1.5] }, ({ width }) => width),
    noises([1, 30], [0.05, 3]),
    compressed,
  ])
  const second = chain([
    maybe(0.8, blurs([0.2, 1.5])),
    resizing({ shares: [0.3, 0.4, 0.3], range: [0.3, 1.2] }, () => side),
    noises([1, 25], [0.05, 2.5]),
    oneOf([chain([finalSize, finalSinc, compressed]), chain([compressed, finalSize, finalSinc])]),
  ])
  return in8Bits(chain([first, second])(target, random))
}

/** Sharpens targets where they differ by more than 10 of 255 from their surroundings (§3.5; weight 0.5, 51 pixels). */
const sharpened: Degrade = (image, random) => {
  const smooth = blur({ kernel: 'iso', sigma: 8, size: 51 })
  const { data: around } = smooth(image, random)
  const isEdge = image.data.map((value, i) => (Math.abs(value - around[i]!) > 10 / 255 ? 1 : 0))
  const { data: mask } = smooth({ ...image, data: isEdge }, random)
  const data = image.data.map((value, i) => {
    const sharp = Math.min(Math.max(value + 0.5 * (value - around[i]!), 0), 1)
    return mask[i]! * sharp + (1 - mask[i]!) * value
  })
  return { ...image, data }
}

const cropped = degraded((image) => image)

export const recipe = defineRecipe({
  name: 'real-esrgan-compact',
  card: { title: 'Compact ×4, PSNR stage of Real-ESRGAN', task: 'upscale', license: 'bsd' },
  network: {
    model: 'compact',
    options: { ...compactDefaults, scale, convolutions: 32 },
    create: (init, options) => new Compact(init, options),
  },
  data: {
    images: folder('data/photos', { scale }),
    phases: [{ steps, crop: 64, batch: 12 }],
    sample: (draw) => {
      const target = sharpened(cropped(draw).target, draw.random.fork(4))
      return { input: secondOrder(target, draw.random.fork(5)), target }
    },
  },
  loss: ({ model, batch }) => l1Loss(model.forward(batch.input), batch.target),
  optimizer: (parameters) => adam(parameters, { betas: [0.9, 0.99] }),
  learningRate: constant(2e-4),
  ema: emaDecay(0.999),
  accumulate: 4,
  steps,
  seed: 0,
  validate: {
    every: 5000,
    images: folder('data/Set5', { scale }),
    degrade: resize({ scale: 1 / scale, rounding: 'uint8' }),
    crop: 128,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
  saveEvery: 5000,
  logEvery: 100,
})
