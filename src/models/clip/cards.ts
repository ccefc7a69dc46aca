// CLIP: recognized, with no published weights in the registry.

import { clipTensors } from '../../checkpoints/clipLayouts.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

export const clipFacts = {
  id: 'clip',
  signature: {
    keys: ['visual.conv1.weight', 'visual.positional_embedding', 'visual.proj', 'logit_scale'],
    layout: clipTensors,
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
