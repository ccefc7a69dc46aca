// What a weights file looks like once opened: named tensors whose bytes are read on demand. Runs in browsers too.

import type { DType, TensorData } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'

/** A tensor that stays in its file until `read()`, which gives contiguous little-endian bytes not to be written to. */
export interface StoredTensor {
  readonly dtype: DType
  readonly shape: readonly number[]
  read(): Uint8Array
}

/** An opened weights file; keys keep the file's order. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** `__metadata__` of a safetensors file; empty for PyTorch files. */
  readonly metadata: ReadonlyMap<string, string>
  readonly container: 'safetensors' | 'zip' | 'legacy' | 'torchscript'
  /** Keys descended from the root object to the tensors, such as `['params_ema']`. */
  readonly path: readonly string[]
  /** What every key started with and no longer does, such as `'module.'`. */
  readonly prefix: string
}

/** Random access to the bytes of a file; `read` throws unless all of the range exists, and its result is not to be written to. */
export interface ByteSource {
  /** File name for messages. */
  readonly name: string
  readonly size: number
  read(offset: number, length: number): Uint8Array
}

export function memorySource(bytes: Uint8Array | ArrayBuffer, name = 'checkpoint'): ByteSource {
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)
  return {
    name,
    size: view.length,
    read(offset, length) {
      checkRange(offset, length, view.length)
      return view.subarray(offset, offset + length)
    },
  }
}

export function checkRange(offset: number, length: number, size: number): void {
  if (offset < 0 || length < 0 || !Number.isSafeInteger(offset + length) || offset + length > size) {
    throw malformed(
      `expected ${length} bytes at ${offset}, but the file has ${size}: it is cut short or damaged, fetch it again`,
    )
  }
}

/** Loads a tensor into memory. */
export function loadTensor(tensor: StoredTensor): TensorData {
  return { dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.read() }
}

export function malformed(message: string, cause?: unknown): RestoreError {
  return new RestoreError('checkpoint', message, cause === undefined ? undefined : { cause })
}

/** Runs `action`, putting `label` (a file, record or key) in front of the message of a checkpoint error. */
export function within<T>(label: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof RestoreError && error.code === 'checkpoint') {
      throw malformed(`${label}: ${error.message}`, error.cause ?? error)
    }
    throw error
  }
}

/** A zeroed buffer, or a checkpoint error where the machine cannot hold it. */
export function allocate(byteLength: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(byteLength)
  } catch (error) {
    throw malformed(`needs ${byteLength} bytes of memory at once, which this machine does not give`, error)
  }
}
