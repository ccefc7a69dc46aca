// Weights of the inspecting network.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightInspectFacts = {
  id: 'light-inspect',
  signature: {
    keys: ['detail.stages.0.0.weight', 'whole.stages.0.0.weight', 'summary.weight', 'verdict.weight'],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
