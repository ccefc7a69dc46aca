// Files of SwinIR whose network unshuffles its input keep that step in conv_first, before the convolution.

import type { Checkpoint } from '../../checkpoints/checkpoint.ts'
import type { StoredTensors } from '../networkDescriptor.ts'

/** Returns the tensors under the official keys; those of other networks unchanged. */
export function swinirTensors({ tensors }: Pick<Checkpoint, 'tensors'>): StoredTensors {
  if (!tensors.has('conv_first.1.weight') || !tensors.has('layers.0.residual_group.blocks.0.norm1.weight'))
    return tensors
  return new Map([...tensors].map(([key, tensor]) => [key.replace('conv_first.1.', 'conv_first.'), tensor]))
}
