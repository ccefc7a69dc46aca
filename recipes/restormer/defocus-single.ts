// Restormer, defocus deblurring of one image (DPDD).
//
//   limpid train recipes/restormer/defocus-single.ts --data DIR --set validate.images.root=DIR
//
// Data: DPDD in 8 bits as 512-pixel patches at a stride of 204 pixels, without the least sharp 30 % of each
// image, in inputC_crops/ and target_crops/.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 3 (float): indoor 28.87, outdoor 23.24, combined 25.98 dB.

import { defineRecipe, paired, pairFolders } from 'limpid/train'
import { frame, license, loss, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-defocus-single',
  card: { title: 'Restormer, defocus deblurring of one image (DPDD)', task: 'defocus-deblur', license },
  network: network({}),
  data: {
    images: pairFolders('data/DPDD/train', { input: 'inputC_crops', target: 'target_crops' }),
    phases,
    frame,
    sample: paired(),
  },
  loss,
  validate: {
    every: 4000,
    images: pairFolders('data/DPDD/val', { input: 'inputC_crops', target: 'target_crops' }),
    restore,
    metrics: ['psnr-float'],
  },
})
