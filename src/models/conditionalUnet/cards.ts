// Published weights of IR-SDE and of DA-CLIP’s universal network.

import { restoringSde } from '../../diffusion/irsde.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

const irsde = {
  scale: 1,
  options: {},
  license: 'mit',
  paper: 'arXiv:2301.11699',
  sampling: { sde: { ...restoringSde, maxSigma: 10 }, sampler: 'posterior' },
} as const

export const conditionalUnetFacts = {
  id: 'conditional-unet',
  signature: {
    keys: [
      'init_conv.weight',
      'time_mlp.1.weight',
      'downs.0.0.block1.proj.weight',
      'mid_block1.block1.proj.weight',
    ],
  },
  license: 'mit',
  cards: [
    {
      ...irsde,
      id: 'irsde-derain-heavy',
      task: 'derain',
      title: 'IR-SDE, heavy rain (Rain100H)',
      checkpoint: 'ir-sde-derainH100.pth',
      reference: { set: 'Rain100H', protocol: 'RGB, 8-bit, 4 pixels cropped', psnr: 31.65 },
    },
    {
      ...irsde,
      id: 'irsde-derain-light',
      task: 'derain',
      title: 'IR-SDE, light rain (Rain100L)',
      checkpoint: 'ir-sde-derainL100.pth',
      reference: { set: 'Rain100L', protocol: 'RGB, 8-bit, 4 pixels cropped', psnr: 38.3 },
    },
    {
      ...irsde,
      id: 'daclip-universal',
      task: 'universal',
      title: 'DA-CLIP, ten degradations with one network',
      options: { multipliers: [1, 1, 2, 4, 8], contextWidth: 512, usesContent: true, usesDegradation: true },
      checkpoint: 'universal-ir.pth',
      paper: 'arXiv:2310.01018',
      reference: { set: 'ten degradations', protocol: 'RGB, 8-bit, mean of ten tasks', psnr: 27.01 },
      sampling: { sde: restoringSde, sampler: 'posterior' },
      guide: 'daclip_ViT-B-32.pt',
    },
  ],
} as const satisfies NetworkFacts
