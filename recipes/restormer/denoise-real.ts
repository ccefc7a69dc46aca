// Restormer, real camera noise (SIDD).
//
//   limpid train recipes/restormer/denoise-real.ts --data DIR --set validate.images.root=DIR
//
// Data: the 320 pairs of SIDD-Medium as 512-pixel patches that overlap by 128, in input_crops/ and
// target_crops/.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 6: SIDD validation 40.02 dB (float), DND 40.03 dB (its server).

import { defineRecipe, paired, pairFolders } from 'limpid/train'
import { frame, license, loss, mixup, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-denoise-real',
  card: { title: 'Restormer, real camera noise (SIDD)', task: 'denoise', license },
  network: network({ layerNorm: 'BiasFree' }),
  data: {
    images: pairFolders('data/SIDD/train', { input: 'input_crops', target: 'target_crops' }),
    phases,
    frame,
    sample: paired(),
    mixup,
  },
  loss,
  validate: {
    every: 4000,
    images: pairFolders('data/SIDD/val', { input: 'input_crops', target: 'target_crops' }),
    restore,
    metrics: ['psnr-float'],
  },
})
