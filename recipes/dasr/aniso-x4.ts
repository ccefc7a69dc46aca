// DASR ×4 for images blurred by anisotropic Gaussians of widths from 0.2 to 4 in any direction, with noise up
// to 25 (of 255).
//
//   limpid train recipes/dasr/aniso-x4.ts --data DF2K/HR --set validate.images.root=Set14
//
// Data: DIV2K (800) and Flickr2K (2650). The paper's hardware: 2 GPUs, below 1 GB on each; hours not stated.
// Expected, paper Table 3, Set14: from 27.99 dB (narrowest kernel, no noise) to 24.43 dB (widest, noise 10).
// The protocol dasr-aniso uses other kernels of similar widths, because the paper shows its kernels only as a
// figure: compare trends.

import { defineRecipe, folder, srmd, twoViews } from 'limpid/train'
import { network, phases, training, validation } from './shared.ts'

const scale = 4

export const recipe = defineRecipe({
  ...training,
  name: 'dasr-aniso-x4',
  card: { title: 'DASR ×4, unknown blur and noise', task: 'upscale', license: 'mit' },
  network: network(scale),
  data: {
    images: folder('data/DF2K/HR', { scale }),
    phases,
    sample: twoViews({ kernel: 'aniso', sigma: [0.2, 4], noise: [0, 25] }),
  },
  validate: {
    ...validation,
    images: folder('data/Set14', { scale }),
    degrade: srmd({ kernel: 'aniso', sigma: 2.4, sigma2: 1.2, angle: 45, noise: 10, scale }),
  },
})
