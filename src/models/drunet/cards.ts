// Facts about DRUNet.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const drunetFacts = {
  id: 'drunet',
  signature: {
    keys: ['m_head.weight', 'm_down1.0.res.0.weight', 'm_body.0.res.0.weight', 'm_tail.weight'],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
