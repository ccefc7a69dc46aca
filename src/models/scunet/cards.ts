// Facts about SCUNet.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const scunetFacts = {
  id: 'scunet',
  signature: {
    keys: [
      'm_head.0.weight',
      'm_body.0.trans_block.ln1.weight',
      'm_body.0.trans_block.msa.relative_position_params',
      'm_up1.0.weight',
      'm_tail.0.weight',
    ],
  },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
