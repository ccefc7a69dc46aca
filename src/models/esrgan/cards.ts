// Facts about ESRGAN's network.

import type { NetworkFacts } from '../networkDescriptor.ts'
import { esrganTensors } from './layouts.ts'

export const esrganFacts = {
  id: 'esrgan',
  signature: {
    keys: ['conv_first.weight', 'body.0.rdb1.conv1.weight', 'conv_body.weight', 'conv_last.weight'],
    layout: esrganTensors,
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
