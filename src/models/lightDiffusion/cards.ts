// Weights of the light diffusion network.

import { restoringSde } from '../../diffusion/irsde.ts'
import { freePhotos } from '../modelCard.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightDiffusionFacts = {
  id: 'light-diffusion',
  signature: {
    keys: ['trunk.intro.weight', 'stateIntro.weight', 'context.0.weight', 'modulations.0.weight'],
  },
  license: 'apache',
  cards: [
    {
      id: 'light-universal',
      task: 'universal',
      scale: 1,
      title: 'Light IR-SDE, ten kinds of damage with one network; small and fast',
      options: {},
      checkpoint: 'light-universal.safetensors',
      version: 1,
      secondsPerMegapixel: 6.4,
      sha256: 'b311c92b9da04ba5f6036858d107e1772728a5491ce3494aea0a0e96ed2c34d3',
      sizeBytes: 9_728_672,
      license: 'apache',
      paper: 'arXiv:2301.11699',
      reference: {
        set: 'CBSD68',
        protocol: 'RGB, 8-bit, mean of ten kinds on squares of the first 10 photos',
        inputPsnr: 18.16,
        psnr: 21.44,
        command:
          "npx tsx scripts/universalTable.ts weights/light-universal.safetensors weights/light-detect.safetensors CBSD68 10 'posterior 2'",
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-universal.ts --data photos-half --set validate.images.root=CBSD68 && limpid train recipes/light-universal-on.ts --data photos-half --set validate.images.root=CBSD68',
      },
      sampling: {
        sde: { ...restoringSde, maxSigma: 10, dataSigma: 40, sampleSteps: 2, sampleTimes: 'matched' },
        sampler: 'posterior',
      },
      guide: 'light-detect',
    },
  ],
} as const satisfies NetworkFacts
