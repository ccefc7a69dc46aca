// The guide: a second network that some need for sampling, either a DA-CLIP or a latent compressor.

import type { Checkpoint } from '../../checkpoints/checkpoint.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Guidance, NetworkDescription, RequiredGuide } from '../../models/networkDescriptor.ts'
import { describeNetwork } from '../../registry/loadModel.ts'
import type { ModelId } from '../../registry/networks.ts'

/** Guide that a network needs; undefined if it needs none. */
export function requiredGuide({ role }: NetworkDescription): RequiredGuide | undefined {
  return role.kind === 'samples' ? role.guide : undefined
}

/** Describes a required guide for errors. */
export function describeGuide({ kind, width }: RequiredGuide): string {
  return kind === 'embeddings'
    ? `the DA-CLIP of ${width} features that it was trained with`
    : `the latent compressor of ${width} channels that it was trained with`
}

/** Names of both files in errors. */
interface FileNames {
  readonly weights: string
  readonly guide: string
}

/** Rejects a guide that is not needed. @throws RestoreError 'usage' */
export function rejectGuide({ id }: NetworkDescription, { weights, guide }: FileNames): never {
  throw new RestoreError(
    'usage',
    `guide: expected none, as ${weights} (${id}) needs none, got ${guide}; leave it out`,
  )
}

/**
 * Describes the network of a guide.
 * @throws RestoreError 'usage' unless the guide meets the requirement
 */
export function checkGuide(
  checkpoint: Checkpoint,
  required: RequiredGuide,
  { weights, guide }: FileNames,
): { readonly network: NetworkDescription<ModelId>; readonly guidance: Guidance } {
  const network = describeNetwork(checkpoint)
  const { id, role } = network
  const guidance = role.kind === 'guides' ? role.guidance : undefined
  if (guidance?.kind !== required.kind)
    throw new RestoreError(
      'usage',
      `guide: expected ${describeGuide(required)} beside ${weights}, got ${guide}, which holds ${id}`,
    )
  if (guidance.width === required.width) return { network, guidance }
  throw new RestoreError(
    'usage',
    `guide: expected ${describeGuide(required)} beside ${weights}, got ${guide}, which has ${guidance.width}; use the file that belongs to these weights`,
  )
}
