// Tiny DA-CLIPs with random weights: one as published, and one with a fixed set of words.

import { join } from 'node:path'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { counterRandom } from '../src/core/random.ts'
import { clipDefaults } from '../src/models/clip/clip.ts'
import { DaClip } from '../src/models/daclip/daclip.ts'
import { randomInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { DetectorDaClip } from '../src/train/networks/daClipKinds.ts'

const options = {
  ...clipDefaults,
  features: 8,
  imageSize: [16, 16] as const,
  patch: 8,
  visionWidth: 64,
  visionLayers: 1,
  visionHeads: 1,
  contextLength: 12,
  textWidth: 8,
  textLayers: 1,
  textHeads: 1,
}

/** Writes daclip.safetensors and words.safetensors into a folder. */
export function writeDetectors(folder: string): void {
  for (const [name, Network] of [
    ['daclip', DaClip],
    ['words', DetectorDaClip],
  ] as const) {
    const random = counterRandom(1)
    const network = new Network(
      randomInit(() => random.uniform()),
      name === 'daclip' ? options : { ...options, stem: [6] },
    )
    const published = [...stateDict(network)].filter(
      ([key]) => name === 'daclip' || DetectorDaClip.publishes(key),
    )
    const tensors = published.map(([key, weight]) => [key, weight.read()] as const)
    writeSafetensors(join(folder, `${name}.safetensors`), new Map(tensors))
  }
}
