// An opened weights file: named tensors whose bytes are read on demand. Also runs in browsers.

import type { DType, TensorData } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { listNames, shownText } from '../core/text.ts'

/**
 * A tensor that stays in its file until `read()`, which returns contiguous
 * little-endian bytes; do not write to them.
 */
export interface StoredTensor {
  readonly dtype: DType
  readonly shape: readonly number[]
  read(): Uint8Array
}

/** An opened weights file; keys keep the file's order. */
export interface Checkpoint {
  /** File name for messages. */
  readonly name: string
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** `__metadata__` of a safetensors file; empty for PyTorch files. */
  readonly metadata: ReadonlyMap<string, string>
  readonly container: 'safetensors' | 'zip' | 'legacy' | 'torchscript'
  /** Keys from the root object to the tensors, such as `['params_ema']`. */
  readonly path: readonly string[]
  /** Prefix that was stripped from every key, such as `'module.'`. */
  readonly prefix: string
  /** Other sets of tensors in the file, which the option `tensors` selects. */
  readonly others: readonly string[]
}

/**
 * Random access to the bytes of a file. `read` throws if the range is incomplete; do not write to its result.
 */
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

/** Says which of several sets of tensors was chosen; undefined if a file has no other. */
export function chosenSet({ name, path, prefix, others }: Checkpoint): string | undefined {
  if (others.length === 0) return undefined
  const chosen = [...path, prefix.replace(/\.$/, '')].filter((part) => part !== '').join('.')
  return `${name}: uses the tensors under ${shownText(chosen)}, not those under ${listNames(others)}; tensors (--tensors) selects others`
}

/** Loads a tensor into memory. */
export function loadTensor(tensor: StoredTensor): TensorData {
  return { dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.read() }
}

export function malformed(message: string, cause?: unknown): RestoreError {
  return new RestoreError('checkpoint', message, cause === undefined ? undefined : { cause })
}

/** Runs `action` and prefixes the message of a checkpoint error with `label` (a file, record or key). */
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

/** Allocates a zeroed buffer; throws a checkpoint error if there is not enough memory. */
export function allocate(byteLength: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(byteLength)
  } catch (error) {
    throw malformed(`needs ${byteLength} bytes of memory at once, more than this machine can allocate`, error)
  }
}
