// Published weights of DASR, and a light one of Limpid.

import { freePhotos } from '../modelCard.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

const dasr = { task: 'upscale', license: 'mit', paper: 'arXiv:2104.00416' } as const

export const dasrFacts = {
  id: 'dasr',
  signature: {
    keys: ['G.head.0.weight', 'G.compress.0.weight', 'G.tail.1.weight', 'E.encoder_q.E.0.weight'],
  },
  license: 'mit',
  cards: [
    {
      ...dasr,
      id: 'dasr-light-x2',
      title: 'Light DASR, ×2 super-resolution of photos with isotropic blur and no noise; small and fast',
      scale: 2,
      options: { scale: 2, groups: 2, blocks: 3, channels: 48, encoderChannels: [32, 64, 128], queueSize: 0 },
      checkpoint: 'dasr-light-x2.safetensors',
      version: 1,
      secondsPerMegapixel: 2.8,
      sha256: 'baa687037150489a226f68a244af7b571e0f26207eabb1d3c403a7c6178f81c4',
      sizeBytes: 2_092_202,
      license: 'apache',
      reference: {
        set: 'CBSD68',
        protocol: 'Y channel, 8-bit, kernel width 1.2',
        inputPsnr: 27.49,
        psnr: 31.2,
        command: 'limpid eval --model dasr-light-x2 --data CBSD68 --protocol dasr-iso-x2',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/dasr/light-x2.ts --data photos-half --set validate.images.root=Set5 --out runs/dasr-light-x2',
      },
    },
    {
      ...dasr,
      id: 'dasr-x2-iso',
      title: 'DASR, ×2 super-resolution of pictures with isotropic blur and no noise',
      scale: 2,
      options: { scale: 2 },
      checkpoint: 'blindsr_x2_bicubic_iso/model/model_600.pt',
      reference: { set: 'Set14', protocol: 'Y channel, 8-bit, kernel width 1.2', psnr: 32.78 },
    },
    {
      ...dasr,
      id: 'dasr-x3-iso',
      title: 'DASR, ×3 super-resolution of pictures with isotropic blur and no noise',
      scale: 3,
      options: { scale: 3 },
      checkpoint: 'blindsr_x3_bicubic_iso/model/model_600.pt',
      reference: { set: 'Set14', protocol: 'Y channel, 8-bit, kernel width 0.8', psnr: 29.99 },
    },
    {
      ...dasr,
      id: 'dasr-x4-iso',
      title: 'DASR, ×4 super-resolution of pictures with isotropic blur and no noise',
      scale: 4,
      options: { scale: 4 },
      checkpoint: 'blindsr_x4_bicubic_iso/model/model_600.pt',
      reference: { set: 'Set14', protocol: 'Y channel, 8-bit, kernel width 2.4', psnr: 28.28 },
    },
    {
      ...dasr,
      id: 'dasr-x4-aniso',
      title: 'DASR, ×4 super-resolution of pictures with blur of any shape and noise up to 25',
      scale: 4,
      options: { scale: 4 },
      checkpoint: 'blindsr_x4_bicubic_aniso/model/model_600.pt',
      reference: {
        set: 'Set14',
        protocol: 'Y channel, 8-bit, first kernel of table 3, no noise',
        psnr: 27.99,
      },
    },
  ],
} as const satisfies NetworkFacts
