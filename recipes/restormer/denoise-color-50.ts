// Restormer, color Gaussian noise of sigma 50 (of 255).
//
//   limpid train recipes/restormer/denoise-color-50.ts --data DFWB --set validate.images.root=CBSD68
//
// Data: DIV2K (800), Flickr2K (2650), WaterlooED (4744) and BSD400 in one folder. To read less, cut images
// with both sides above 800 into 512-pixel patches that overlap by 96.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 5: CBSD68 28.60, Kodak24 30.01, McMaster 30.30, Urban100 30.02 dB.
// Reproduced by others with the official code: CBSD68 28.586, Kodak24 29.968, McMaster 30.237, Urban100
// 29.892 dB.

import { defineRecipe, degraded, folder, noise } from 'limpid/train'
import { frame, license, loss, mixup, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-denoise-color-50',
  card: { title: 'Restormer, color Gaussian noise of sigma 50', task: 'denoise', license },
  network: network({ layerNorm: 'BiasFree' }),
  data: {
    images: folder('data/DFWB'),
    phases,
    frame,
    // The noise is neither clipped nor rounded.
    sample: degraded(noise({ sigma: 50 })),
    mixup,
  },
  loss,
  validate: {
    every: 4000,
    images: folder('data/CBSD68'),
    degrade: noise({ sigma: 50 }),
    restore,
    metrics: ['psnr'],
  },
})
