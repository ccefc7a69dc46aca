// Facts about SRFormer.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const srformerFacts = {
  id: 'srformer',
  signature: {
    keys: [
      'conv_first.weight',
      'layers.0.residual_group.blocks.0.attn.relative_position_bias_table',
      'layers.0.residual_group.blocks.0.attn.kv.weight',
      'layers.0.residual_group.blocks.0.attn.q.weight',
      'layers.0.residual_group.blocks.0.mlp.dwconv.depthwise_conv.0.weight',
    ],
  },
  license: 'cc-by-nc',
  cards: [],
} as const satisfies NetworkFacts
