// Refusion's latent compression: a U-Net that encodes images to latents of an eighth of their size, in which
// latent.ts restores large images.
//
//   limpid train recipes/refusion/compress.ts --data HR-dehazing/train \
//     --set validate.images.root=HR-dehazing/test
//
// Data: pairs in folders LQ and GT, with sides of at least 1024 pixels (NTIRE 2023 HR dehazing: 40 pairs of
// 6000 × 4000).
// Hardware: one A100, hours not stated. Validation measures the reconstruction; no figures were published.

import { defineRecipe, LatentUnet, latentLosses, latentUnetDefaults, paired, pairFolders } from 'limpid/train'
import { training } from './shared.ts'

const total = 400_000
const pairs = (root: string) => pairFolders(root, { input: 'LQ', target: 'GT' }, { match: 'order' })

export const recipe = defineRecipe({
  ...training(4e-5, total),
  name: 'refusion-compress',
  card: { title: 'Refusion, compression to latents', task: 'universal', license: 'mit' },
  network: {
    model: 'latent-unet',
    options: latentUnetDefaults,
    create: (init, options) => new LatentUnet(init, options),
    multipleOf: 16,
  },
  data: {
    images: pairs('data/HR-dehazing/train'),
    phases: [{ steps: total, crop: 1024, batch: 8 }],
    sample: paired(),
  },
  loss: ({ model, batch }) => latentLosses(model, { clean: batch.target, degraded: batch.input }),
  validate: {
    every: 20_000,
    images: pairs('data/HR-dehazing/test'),
    crop: 1024,
    restore: (model, input) => model.forward(input),
    metrics: ['psnr'],
  },
})
