// The two layouts that files of DnCNN come in: convolutions with a batch norm behind each, as they are trained, and those with the norms merged
// into the convolutions, as they are released. The former are merged.

import { type Checkpoint, loadTensor, type StoredTensor } from '../../checkpoints/checkpoint.ts'
import { toFloat32 } from '../../checkpoints/convert.ts'
import { float32Data } from '../../core/data.ts'
import type { StoredTensors } from '../networkDescriptor.ts'

const eps = 1e-4

/** Returns the tensors with norms merged into convolutions; those of other networks unchanged. */
export function dncnnTensors({ tensors }: Pick<Checkpoint, 'tensors'>): StoredTensors {
  const isNormed = ['model.0.weight', 'model.2.weight', 'model.3.running_var'].every((key) =>
    tensors.has(key),
  )
  if (!isNormed) return tensors
  const merged = new Map<string, StoredTensor>()
  for (const [key, tensor] of tensors) {
    const [, index = '', part = ''] = /^model\.(\d+)\.(\w+)$/.exec(key) ?? []
    const layer = Number(index)
    // Behind the first convolution and its activation, each convolution is followed by a norm and an activation.
    const block = Math.floor((layer - 2) / 3)
    const to = layer === 0 ? 0 : 2 * block + 2
    const norm = `model.${layer + 1}`
    if (index === '') merged.set(key, tensor)
    else if (tensors.has(`${norm}.running_var`))
      merged.set(`model.${to}.${part}`, foldedPart(tensors, layer, part))
    else if (!tensors.has(`model.${layer}.running_var`)) merged.set(`model.${to}.${part}`, tensor)
  }
  return merged
}

/** Weight or bias of a convolution with the norm behind it. */
function foldedPart(tensors: StoredTensors, layer: number, part: string): StoredTensor {
  const stored = tensors.get(`model.${layer}.${part}`)!
  const read = () => {
    const floats = (key: string) => {
      const tensor = tensors.get(`model.${key}`)
      return tensor ? toFloat32(loadTensor(tensor)) : new Float32Array(stored.shape[0] ?? 0)
    }
    const norm = (name: string) => floats(`${layer + 1}.${name}`)
    const [gain, bias, mean, variance] = [
      norm('weight'),
      norm('bias'),
      norm('running_mean'),
      norm('running_var'),
    ]
    const values = floats(`${layer}.${part}`)
    const perChannel = values.length / gain.length
    const folded = values.map((value, i) => {
      const c = Math.floor(i / perChannel)
      const scale = gain[c]! / Math.sqrt(variance[c]! + eps)
      return part === 'weight' ? value * scale : (value - mean[c]!) * scale + bias[c]!
    })
    return float32Data(folded, stored.shape).bytes
  }
  return { dtype: 'float32', shape: stored.shape, read }
}
