// The eager backend: tensors live in libtorch, ops run immediately, and autograd records them.

import type { Handle } from '../../native/addon.ts'
import { loadAddon as addon } from '../../native/load.ts'
import type { DType, TensorData } from '../core/data.ts'
import { fixedShape, formatShape, type Shape } from '../core/dims.ts'
import { isOutOfMemory, messageOf, RestoreError } from '../core/errors.ts'
import { isConstant } from '../core/hostBackend.ts'
import type { Op, OpAttrs } from '../core/ops.ts'
import { type Backend, Tensor } from '../core/tensor.ts'
import { mapTensors } from '../nn/module.ts'
import { call, split } from './ops.ts'

/** 'cpu', or a CUDA device such as 'cuda:0'. */
export type Device = 'cpu' | `cuda:${number}`

class TorchBackend implements Backend {
  readonly precedence = 1

  run<K extends Op>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K], shape: Shape): Tensor {
    const handles: Handle[] = []
    for (const tensor of inputs)
      handles.push(
        tensor.backend !== this && isConstant(tensor) ? copyBeside(inputs, tensor) : handleOf(tensor, op),
      )
    try {
      return new Tensor(this, call[op](attrs, handles), shape)
    } catch (error) {
      throw libtorchError(op, inputs, error)
    }
  }

  chunk(tensor: Tensor, length: number, dim: number): readonly Tensor[] {
    const shape = tensor.shape.with(dim, length)
    try {
      return split(handleOf(tensor, 'chunk'), length, dim).map((handle) => new Tensor(this, handle, shape))
    } catch (error) {
      throw libtorchError('chunk', [tensor], error)
    }
  }

  scoped(body: () => Tensor): Tensor {
    return scope(body)
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

/** Copies a constant to the device of the other inputs. */
function copyBeside(inputs: readonly Tensor[], constant: Tensor): Handle {
  const other = inputs.find((tensor) => tensor.backend === torchBackend)
  const device = other ? (addon().device(handleOf(other)) as Device) : 'cpu'
  return handleOf(toTorch(constant, device))
}

/** Wraps an error of libtorch with the op and its input shapes. */
function libtorchError(op: string, inputs: readonly Tensor[], error: unknown): RestoreError {
  const shapes = inputs.map((tensor) => formatShape(tensor.shape)).join(', ')
  const reason = messageOf(error)
  const code = isOutOfMemory(reason) ? 'memory' : 'shape'
  return new RestoreError(code, `${op}: libtorch rejected inputs ${shapes}: ${reason}`, { cause: error })
}

/** Throws a short error if a device does not exist; libtorch's own is a page long. */
export function checkDevice(device: Device): void {
  const index = /^cuda:(\d+)$/.exec(device)?.[1]
  if (index === undefined) return
  const devices = addon().cudaDevices()
  if (Number(index) < devices.length) return
  const found = devices.map(({ name }, i) => `cuda:${i} (${name})`).join(', ') || 'none'
  throw new RestoreError(
    'environment',
    `device: expected a CUDA device ${device}, found ${found}; run \`limpid doctor\``,
  )
}

/** The libtorch handle of an eager Tensor. */
export function handleOf(tensor: Tensor, op = 'handleOf'): Handle {
  if (tensor.backend === torchBackend) return tensor.value as Handle
  throw new RestoreError(
    'usage',
    `${op}: expected tensors in libtorch, got ${formatShape(tensor.shape)} elsewhere; move it with toTorch`,
  )
}

/** Wraps a libtorch handle in an eager Tensor. */
export function fromHandle(handle: Handle): Tensor {
  return new Tensor(torchBackend, handle, addon().shape(handle))
}

/**
 * Copies values to libtorch.
 * @throws RestoreError `environment` if the addon is not built
 */
export function toTorch(source: Tensor | TensorData, device: Device = 'cpu'): Tensor {
  const { bytes, shape, dtype } = source instanceof Tensor ? source.read() : source
  return new Tensor(
    torchBackend,
    addon().fromBytes(bytes, shape, dtype, device),
    fixedShape('toTorch', shape),
  )
}

/** Device of a tensor. */
export function deviceOf(tensor: Tensor): Device {
  return addon().device(handleOf(tensor)) as Device
}

/**
 * Moves a model's tensors to libtorch; trainable ones record gradients.
 * @throws RestoreError `environment` if the device does not exist or the addon is not built
 */
export function moveToTorch(module: object, device: Device = 'cpu'): void {
  checkDevice(device)
  mapTensors(module, (tensor) => {
    const moved = toTorch(tensor, device)
    if (tensor.isTrainable) addon().setRequiresGrad(handleOf(moved), true)
    return moved
  })
}

/**
 * Runs `body` and frees every libtorch tensor created in it, except those in its result: a tensor, or tensors
 * in an array or object. Scopes nest. Create anything that outlives a step, such as an optimizer, outside.
 * @throws RestoreError if `body` is async.
 * @example
 * ```ts
 * const loss = scope(() => scalar(l1Loss(network.forward(input), target)))
 * ```
 */
export function scope<T>(body: () => T): T {
  addon().scopeBegin()
  let kept: readonly Handle[] = []
  try {
    const result = rejectPromise('scope', body())
    kept = handlesIn(result)
    return result
  } finally {
    addon().scopeEnd(kept)
  }
}

function handlesIn(result: unknown): readonly Handle[] {
  if (result instanceof Tensor) return result.backend === torchBackend ? [result.value as Handle] : []
  if (typeof result !== 'object' || result === null || ArrayBuffer.isView(result)) return []
  return Object.values(result).flatMap(handlesIn)
}

/** Throws for async functions: a scope or mode would end before the promise settles. */
function rejectPromise<T>(name: string, result: T): T {
  if (!(result instanceof Promise)) return result
  throw new RestoreError(
    'usage',
    `${name}: expected a synchronous function, got an async one; await outside of it`,
  )
}

/** Runs `body` without recording gradients. */
export function noGrad<T>(body: () => T): T {
  const before = addon().setGradEnabled(false)
  try {
    return rejectPromise('noGrad', body())
  } finally {
    addon().setGradEnabled(before)
  }
}

/**
 * Runs convolutions and products in half precision where libtorch considers it safe; weights stay float32.
 */
export function autocast<T>(deviceType: 'cpu' | 'cuda', dtype: 'bfloat16' | 'float16', body: () => T): T {
  const before = addon().setAutocast(deviceType, dtype)
  try {
    return rejectPromise('autocast', body())
  } finally {
    addon().setAutocast(deviceType, before)
    addon().clearAutocastCache()
  }
}

/**
 * Accumulates gradients of a scalar loss into the trainable tensors it depends on.
 *
 * @throws RestoreError `shape` if the loss is no scalar or depends on nothing trainable
 * @example
 * ```ts
 * const network = new Light(randomInit(Math.random), lightDefaults)
 * moveToTorch(network)
 * backward(l1Loss(network.forward(input), target))
 * for (const [key, parameter] of parameters(network)) console.log(key, grad(parameter)?.read())
 * ```
 */
export function backward(loss: Tensor): void {
  try {
    addon().backward(handleOf(loss, 'backward'))
  } catch (error) {
    throw libtorchError('backward', [loss], error)
  }
}

/** Gradient accumulated in a trainable tensor. */
export function grad(tensor: Tensor): Tensor | undefined {
  const handle = addon().grad(handleOf(tensor, 'grad'))
  return handle ? fromHandle(handle) : undefined
}

/** Value of a one-element float tensor. */
export function scalar(tensor: Tensor): number {
  return item(handleOf(tensor, 'scalar'))
}

const item = (handle: Handle): number => {
  const bytes = addon().toBytes(toDouble(handle))
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true)
}

const toDouble = (handle: Handle): Handle => call.cast({ dtype: 'float64' }, [handle])
