// SPAN trains each 3×3 convolution as four (1×1, 3×3, 1×1, and a 1×1 beside them), whose sum is one convolution (arXiv:2311.12770, section 3.3).
// Files hold all of them, besides what they were merged to when they were last run, which may be older: they are merged anew.

import { type Checkpoint, loadTensor, type StoredTensor } from '../../checkpoints/checkpoint.ts'
import { toFloat32 } from '../../checkpoints/convert.ts'
import { float32Data } from '../../core/data.ts'
import type { StoredTensors } from '../networkDescriptor.ts'

/** Returns the tensors with one convolution for each group; those of other networks unchanged. */
export function spanTensors({ tensors }: Pick<Checkpoint, 'tensors'>): StoredTensors {
  if (!tensors.has('conv_1.eval_conv.weight')) return tensors
  const merged = new Map<string, StoredTensor>()
  for (const [key, tensor] of tensors) {
    const [, group, part = ''] = /^(.*)\.(?:sk|eval_conv|conv\.[012])\.(weight|bias)$/.exec(key) ?? []
    if (group === undefined) merged.set(key, tensor)
    else if (!merged.has(`${group}.${part}`)) merged.set(`${group}.${part}`, partOf(tensors, group, part))
  }
  return merged
}

/** The weight or bias of a group's one convolution. */
function partOf(tensors: StoredTensors, group: string, part: string): StoredTensor {
  const evaluated = tensors.get(`${group}.eval_conv.${part}`)
  const branches = ['sk', 'conv.0', 'conv.1', 'conv.2'].flatMap((name) => {
    const weight = tensors.get(`${group}.${name}.weight`)
    const bias = tensors.get(`${group}.${name}.bias`)
    return weight && bias ? [{ weight, bias }] : []
  })
  const [beside, first, middle, last] = branches
  if (!beside || !first || !middle || !last) return evaluated ?? missing
  const [out = 0] = last.weight.shape
  const [, into = 0] = first.weight.shape
  const shape = part === 'weight' ? [out, into, 3, 3] : [out]
  const read = () =>
    float32Data(merge({ beside, first, middle, last })[part as 'weight' | 'bias'], shape).bytes
  return { dtype: 'float32', shape, read }
}

/** Reported as missing when the network is loaded. */
const missing: StoredTensor = { dtype: 'float32', shape: [0], read: () => new Uint8Array() }

interface Branch {
  readonly weight: StoredTensor
  readonly bias: StoredTensor
}

interface Branches {
  readonly beside: Branch
  readonly first: Branch
  readonly middle: Branch
  readonly last: Branch
}

const read = (tensor: StoredTensor) => toFloat32(loadTensor(tensor))

/** last(middle(first(x))) + beside(x) as one convolution. */
function merge({ beside, first, middle, last }: Branches): { weight: Float32Array; bias: Float32Array } {
  const [inner = 0, into = 0] = first.weight.shape
  const [wide = 0] = middle.weight.shape
  const [out = 0] = last.weight.shape
  const [w0, b0, w1, b1, w2, b2] = [first, middle, last].flatMap((one) => [read(one.weight), read(one.bias)])
  const two = new Float64Array(wide * into * 9)
  const twoBias = Float64Array.from(b1!)
  for (let m = 0; m < wide; m++)
    for (let c = 0; c < inner; c++)
      for (let k = 0; k < 9; k++) {
        const weight = w1![(m * inner + c) * 9 + k]!
        twoBias[m] = twoBias[m]! + weight * b0![c]!
        for (let i = 0; i < into; i++) two[(m * into + i) * 9 + k]! += weight * w0![c * into + i]!
      }
  const weight = new Float64Array(out * into * 9)
  const bias = Float64Array.from(b2!)
  const skip = { weight: read(beside.weight), bias: read(beside.bias) }
  for (let o = 0; o < out; o++) {
    for (let m = 0; m < wide; m++) {
      const factor = w2![o * wide + m]!
      bias[o] = bias[o]! + factor * twoBias[m]!
      for (let i = 0; i < into * 9; i++) weight[o * into * 9 + i]! += factor * two[m * into * 9 + i]!
    }
    bias[o] = bias[o]! + skip.bias[o]!
    for (let i = 0; i < into; i++) weight[(o * into + i) * 9 + 4]! += skip.weight[o * into + i]!
  }
  return { weight: Float32Array.from(weight), bias: Float32Array.from(bias) }
}
