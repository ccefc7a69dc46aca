// Frozen networks that a loss uses: not trained, averaged or saved.

import { loadTensor } from '../../checkpoints/checkpoint.ts'
import { toFloat32 } from '../../checkpoints/convert.ts'
import { readCheckpoint } from '../../checkpoints/files.ts'
import { RestoreError } from '../../core/errors.ts'
import { emptyInit, type Init } from '../../nn/init.ts'
import type { KeyShapes } from '../../nn/keyShapes.ts'
import { loadWeights, mapTensors } from '../../nn/module.ts'
import { type Device, moveToTorch } from '../../torch/backend.ts'

/** How a network is built from its weights. */
export interface FrozenNetworkType<N extends object, O> {
  optionsFromWeights(shapes: KeyShapes): O
  create(init: Init, options: O): N
}

export interface FrozenNetworks<N extends object> {
  /** Reads the weights. Call it in `network.start`: tensors created during a step are freed at its end. */
  open(file: string, device: Device): void
  /**
   * Returns an opened network.
   *
   * @throws RestoreError `usage` if it was not opened
   */
  get(file: string, device: Device): N
}

/** Creates a registry of frozen networks of one type, by file and device. */
export function frozenNetworks<N extends object, O>(type: FrozenNetworkType<N, O>): FrozenNetworks<N> {
  const opened = new Map<string, N>()
  return {
    open: (file, device) => {
      opened.set(`${device} ${file}`, open(type, file, device))
    },
    get: (file, device) => {
      const network = opened.get(`${device} ${file}`)
      if (network) return network
      throw new RestoreError(
        'usage',
        `${file}: expected a recipe whose network.start opens it, got one that does not`,
      )
    },
  }
}

function open<N extends object, O>(type: FrozenNetworkType<N, O>, file: string, device: Device): N {
  const { tensors } = readCheckpoint(file)
  const shapes = new Map([...tensors].map(([key, { shape }]) => [key, shape]))
  const network = type.create(emptyInit(), type.optionsFromWeights(shapes))
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
