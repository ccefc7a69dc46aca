// IR-SDE, thin white holes in faces.
//
//   limpid train recipes/irsde/inpaint.ts --data CelebA-HQ-256/train \
//     --set validate.images.root=CelebA-HQ-256/test
//
// Data: CelebA-HQ at 256 pixels (29,900, 100 for testing).
// Hardware: about one day on an A100.
// Expected, paper: thin masks 28.37 dB, SSIM 0.9166, LPIPS 0.046, FID 25.13.
// NOTE: the authors use 100 fixed masks of RePaint; this recipe draws random strokes.

import { defineRecipe, degraded, folder, holes } from 'limpid/train'
import { phases, restoring } from './shared.ts'

const { restore, ...common } = restoring({ title: 'IR-SDE, inpainting', task: 'universal', maxSigma: 30 })
const thin = holes({ shape: 'strokes', thickness: [3, 10], coverage: [0.05, 0.25] })

export const recipe = defineRecipe({
  ...common,
  name: 'irsde-inpaint',
  data: { images: folder('data/CelebA-HQ-256/train'), phases, sample: degraded(thin) },
  validate: {
    every: 20_000,
    images: folder('data/CelebA-HQ-256/test'),
    degrade: thin,
    restore,
    metrics: ['psnr'],
  },
})
