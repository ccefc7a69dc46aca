// Facts about SAFMN.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const safmnFacts = {
  id: 'safmn',
  signature: {
    keys: ['to_feat.weight', 'feats.0.safm.mfr.0.weight', 'feats.0.ccm.ccm.0.weight', 'to_img.0.weight'],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
