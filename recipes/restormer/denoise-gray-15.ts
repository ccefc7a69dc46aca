// Restormer, gray Gaussian noise of sigma 15 (of 255).
//
//   limpid train recipes/restormer/denoise-gray-15.ts --data DFWB --set validate.images.root=BSD68
//
// Data: DIV2K (800), Flickr2K (2650), WaterlooED (4744) and BSD400 in one folder, in color; they are
// converted to gray on reading. To read less, cut images with both sides above 800 into 512-pixel patches
// that overlap by 96.
// Hardware: the paper's 8 GPUs, hours not stated.
// Expected, paper Table 4: Set12 33.42, BSD68 31.96, Urban100 33.79 dB.

import { defineRecipe, degraded, folder, noise } from 'limpid/train'
import { frame, license, loss, mixup, network, phases, restore, training } from './shared.ts'

export const recipe = defineRecipe({
  ...training,
  name: 'restormer-denoise-gray-15',
  card: { title: 'Restormer, gray Gaussian noise of sigma 15', task: 'denoise', license },
  network: network({ channelsIn: 1, channelsOut: 1, layerNorm: 'BiasFree' }),
  data: {
    images: folder('data/DFWB', { channels: 1 }),
    phases,
    frame,
    // The noise is neither clipped nor rounded.
    sample: degraded(noise({ sigma: 15 })),
    mixup,
  },
  loss,
  validate: {
    every: 4000,
    images: folder('data/BSD68', { channels: 1 }),
    degrade: noise({ sigma: 15 }),
    restore,
    metrics: ['psnr'],
  },
})
