// Facts about HAT.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const hatFacts = {
  id: 'hat',
  signature: {
    keys: [
      'conv_first.weight',
      'layers.0.residual_group.blocks.0.norm1.weight',
      'layers.0.residual_group.blocks.0.conv_block.cab.0.weight',
      'layers.0.residual_group.blocks.0.conv_block.cab.3.attention.1.weight',
      'layers.0.residual_group.overlap_attn.relative_position_bias_table',
    ],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
