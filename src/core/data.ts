// Tensor values in host memory, in every dtype that checkpoints use. No arithmetic here.

import { RestoreError } from './errors.ts'

/** Bytes per element of each dtype; names are torch's. */
export const dtypeBytes = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float8_e4m3fn: 1,
  float8_e5m2: 1,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint64: 8,
  uint32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
} as const satisfies Record<string, number>

export type DType = keyof typeof dtypeBytes

export function isFloat(dtype: DType): boolean {
  return dtype.includes('float')
}

/** Tensor values: contiguous, row-major, little-endian; `bytes.length` = elements × bytes per element. */
export interface TensorData {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export function elementCount(shape: readonly number[]): number {
  let count = 1
  for (const size of shape) count *= size
  return count
}

interface ArrayType<T> {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T
}

/** Bytes as a typed array: a view of the same memory, or a copy if they are not aligned. */
export function viewAs<T>(bytes: Uint8Array, type: ArrayType<T>): T {
  const size = type.BYTES_PER_ELEMENT
  // Not `slice()`: on a Buffer it returns a view, not a copy.
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  return new type(buffer, byteOffset, byteLength / size)
}

/**
 * Whether no value is NaN or infinite: 0 × such a value is NaN, which a sum keeps. Ten times faster than a
 * test per value.
 */
export function allFinite(values: Float32Array): boolean {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += 0 * values[i]!
  return sum === 0
}

/** Bytes as characters of Latin-1, such as a mark or the name of a chunk. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const parts: string[] = []
  for (let at = start; at < end; at += 8192)
    parts.push(String.fromCharCode(...bytes.subarray(at, Math.min(at + 8192, end))))
  return parts.join('')
}

/** A DataView over the same memory. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Wraps float32 values without a copy. */
export function float32Data(values: Float32Array, shape: readonly number[]): TensorData {
  if (values.length !== elementCount(shape)) {
    throw new RestoreError(
      'shape',
      `float32Data: expected ${elementCount(shape)} values for [${shape}], got ${values.length}`,
    )
  }
  return {
    dtype: 'float32',
    shape,
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  }
}

export function int64Data(values: readonly (number | bigint)[], shape: readonly number[]): TensorData {
  return { dtype: 'int64', shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }
}
