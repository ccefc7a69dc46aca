// Facts about DnCNN and FDnCNN.

import type { NetworkFacts } from '../networkDescriptor.ts'
import { dncnnTensors } from './layout.ts'

export const dncnnFacts = {
  id: 'dncnn',
  signature: {
    keys: [
      'model.0.weight',
      'model.0.bias',
      'model.2.weight',
      'model.2.bias',
      'model.4.weight',
      'model.6.weight',
    ],
    layout: dncnnTensors,
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
