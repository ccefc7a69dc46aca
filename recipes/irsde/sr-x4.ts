// IR-SDE, ×4 super-resolution of images downscaled by MATLAB's bicubic imresize.
//
//   limpid train recipes/irsde/sr-x4.ts --data DF2K/HR --set validate.images.root=DIV2K_valid_HR
//
// Data: DIV2K (800) and Flickr2K (2650).
// Hardware: about 3 days on an A100.
// Expected, paper: DIV2K ×4 25.90 dB, SSIM 0.657, LPIPS 0.231, FID 45.36. The network's input is the small
// image upscaled again, so input and output have the same size.

import { defineRecipe, degraded, folder, lowResolution } from 'limpid/train'
import { phases, restoring } from './shared.ts'

const { restore, ...common } = restoring({ title: 'IR-SDE ×4', task: 'upscale', maxSigma: 30 })

export const recipe = defineRecipe({
  ...common,
  name: 'irsde-sr-x4',
  network: { ...common.network, multipleOf: 4 },
  data: { images: folder('data/DF2K/HR'), phases, sample: degraded(lowResolution(4)) },
  validate: {
    every: 20_000,
    images: folder('data/DIV2K_valid_HR'),
    degrade: lowResolution(4),
    crop: 256,
    restore,
    metrics: ['psnr'],
  },
})
