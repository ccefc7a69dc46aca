// The eager backend: tensors live in libtorch, ops run at once, autograd records.

import type { Handle } from '../../native/index.d.ts'
import { loadAddon as addon } from '../../native/load.ts'
import type { DType, TensorData } from '../core/data.ts'
import { fixedShape, formatShape, type Shape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import type { Op, OpAttrs } from '../core/ops.ts'
import { type Backend, Tensor } from '../core/tensor.ts'
import { mapTensors } from '../nn/module.ts'
import { call } from './ops.ts'

/** 'cpu', or 'cuda:0'. */
export type Device = 'cpu' | `cuda:${number}`

class TorchBackend implements Backend {
  readonly precedence = 1

  run<K extends Op>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K], shape: Shape): Tensor {
    const handles: Handle[] = []
    for (const tensor of inputs) handles.push(handleOf(tensor, op))
    try {
      return new Tensor(this, call[op](attrs, handles), shape)
    } catch (error) {
      const shapes = inputs.map((tensor) => formatShape(tensor.shape)).join(', ')
      const reason = error instanceof Error ? error.message : String(error)
      throw new RestoreError('shape', `${op}: libtorch refused inputs ${shapes}: ${reason}`, { cause: error })
    }
  }

  dtypeOf(value: unknown): DType {
    return addon().dtype(value as Handle)
  }

  read(value: unknown): TensorData {
    const handle = value as Handle
    return { dtype: addon().dtype(handle), shape: addon().shape(handle), bytes: addon().toBytes(handle) }
  }
}

const torchBackend = new TorchBackend()

/** libtorch's tensor behind an eager Tensor. */
export function handleOf(tensor: Tensor, op = 'handleOf'): Handle {
  if (tensor.backend === torchBackend) return tensor.value as Handle
  throw new RestoreError(
    'usage',
    `${op}: expected tensors in libtorch, got ${formatShape(tensor.shape)} elsewhere; move it with toTorch`,
  )
}

/** An eager Tensor around libtorch's. */
export function fromHandle(handle: Handle): Tensor {
  return new Tensor(torchBackend, handle, addon().shape(handle))
}

/** Copies values to libtorch. */
export function toTorch(source: Tensor | TensorData, device: Device = 'cpu'): Tensor {
  const { bytes, shape, dtype } = source instanceof Tensor ? source.read() : source
  return new Tensor(
    torchBackend,
    addon().fromBytes(bytes, shape, dtype, device),
    fixedShape('toTorch', shape),
  )
}

/** Moves a model's tensors to libtorch; trainable ones record gradients. */
export function moveToTorch(module: object, device: Device = 'cpu'): void {
  mapTensors(module, (tensor) => {
    const moved = toTorch(tensor, device)
    if (tensor.isTrainable) addon().setRequiresGrad(handleOf(moved), true)
    return moved
  })
}

type Kept = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | number | undefined

/** Frees at its end every tensor that was made inside, but those returned. Scopes nest. */
export function scope<T extends Kept>(body: () => T): T
export function scope(body: () => void): void
export function scope<T extends Kept>(body: () => T): T {
  addon().scopeBegin()
  let result: T | undefined
  try {
    result = body()
    return result
  } finally {
    addon().scopeEnd(tensorsIn(result).map((tensor) => handleOf(tensor)))
  }
}

function tensorsIn(result: Kept): readonly Tensor[] {
  if (result instanceof Tensor) return [result]
  return typeof result === 'object' ? Object.values(result) : []
}

/** Runs without recording gradients. */
export function noGrad<T>(body: () => T): T {
  const before = addon().setGradEnabled(false)
  try {
    return body()
  } finally {
    addon().setGradEnabled(before)
  }
}

/** Runs convolutions and products in half precision where libtorch deems it safe; weights stay float32. */
export function autocast<T>(deviceType: 'cpu' | 'cuda', dtype: 'bfloat16' | 'float16', body: () => T): T {
  const before = addon().setAutocast(deviceType, dtype)
  try {
    return body()
  } finally {
    addon().setAutocast(deviceType, before)
    addon().clearAutocastCache()
  }
}

/** Accumulates gradients of a scalar loss into the trainable tensors it depends on. */
export function backward(loss: Tensor): void {
  addon().backward(handleOf(loss, 'backward'))
}

/** The gradient accumulated in a trainable tensor. */
export function grad(tensor: Tensor): Tensor | undefined {
  const handle = addon().grad(handleOf(tensor, 'grad'))
  return handle ? fromHandle(handle) : undefined
}

/** The value of a one-element float tensor. */
export function scalar(tensor: Tensor): number {
  return item(handleOf(tensor, 'scalar'))
}

const item = (handle: Handle): number => {
  const bytes = addon().toBytes(toDouble(handle))
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true)
}

const toDouble = (handle: Handle): Handle => call.cast({ dtype: 'float64' }, [handle])
