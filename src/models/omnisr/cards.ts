// Facts about Omni-SR.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const omnisrFacts = {
  id: 'omnisr',
  signature: {
    keys: [
      'input.weight',
      'residual_layer.0.residual_layer.0.layer.0.fn.0.weight',
      'residual_layer.0.residual_layer.0.layer.5.fn.temperature',
      'residual_layer.0.esa.conv4.weight',
      'up.0.weight',
    ],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
