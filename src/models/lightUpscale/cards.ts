// Weights of the light upscaler.

import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightUpscaleFacts = {
  id: 'light-upscale',
  signature: { keys: ['head.weight', 'body.0.conv1.weight', 'merge.weight', 'tail.weight'] },
  license: 'apache',
  cards: [],
} as const satisfies NetworkFacts
