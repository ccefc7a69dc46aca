// Refusion’s NAFNet: recognized, with no published weights in the registry.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const conditionalNafnetFacts = {
  id: 'conditional-nafnet',
  signature: {
    keys: ['intro.weight', 'time_mlp.1.weight', 'encoders.0.0.mlp.1.weight', 'ending.weight'],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
