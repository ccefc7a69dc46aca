// A tiny network in IR-SDE with a frozen DA-CLIP, for training tests.

import {
  adamW,
  ConditionalUnet,
  conditionalUnetDefaults,
  createSde,
  defineRecipe,
  degradeByKind,
  emaDecay,
  folder,
  guideEmbeddings,
  guideEmbeddingsOfImage,
  openGuide,
  restoreBySampling,
  restoringSde,
  sdeLoss,
  tenKinds,
  tenKindsPaired,
  withClip,
} from 'limpid/train'

const sde = createSde({ ...restoringSde, steps: 4 })
const sample = withClip(tenKindsPaired(), [16, 16])

export const recipe = defineRecipe({
  name: 'tiny-diffusion',
  network: {
    model: 'conditional-unet',
    options: {
      ...conditionalUnetDefaults,
      width: 8,
      multipliers: [1, 1, 2],
      contextWidth: 8,
      usesDegradation: true,
    },
    create: (init, options) => new ConditionalUnet(init, options),
    start: (_, { constants, device }) => openGuide(String(constants.guide), device),
  },
  data: {
    images: folder('images'),
    phases: [{ steps: 6, crop: 16, batch: 2 }],
    sample,
  },
  constants: { guide: 'guide.safetensors' },
  loss: ({ model, batch, constants, ...rest }) => {
    const conditioning = model.condition(guideEmbeddings(constants.guide, batch.clip))
    const pair = { clean: batch.target, degraded: batch.input }
    return sdeLoss(sde, pair, rest, (inputs) => model.forward(inputs, conditioning))
  },
  optimizer: (parameters) => adamW(parameters, { weightDecay: 0 }),
  learningRate: 1e-3,
  ema: emaDecay(0.9),
  steps: 6,
  seed: 1,
  validate: {
    every: 3,
    images: folder('images'),
    degrade: (image, random) => degradeByKind(image, random.integer(tenKinds.length), random),
    crop: 16,
    restore: (model, input, { guide }) => {
      const conditioning = model.condition(guideEmbeddingsOfImage(guide, input))
      return restoreBySampling(sde, input, { sampler: 'posterior' }, (inputs) =>
        model.forward(inputs, conditioning),
      )
    },
    metrics: ['psnr'],
  },
  saveEvery: 3,
  logEvery: 1,
})
