// Detects the network of a checkpoint from its keys alone, without any network's code.

import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import { listNames } from '../core/text.ts'
import type { NetworkFacts, Signature, StoredTensors } from '../models/networkDescriptor.ts'
import { type ModelId, networkFacts } from './networks.ts'
import { describeStranger } from './strangers.ts'

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
  const { name, tensors } = checkpoint
  const stranger = describeStranger(tensors)
  const found = stranger?.isRestorer ? undefined : findNetwork(checkpoint)
  if (found) return found
  const keys = `got keys of another network (${listNames([...tensors.keys()], { most: 3 })})`
  if (stranger)
    throw new RestoreError(
      'checkpoint',
      `${name}: expected weights of a network that Limpid has, ${keys}; ${stranger.text}`,
    )
  const known = networkFacts.map(({ id }) => id).join(', ')
  const inner = prefixOfNetwork(checkpoint)
  const advice =
    inner === undefined
      ? ''
      : `; those of ${inner.id} begin with ${inner.prefix}: pass it as tensors (--tensors)`
  throw new RestoreError('checkpoint', `${name}: expected a checkpoint of ${known}, ${keys}${advice}`)
}

/** The first network in the table whose signature matches. */
function findNetwork(checkpoint: Checkpoint): DetectedNetwork | undefined {
  for (const { id, signature } of networkFacts as readonly NetworkFacts<ModelId>[]) {
    const tensors = signature.layout?.(checkpoint) ?? checkpoint.tensors
    if (matchesSignature(signature, tensors)) return { id, tensors }
  }
  return undefined
}

/** Finds a known network below a prefix of keys, such as the generator among the networks of a training. */
function prefixOfNetwork({
  tensors,
}: Checkpoint): { readonly id: ModelId; readonly prefix: string } | undefined {
  for (const { id, signature } of networkFacts as readonly NetworkFacts<ModelId>[]) {
    const end = `.${signature.keys[0]}`
    for (const key of tensors.keys()) {
      if (!key.endsWith(end)) continue
      const prefix = key.slice(0, -end.length)
      const below = { has: (name: string) => tensors.has(`${prefix}.${name}`) }
      if (matchesSignature(signature, below)) return { id, prefix }
    }
  }
  return undefined
}
