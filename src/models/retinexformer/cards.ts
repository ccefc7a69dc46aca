// Facts about Retinexformer.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const retinexformerFacts = {
  id: 'retinexformer',
  signature: {
    keys: [
      'body.0.estimator.conv1.weight',
      'body.0.denoiser.embedding.weight',
      'body.0.denoiser.bottleneck.blocks.0.0.rescale',
      'body.0.denoiser.mapping.weight',
    ],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
