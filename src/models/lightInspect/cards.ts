// Weights of the inspecting network.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightInspectFacts = {
  id: 'light-inspect',
  signature: {
    keys: ['encoder.stem.0.weight', 'encoder.first', 'summary.weight', 'verdict.weight'],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
