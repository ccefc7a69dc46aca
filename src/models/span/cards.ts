// Facts about SPAN.

import type { NetworkFacts } from '../networkDescriptor.ts'
import { spanTensors } from './layout.ts'

export const spanFacts = {
  id: 'span',
  signature: {
    keys: [
      'conv_1.weight',
      'block_1.c1_r.weight',
      'block_6.c3_r.weight',
      'conv_cat.weight',
      'upsampler.0.weight',
    ],
    layout: spanTensors,
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
