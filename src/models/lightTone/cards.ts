// Weights of the tone network.

import { freePhotos } from '../modelCard.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightToneFacts = {
  id: 'light-tone',
  signature: {
    keys: ['stages.0.0.weight', 'summary.weight', 'maps.weight', 'gates.weight', 'colors.weight'],
  },
  license: 'apache',
  taskOptions: { tone: { tone: 'all' }, dehaze: { tone: 'haze' }, 'low-light': { tone: 'light' } },
  cards: [
    {
      id: 'light-tone',
      task: 'tone',
      title:
        'Light tone network: haze, darkness, light from behind and fading, at full size; leaves texture alone',
      scale: 1,
      options: {},
      checkpoint: 'light-tone.safetensors',
      version: 1,
      secondsPerMegapixel: 0.3,
      sha256: '66d4a0f30a6f843fd459b81dc18ddd6e3f8d632258f7285637b6f1138ef7726f',
      sizeBytes: 1_766_814,
      license: 'apache',
      paper: 'arXiv:1505.04597',
      reference: {
        set: 'CBSD68',
        protocol: 'RGB, 8-bit, haze',
        inputPsnr: 14.93,
        psnr: 20.28,
        command: 'limpid eval --model light-tone --data CBSD68 --metrics psnr --degrade haze',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-tone.ts --data PHOTOS --set validate.images.root=CBSD68 --out runs/light-tone',
      },
    },
  ],
} as const satisfies NetworkFacts
