// Facts about RealPLKSR.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const realPlksrFacts = {
  id: 'real-plksr',
  signature: {
    keys: [
      'feats.0.weight',
      'feats.1.channel_mixer.0.weight',
      'feats.1.lk.conv.weight',
      'feats.1.refine.weight',
    ],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
