// Opens the weights of a request in Node: one file, or two that are mixed.

import type { Checkpoint } from '../../checkpoints/checkpoint.ts'
import { readCheckpoint } from '../../checkpoints/files.ts'
import { mixCheckpoints } from '../../registry/mixWeights.ts'
import type { Setup } from './protocol.ts'

/** Opens the weights. @throws RestoreError 'input', or 'checkpoint' for files that cannot be mixed */
export function openWeights({
  weights,
  tensors,
  mix,
}: Pick<Setup, 'weights' | 'tensors' | 'mix'>): Checkpoint {
  const checkpoint = readCheckpoint(weights, { tensors })
  return mix ? mixCheckpoints(checkpoint, readCheckpoint(mix.weights, { tensors }), mix.share) : checkpoint
}
