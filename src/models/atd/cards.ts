// Facts about ATD.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const atdFacts = {
  id: 'atd',
  signature: {
    keys: [
      'conv_first.weight',
      'layers.0.residual_group.td',
      'layers.0.residual_group.layers.0.wqkv.weight',
      'layers.0.residual_group.layers.0.attn_atd.scale',
      'layers.0.residual_group.layers.0.attn_aca.logit_scale',
    ],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
