// The second network that some networks need to sample: a DA-CLIP, or a compression to latents.

import type { Checkpoint } from '../../checkpoints/checkpoint.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Guidance, RequiredGuide, NetworkDescription } from '../../models/networkDescriptor.ts'
import { describeNetwork } from '../../registry/loadModel.ts'
import type { ModelId } from '../../registry/networks.ts'

/** The guide a network needs; undefined where it needs none. */
export function requiredGuide({ role }: NetworkDescription): RequiredGuide | undefined {
  return role.kind === 'samples' ? role.guide : undefined
}

/** A needed guide in words. */
export function guideLabel({ kind, width }: RequiredGuide): string {
  return kind === 'embeddings'
    ? `the DA-CLIP of ${width} features that it was trained with`
    : `the compression to ${width} channels that it was trained with`
}

/** Names of both files in errors. */
interface Names {
  readonly weights: string
  readonly guide: string
}

/** Refuses a guide where none is needed. */
export function rejectGuide({ id }: NetworkDescription, { weights, guide }: Names): never {
  throw new RestoreError(
    'usage',
    `guide: expected none, as ${weights} (${id}) needs none, got ${guide}; leave it out`,
  )
}

/**
 * Describes the network of a guide.
 * @throws RestoreError 'usage' unless it supplies what is needed
 */
export function checkGuide(
  checkpoint: Checkpoint,
  need: RequiredGuide,
  { weights, guide }: Names,
): { readonly network: NetworkDescription<ModelId>; readonly guidance: Guidance } {
  const network = describeNetwork(checkpoint)
  const { id, role } = network
  const guidance = role.kind === 'guides' ? role.guidance : undefined
  if (guidance?.kind !== need.kind)
    throw new RestoreError(
      'usage',
      `guide: expected ${guideLabel(need)} beside ${weights}, got ${guide}, which holds ${id}`,
    )
  if (guidance.width === need.width) return { network, guidance }
  throw new RestoreError(
    'usage',
    `guide: expected ${guideLabel(need)} beside ${weights}, got ${guide}, which has ${guidance.width}; use the file that belongs to these weights`,
  )
}
