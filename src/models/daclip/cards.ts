// DA-CLIP weights for detecting degradations.

import { freePhotos } from '../modelCard.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

export const daClipFacts = {
  id: 'daclip',
  signature: {
    keys: ['clip.visual.conv1.weight', 'visual_control.conv1.weight', 'logit_scale'],
  },
  license: 'mit',
  cards: [
    {
      id: 'daclip',
      task: 'detect',
      scale: 1,
      title: 'DA-CLIP, names ten kinds of damage, and compares with any text',
      options: {},
      checkpoint: 'daclip_ViT-B-32.pt',
      license: 'mit',
      paper: 'arXiv:2310.01018',
    },
    {
      id: 'light-detect',
      task: 'detect',
      scale: 1,
      title: 'Light DA-CLIP, names ten kinds of damage; knows no other words',
      options: {
        features: 128,
        patch: 16,
        visionWidth: 128,
        stem: [48, 96, 128],
        visionLayers: 2,
        visionHeads: 2,
        contextLength: 32,
        textWidth: 48,
        textLayers: 2,
        textHeads: 1,
      },
      checkpoint: 'light-detect.safetensors',
      version: 1,
      sha256: 'cca2ccd94cba5246b3b5365e12564f51eaec24753bec56189d6b1a1ed97490fe',
      sizeBytes: 7_390_052,
      license: 'apache',
      paper: 'arXiv:2310.01018',
      reference: {
        set: 'CBSD68',
        protocol: 'each photo with each of ten kinds of damage',
        accuracy: 0.966,
        command: 'npx tsx scripts/detectTable.ts weights/light-detect.safetensors CBSD68',
      },
      training: {
        data: freePhotos,
        command: 'limpid train recipes/light-detect.ts --data kinds --out runs/light-detect',
      },
    },
  ],
} as const satisfies NetworkFacts
