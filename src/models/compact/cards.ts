// Facts about SRVGGNetCompact.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const compactFacts = {
  id: 'compact',
  signature: { keys: ['body.0.weight', 'body.0.bias', 'body.2.weight', 'body.2.bias'] },
  license: 'bsd',
  cards: [],
} as const satisfies NetworkFacts
