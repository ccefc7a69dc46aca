// Detects the network of a checkpoint from its keys alone, without any network's code.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import type { NetworkFacts, Signature, StoredTensors } from '../models/networkDescriptor.ts'
import { type ModelId, networkFacts } from './networks.ts'

/** Network of a checkpoint, and its tensors. */
export interface DetectedNetwork {
  readonly id: ModelId
  /** The checkpoint's tensors under the network's own keys. */
  readonly tensors: StoredTensors
}

/** Whether all keys of a signature are present. */
export function matchesSignature({ keys }: Signature, present: { has(key: string): boolean }): boolean {
  return keys.every((key) => present.has(key))
}

/**
 * Detects the network of a checkpoint: the first in the table whose signature matches.
 * @throws RestoreError 'checkpoint' that lists the known networks and some of the keys
 */
export function detectNetwork(checkpoint: Checkpoint): DetectedNetwork {
  for (const { id, signature } of networkFacts as readonly NetworkFacts<ModelId>[]) {
    const tensors = signature.layout?.(checkpoint) ?? checkpoint.tensors
    if (matchesSignature(signature, tensors)) return { id, tensors }
  }
  const known = networkFacts.map(({ id }) => id).join(', ')
  const found = [...checkpoint.tensors.keys()].slice(0, 3).join(', ')
  throw new RestoreError(
    'checkpoint',
    `weights: expected a checkpoint of ${known}, got keys of another network (${found}, …)`,
  )
}
