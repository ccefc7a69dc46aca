// Restormer, color Gaussian noise of sigma 25 (of 255).
//
//   limpid train recipes/restormer/denoise-color-25.ts --data DFWB --set validate.images.root=CBSD68
//
// Data: DIV2K (800), Flickr2K (2650), WaterlooED (4744) and BSD400 in one folder. To read less, cut images
// with both sides above 800 into 512-pixel patches that overlap by 96.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 5: CBSD68 31.79, Kodak24 33.04, McMaster 33.34, Urban100 32.96 dB.

import { defineRecipe, degraded, folder, noise } from 'limpid/train'
import { frame, license, loss, mixup, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-denoise-color-25',
  card: { title: 'Restormer, color Gaussian noise of sigma 25', task: 'denoise', license },
  network: network({ layerNorm: 'BiasFree' }),
  data: {
    images: folder('data/DFWB'),
    phases,
    frame,
    // The noise is neither clipped nor rounded.
    sample: degraded(noise({ sigma: 25 })),
    mixup,
  },
  loss,
  validate: {
    every: 4000,
    images: folder('data/CBSD68'),
    degrade: noise({ sigma: 25 }),
    restore,
    metrics: ['psnr'],
  },
})
