// Weights of the light upscaler.

import { freePhotos } from '../modelCard.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightUpscaleFacts = {
  id: 'light-upscale',
  signature: { keys: ['head.weight', 'body.0.conv1.weight', 'merge.weight', 'tail.weight'] },
  license: 'apache',
  cards: [
    {
      id: 'light-upscale-x2',
      task: 'upscale',
      title: 'Light upscaler, ×2, of clean pictures and JPEGs of the web',
      scale: 2,
      options: {},
      checkpoint: 'light-upscale-x2.safetensors',
      version: 1,
      sha256: 'ba1feb36e66b604754ab95a62b412cab347bcd026075a38a62779fd22255e917',
      sizeBytes: 1_202_608,
      license: 'apache',
      paper: 'arXiv:1707.02921',
      reference: {
        set: 'Set5',
        protocol: 'Y channel, 8-bit, bicubic',
        inputPsnr: 33.67,
        psnr: 36.54,
        command: 'limpid eval --model light-upscale-x2 --data Set5 --protocol ipt-sr-x2',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-upscale-x2.ts --data PHOTOS --set validate.images.root=Set5 --out runs/light-upscale-x2',
      },
    },
    {
      id: 'light-upscale-x4',
      task: 'upscale',
      title: 'Light upscaler, ×4, of clean pictures and JPEGs of the web',
      scale: 4,
      options: { scale: 4 },
      checkpoint: 'light-upscale-x4.safetensors',
      version: 1,
      sha256: '2550e1866ee03509a75e183bc8d5c548442ccb495f9851bf1d8044ee2fc0230e',
      sizeBytes: 1_244_152,
      license: 'apache',
      paper: 'arXiv:1707.02921',
      reference: {
        set: 'Set5',
        protocol: 'Y channel, 8-bit, bicubic',
        inputPsnr: 28.43,
        psnr: 30.58,
        command: 'limpid eval --model light-upscale-x4 --data Set5 --protocol ipt-sr-x4',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-upscale-x4.ts --data PHOTOS --set network.weights=start.safetensors --set validate.images.root=Set5 --out runs/light-upscale-x4',
      },
    },
  ],
} as const satisfies NetworkFacts
