// IR-SDE, motion blur.
//
//   limpid train recipes/irsde/deblur.ts --data GoPro/train --set validate.images.root=GoPro/test
//
// Data: GoPro (2103 pairs, 1111 for testing), in folders LQ and GT.
// Hardware: about 3 days on an A100.
// Expected, paper: GoPro 30.70 dB, SSIM 0.901, LPIPS 0.064, FID 6.32.

import { defineRecipe } from 'limpid/train'
import { pairedRecipe } from './shared.ts'

export const recipe = defineRecipe({
  ...pairedRecipe({
    title: 'IR-SDE, motion deblurring',
    task: 'deblur',
    maxSigma: 10,
    train: 'data/GoPro/train',
    test: 'data/GoPro/test',
  }),
  name: 'irsde-deblur',
})
