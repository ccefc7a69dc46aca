// Refusion’s latent compressor: recognized, with no published weights in the registry.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const latentUnetFacts = {
  id: 'latent-unet',
  signature: {
    keys: ['init_conv.weight', 'encoder.0.0.block1.proj.weight', 'latent_conv.weight'],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
