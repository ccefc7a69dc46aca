// Refusion in latent space: the NAFNet restores the latents of large images encoded by compress.ts.
//
//   limpid train recipes/refusion/latent.ts --data HR-dehazing/train \
//     --set validate.images.root=HR-dehazing/test \
//     --set constants.compression=runs/compress/weights.safetensors
//
// Data: as for compress.ts.
// Hardware: one A100, hours not stated. Figures were published only for the NTIRE 2023 challenge.

import {
  ConditionalNafnet,
  conditionalNafnetDefaults,
  createSde,
  defineRecipe,
  latentsOf,
  openCompressor,
  paired,
  pairFolders,
  restoreBySampling,
  restoreInLatents,
  sdeLoss,
} from 'limpid/train'
import { sdeOptions, training } from './shared.ts'

const total = 400_000
const sde = createSde(sdeOptions)
const sampling = { sde: sdeOptions, sampler: 'posterior' } as const
const pairs = (root: string) => pairFolders(root, { input: 'LQ', target: 'GT' }, { match: 'order' })

export const recipe = defineRecipe({
  ...training(4e-5, total),
  name: 'refusion-latent',
  card: {
    title: 'Refusion in latents',
    task: 'universal',
    license: 'mit',
    sampling: JSON.stringify(sampling),
  },
  network: {
    model: 'conditional-nafnet',
    options: { ...conditionalNafnetDefaults, channels: 8, addsFirstFeatures: true },
    create: (init, options) => new ConditionalNafnet(init, options),
    multipleOf: 16,
    start: (_, { constants, device }) => openCompressor(String(constants.compression), device),
  },
  data: {
    images: pairs('data/HR-dehazing/train'),
    phases: [{ steps: total, crop: 1024, batch: 8 }],
    sample: paired(),
  },
  constants: { compression: 'runs/compress/weights.safetensors' },
  loss: ({ model, batch, constants, ...rest }) => {
    const latents = latentsOf(constants.compression, { clean: batch.target, degraded: batch.input })
    return sdeLoss(sde, latents, rest, (inputs) => model.forward(inputs))
  },
  validate: {
    every: 20_000,
    images: pairs('data/HR-dehazing/test'),
    crop: 1024,
    restore: (model, input, { compression }) =>
      restoreInLatents(compression, input, (latent) =>
        restoreBySampling(sde, latent, sampling, (inputs) => model.forward(inputs)),
      ),
    metrics: ['psnr'],
  },
})
