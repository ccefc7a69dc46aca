// Facts about FBCNN.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const fbcnnFacts = {
  id: 'fbcnn',
  signature: {
    keys: [
      'm_head.weight',
      'm_down1.0.res.0.weight',
      'm_body_encoder.0.res.0.weight',
      'qf_pred.0.res.0.weight',
    ],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
