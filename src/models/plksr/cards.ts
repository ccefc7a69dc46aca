// Facts about PLKSR.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const plksrFacts = {
  id: 'plksr',
  signature: {
    // The official code misspells its channel mixers.
    keys: ['feats.0.weight', 'feats.1.channe_mixer.0.weight', 'feats.1.refine.weight'],
  },
  license: 'mit',
  cards: [],
} as const satisfies NetworkFacts
