// Networks that a training uses and leaves alone: no part of what is trained, averaged or saved.

import { toFloat32 } from '../checkpoints/convert.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { loadTensor } from '../checkpoints/stored.ts'
import { emptyInit, type Init } from '../nn/init.ts'
import { loadWeights, mapTensors } from '../nn/module.ts'
import { type Device, moveToTorch } from '../torch/backend.ts'

/** How a network is built from what its weights tell. */
export interface FrozenKind<N extends object, O> {
  optionsFromWeights(shapes: ReadonlyMap<string, readonly number[]>): O
  create(init: Init, options: O): N
}

/** Opens a network from a file, without gradients, when it is first asked for: data workers import recipes too. */
export function frozen<N extends object, O>(kind: FrozenKind<N, O>): (file: string, device: Device) => N {
  const opened = new Map<string, N>()
  return (file, device) => {
    const key = `${device} ${file}`
    const network = opened.get(key) ?? open(kind, file, device)
    opened.set(key, network)
    return network
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
