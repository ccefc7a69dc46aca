// Facts about RGT.

import { datTensors } from '../dat/layout.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

export const rgtFacts = {
  id: 'rgt',
  signature: {
    keys: [
      'conv_first.weight',
      'before_RG.1.weight',
      'layers.0.blocks.0.gamma',
      'layers.0.blocks.0.attn.attns.0.rpe_biases',
      'layers.0.blocks.0.attn.get_v.weight',
    ],
    layout: datTensors,
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
