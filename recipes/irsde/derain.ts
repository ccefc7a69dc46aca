// IR-SDE, heavy rain.
//
//   limpid train recipes/irsde/derain.ts --data Rain100H/train --set validate.images.root=Rain100H/test
//
// Data: Rain100H (1800 pairs, 100 for testing), in folders LQ and GT; Rain100L for light rain.
// Hardware: the authors' 4 TITAN XP, or about 3 days on an A100.
// Expected, official README: Rain100H 31.65 dB, SSIM 0.9041, LPIPS 0.047, FID 18.64; Rain100L 38.30 dB,
// 0.9805.

import { defineRecipe } from 'limpid/train'
import { pairedRecipe } from './shared.ts'

export const recipe = defineRecipe({
  ...pairedRecipe({
    title: 'IR-SDE, deraining',
    task: 'derain',
    maxSigma: 10,
    train: 'data/Rain100H/train',
    test: 'data/Rain100H/test',
  }),
  name: 'irsde-derain',
})
