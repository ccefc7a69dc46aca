// Facts about MoSR.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const mosrFacts = {
  id: 'mosr',
  signature: {
    keys: ['gblocks.0.weight', 'gblocks.1.norm.weight', 'gblocks.1.fc1.weight', 'gblocks.1.conv.weight'],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
