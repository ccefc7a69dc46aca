// Shapes do not tell whether a window is tall or wide, but files store the relative positions beside the weights, and the last one tells.

import { type Checkpoint, loadTensor, type StoredTensor } from '../../checkpoints/checkpoint.ts'
import { toFloat32 } from '../../checkpoints/convert.ts'
import { float32Data } from '../../core/data.ts'
import type { StoredTensors } from '../networkDescriptor.ts'

/** Key of an entry that no network reads, whose shape is the window's. */
export const windowKey = 'window'

/** Returns the tensors with an entry for the window; those of other networks, and of unknown positions, unchanged. */
export function datTensors({ tensors }: Pick<Checkpoint, 'tensors'>): StoredTensors {
  const positions = tensors.get('layers.0.blocks.0.attn.attns.0.rpe_biases')
  if (!positions || !tensors.has('before_RG.1.weight')) return tensors
  const [down = 0, right = 0] = toFloat32(loadTensor(positions)).slice(-2)
  if ((2 * down + 1) * (2 * right + 1) !== positions.shape[0]) return tensors
  const shape = [down + 1, right + 1]
  const read = () => float32Data(new Float32Array((down + 1) * (right + 1)), shape).bytes
  const window: StoredTensor = { dtype: 'float32', shape, read }
  return new Map([...tensors, [windowKey, window]])
}
