// DASR ×3 for noise-free images blurred by isotropic Gaussians of any width from 0.2 to 3.
//
//   limpid train recipes/dasr/iso-x3.ts --data DF2K/HR --set validate.images.root=Set5
//
// Data: DIV2K (800) and Flickr2K (2650). The paper's hardware: 2 GPUs, below 1 GB on each; hours not stated.
// Expected, paper Table 2, widths 0/0.8/1.6/2.4: Set5 34.11/34.08/33.57/32.15, Set14 30.13/29.99/28.66/28.42
// dB (`limpid eval --protocol dasr-iso-x3`).

import { defineRecipe, folder, srmd, twoViews } from 'limpid/train'
import { network, phases, training, validation } from './shared.ts'

const scale = 3

export const recipe = defineRecipe({
  ...training,
  name: 'dasr-iso-x3',
  card: { title: 'DASR ×3, unknown isotropic blur', task: 'upscale', license: 'mit' },
  network: network(scale),
  data: {
    images: folder('data/DF2K/HR', { scale }),
    phases,
    sample: twoViews({ kernel: 'iso', sigma: [0.2, 3] }),
  },
  validate: {
    ...validation,
    images: folder('data/Set5', { scale }),
    degrade: srmd({ kernel: 'iso', sigma: 1.6, scale }),
  },
})
