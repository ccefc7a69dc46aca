// Facts about MixDehazeNet.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const mixDehazeNetFacts = {
  id: 'mix-dehaze-net',
  signature: {
    keys: [
      'patch_embed.proj.weight',
      'layer1.blocks.0.conv3_19.weight',
      'layer1.blocks.0.Wv.0.weight',
      'fusion2.mlp.0.weight',
      'patch_unembed.proj.0.weight',
    ],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
