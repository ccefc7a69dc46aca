// Facts about SwinIR.

import type { NetworkFacts } from '../networkDescriptor.ts'
import { swinirTensors } from './layouts.ts'

export const swinirFacts = {
  id: 'swinir',
  signature: {
    keys: [
      'conv_first.weight',
      'layers.0.residual_group.blocks.0.attn.relative_position_bias_table',
      'layers.0.residual_group.blocks.0.norm1.weight',
      'layers.0.residual_group.blocks.0.mlp.fc1.bias',
      'patch_embed.norm.weight',
    ],
    layout: swinirTensors,
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
