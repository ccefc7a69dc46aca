// Weights of the tone network.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightToneFacts = {
  id: 'light-tone',
  signature: {
    keys: ['stages.0.0.weight', 'summary.weight', 'maps.weight', 'gates.weight', 'colors.weight'],
  },
  license: 'apache',
  taskOptions: { tone: { tone: 'all' }, dehaze: { tone: 'haze' }, 'low-light': { tone: 'light' } },
  cards: [],
} as const satisfies NetworkFacts
