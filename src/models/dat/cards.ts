// Facts about DAT.

import type { NetworkFacts } from '../networkDescriptor.ts'
import { datTensors } from './layout.ts'

export const datFacts = {
  id: 'dat',
  signature: {
    keys: [
      'conv_first.weight',
      'before_RG.1.weight',
      'layers.0.blocks.0.ffn.sg.norm.weight',
      'layers.0.blocks.0.attn.attns.0.rpe_biases',
      'layers.0.blocks.0.attn.spatial_interaction.0.weight',
    ],
    layout: datTensors,
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
