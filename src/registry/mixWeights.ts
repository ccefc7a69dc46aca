// Mixes the weights of two files of one network linearly, as Real-ESRGAN's denoise strength does (deep network interpolation,
// arXiv:1811.10515).

import { type Checkpoint, loadTensor, type StoredTensor } from '../checkpoints/checkpoint.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import { float32Data, isFloat } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { listNames } from '../core/text.ts'
import type { StoredTensors } from '../models/networkDescriptor.ts'
import { detectNetwork } from './networkSignatures.ts'
import { networkOf } from './networks.ts'
import { shapesOf } from './storedWeights.ts'

/**
 * Returns a checkpoint with `share` (0..1) of the second file's weights and the rest of the first's; tensors are mixed when they are read.
 * @throws RestoreError 'checkpoint' for files of two networks, or of other options or shapes
 */
export function mixCheckpoints(first: Checkpoint, second: Checkpoint, share: number): Checkpoint {
  const [a, b] = [detectNetwork(first), detectNetwork(second)]
  const refuse = (expected: string, got: string) =>
    new RestoreError(
      'checkpoint',
      `mix: expected ${second.name} to be ${expected}, as ${first.name} is, got ${got}; mix two files of one network`,
    )
  if (a.id !== b.id) throw refuse(`weights of ${a.id}`, `those of ${b.id}`)
  const differing = differences(a.id, a.tensors, b.tensors)
  if (differing.length > 0)
    throw refuse(`${a.id} with equal options and shapes`, listNames(differing, { most: 3 }))
  const mixed = [...a.tensors].map(
    ([key, stored]) => [key, mixTensors(stored, b.tensors.get(key)!, share)] as const,
  )
  return { ...first, tensors: new Map(mixed) }
}

/** What distinguishes two files of a network, as texts. */
function differences(
  id: Parameters<typeof networkOf>[0],
  a: StoredTensors,
  b: StoredTensors,
): readonly string[] {
  const { optionsFromWeights } = networkOf(id)
  const [ours, theirs] = [optionsFromWeights(shapesOf(a)), optionsFromWeights(shapesOf(b))]
  const options = Object.keys(ours).filter(
    (name) => JSON.stringify(ours[name]) !== JSON.stringify(theirs[name]),
  )
  if (options.length > 0) return options.map((name) => `${name} ${theirs[name]} instead of ${ours[name]}`)
  const unmatched = [...a].flatMap(([key, { shape }]) => {
    const other = b.get(key)
    if (!other) return [`no ${key}`]
    return `${other.shape}` === `${shape}` ? [] : [`${key} [${other.shape}] instead of [${shape}]`]
  })
  return [...unmatched, ...[...b.keys()].filter((key) => !a.has(key)).map((key) => `also ${key}`)]
}

function mixTensors(a: StoredTensor, b: StoredTensor, share: number): StoredTensor {
  // Counters and tables of positions are no weights.
  if (!isFloat(a.dtype) || !isFloat(b.dtype)) return a
  const { shape } = a
  const read = () => {
    const [ours, theirs] = [toFloat32(loadTensor(a)), toFloat32(loadTensor(b))]
    return float32Data(
      ours.map((value, i) => (1 - share) * value + share * theirs[i]!),
      shape,
    ).bytes
  }
  return { dtype: 'float32', shape, read }
}
