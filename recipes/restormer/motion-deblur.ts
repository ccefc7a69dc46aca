// Restormer, motion deblurring (GoPro).
//
//   limpid train recipes/restormer/motion-deblur.ts --data DIR --set validate.images.root=DIR
//
// Data: the 2,103 training pairs of GoPro (the blurred ones without gamma) as 512-pixel patches that overlap
// by 256, in input_crops/ and target_crops/.
// Hardware: the paper's 8 GPUs, hours not stated; small batches on a single GPU stay below 31 dB.
// Expected, paper Table 2: GoPro 32.92, HIDE 31.22, RealBlur-R 36.19, RealBlur-J 28.96 dB.

import { defineRecipe, paired, pairFolders } from 'limpid/train'
import { frame, license, loss, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-motion-deblur',
  card: { title: 'Restormer, motion deblurring (GoPro)', task: 'deblur', license },
  network: network({}),
  data: {
    images: pairFolders('data/GoPro/train', { input: 'input_crops', target: 'target_crops' }),
    phases,
    frame,
    sample: paired(),
  },
  loss,
  validate: {
    every: 4000,
    images: pairFolders('data/GoPro/val', { input: 'input', target: 'target' }),
    crop: 256,
    restore,
    metrics: ['psnr'],
  },
})
