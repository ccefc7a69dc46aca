// Restormer, color Gaussian noise of any strength up to 50 (of 255).
//
//   limpid train recipes/restormer/denoise-color-blind.ts --data DFWB --set validate.images.root=CBSD68
//
// Data: DIV2K (800), Flickr2K (2650), WaterlooED (4744) and BSD400 in one folder. To read less, cut images
// with both sides above 800 into 512-pixel patches that overlap by 96.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 5, at sigma 15/25/50: CBSD68 34.39/31.78/28.59, Kodak24 35.44/33.02/30.00, McMaster
// 35.55/33.31/30.29, Urban100 35.06/32.91/30.02 dB.

import { defineRecipe, degraded, folder, noise } from 'limpid/train'
import { frame, license, loss, mixup, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-denoise-color-blind',
  card: { title: 'Restormer, color Gaussian noise of any strength up to 50', task: 'denoise', license },
  network: network({ layerNorm: 'BiasFree' }),
  data: {
    images: folder('data/DFWB'),
    phases,
    frame,
    // The noise is neither clipped nor rounded.
    sample: degraded(noise({ sigma: [0, 50] })),
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
