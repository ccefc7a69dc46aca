// Facts about NAFNet.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const nafnetFacts = {
  id: 'nafnet',
  signature: {
    keys: [
      'intro.weight',
      'middle_blks.0.sca.1.weight',
      'middle_blks.0.norm1.weight',
      'ups.0.0.weight',
      'ending.weight',
    ],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
