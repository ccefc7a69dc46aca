// DASR ×2 for noise-free images blurred by isotropic Gaussians of any width from 0.2 to 2.
//
//   limpid train recipes/dasr/iso-x2.ts --data DF2K/HR --set validate.images.root=Set5
//
// Data: DIV2K (800) and Flickr2K (2650). The paper's hardware: 2 GPUs, below 1 GB on each; hours not stated.
// Expected, paper Table 2, widths 0/0.6/1.2/1.8: Set5 37.87/37.47/37.19/35.43, Set14 33.34/32.96/32.78/31.60
// dB (`limpid eval --protocol dasr-iso-x2`).

import { defineRecipe, folder, srmd, twoViews } from 'limpid/train'
import { network, phases, training, validation } from './shared.ts'

const scale = 2

export const recipe = defineRecipe({
  ...training,
  name: 'dasr-iso-x2',
  card: { title: 'DASR ×2, unknown isotropic blur', task: 'upscale', license: 'mit' },
  network: network(scale),
  data: {
    images: folder('data/DF2K/HR', { scale }),
    phases,
    sample: twoViews({ kernel: 'iso', sigma: [0.2, 2] }),
  },
  validate: {
    ...validation,
    images: folder('data/Set5', { scale }),
    degrade: srmd({ kernel: 'iso', sigma: 1.2, scale }),
  },
})
