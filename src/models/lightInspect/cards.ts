// Weights of the inspecting network.

import { freePhotos } from '../modelCard.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

export const lightInspectFacts = {
  id: 'light-inspect',
  signature: {
    keys: ['encoder.stem.0.weight', 'encoder.first', 'summary.weight', 'verdict.weight'],
  },
  license: 'apache',
  cards: [
    {
      id: 'light-inspect',
      task: 'detect',
      scale: 1,
      title: 'Light, names twelve kinds of damage; task auto looks with it',
      options: {},
      checkpoint: 'light-inspect.safetensors',
      version: 1,
      sha256: 'b5cfeeed4c68d70679f9697c6fbc31970faa3548c0d5518be640f17311cb8091',
      sizeBytes: 1_755_294,
      license: 'apache',
      paper: 'arXiv:2010.11929',
      reference: {
        set: 'GB82-CC0',
        protocol: 'each photo as it is, with each kind, and with five mixtures',
        accuracy: 0.55,
        command: 'npx tsx scripts/inspectTable.ts weights/light-inspect.safetensors GB82-CC0',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-inspect.ts --data PHOTOS --set network.weights=start.safetensors --out runs/light-inspect',
      },
    },
  ],
} as const satisfies NetworkFacts
