// DASR ×4 for noise-free images blurred by isotropic Gaussians of any width from 0.2 to 4.
//
//   limpid train recipes/dasr/iso-x4.ts --data DF2K/HR --set validate.images.root=Set5
//
// Data: DIV2K (800) and Flickr2K (2650). The paper's hardware: 2 GPUs, below 1 GB on each; hours not stated.
// Expected, paper Table 2, widths 0/1.2/2.4/3.6: Set5 31.99/31.92/31.75/30.59, Set14 28.50/28.45/28.28/27.45
// dB (`limpid eval --protocol dasr-iso-x4`).

import { defineRecipe, folder, srmd, twoViews } from 'limpid/train'
import { network, phases, training, validation } from './shared.ts'

const scale = 4

export const recipe = defineRecipe({
  ...training,
  name: 'dasr-iso-x4',
  card: { title: 'DASR ×4, unknown isotropic blur', task: 'upscale', license: 'mit' },
  network: network(scale),
  data: {
    images: folder('data/DF2K/HR', { scale }),
    phases,
    sample: twoViews({ kernel: 'iso', sigma: [0.2, 4] }),
  },
  validate: {
    ...validation,
    images: folder('data/Set5', { scale }),
    degrade: srmd({ kernel: 'iso', sigma: 2.4, scale }),
  },
})
