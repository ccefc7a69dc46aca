// Networks that a training uses and leaves alone: no part of what is trained, averaged or saved.

import { loadTensor } from '../../checkpoints/checkpoint.ts'
import { toFloat32 } from '../../checkpoints/convert.ts'
import { readCheckpoint } from '../../checkpoints/files.ts'
import { RestoreError } from '../../core/errors.ts'
import { emptyInit, type Init } from '../../nn/init.ts'
import type { KeyShapes } from '../../nn/keyShapes.ts'
import { loadWeights, mapTensors } from '../../nn/module.ts'
import { type Device, moveToTorch } from '../../torch/backend.ts'

/** How a network is built from what its weights tell. */
export interface FrozenKind<N extends object, O> {
  optionsFromWeights(shapes: KeyShapes): O
  create(init: Init, options: O): N
}

export interface Frozen<N extends object> {
  /** Reads the weights: in `network.start`, as what a step makes is freed at its end. */
  open(file: string, device: Device): void
  get(file: string, device: Device): N
}

/** Networks of a kind by their files, without gradients. */
export function frozen<N extends object, O>(kind: FrozenKind<N, O>): Frozen<N> {
  const opened = new Map<string, N>()
  return {
    open: (file, device) => {
      opened.set(`${device} ${file}`, open(kind, file, device))
    },
    get: (file, device) => {
      const network = opened.get(`${device} ${file}`)
      if (network) return network
      throw new RestoreError('usage', `${file}: expected a recipe whose network.start opens it, got none`)
    },
  }
}

function open<N extends object, O>(kind: FrozenKind<N, O>, file: string, device: Device): N {
  const { tensors } = readCheckpoint(file)
  const shapes = new Map([...tensors].map(([key, { shape }]) => [key, shape]))
  const network = kind.create(emptyInit(), kind.optionsFromWeights(shapes))
  const sources = [...tensors].map(
    ([key, stored]) => [key, { shape: stored.shape, floats: () => toFloat32(loadTensor(stored)) }] as const,
  )
  loadWeights(network, new Map(sources))
  mapTensors(network, (tensor) => {
    tensor.isTrainable = false
    return tensor
  })
  moveToTorch(network, device)
  return network
}
