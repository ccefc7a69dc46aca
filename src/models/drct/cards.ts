// Facts about DRCT.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const drctFacts = {
  id: 'drct',
  signature: {
    keys: [
      'conv_first.weight',
      'layers.0.swin1.attn.qkv.weight',
      'layers.0.adjust1.weight',
      'layers.0.swin5.norm1.weight',
      'layers.0.adjust5.weight',
    ],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
