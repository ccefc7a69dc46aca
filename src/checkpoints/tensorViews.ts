// Reads a tensor described in a pickle (storage, offset, shape, strides) as contiguous bytes.

import { type DType, dtypeBytes, viewAs } from '../core/data.ts'
import { isLength, type StorageRef, type TensorRef } from './allowedGlobals.ts'
import { allocate, malformed, type StoredTensor } from './checkpoint.ts'
import { describe, type PickleValue } from './unpickle.ts'

/** Reads the storages of a container. */
export interface StorageReader {
  /** Throws unless the storage exists with all of its bytes. */
  check(storage: StorageRef): void
  /** Reads bytes of a storage; `offset` is relative to its start in the record. */
  read(storage: StorageRef, offset: number, length: number): Uint8Array
}

const maxRank = 64

interface View {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  /** Elements before the first one. */
  readonly offset: number
  /** Elements from the first to the last one used. */
  readonly span: number
  readonly count: number
}

/** Checks a tensor against its storage; its bytes are read on demand. */
export function storedTensor(tensor: TensorRef, storages: StorageReader): StoredTensor {
  const view = checkView(tensor)
  storages.check(tensor.storage)
  const { dtype, shape, offset, span } = view
  const size = dtypeBytes[dtype]
  return {
    dtype,
    shape,
    read() {
      if (view.count === 0) return new Uint8Array(0)
      const bytes = storages.read(tensor.storage, offset * size, span * size)
      return isContiguous(view) ? bytes : gather(view, bytes)
    },
  }
}

function checkView({ storage, dtype, offset, shape, strides }: TensorRef): View {
  if (!isLength(offset)) throw malformed(`expected a storage offset of 0 or more, got ${describe(offset)}`)
  if (!Array.isArray(shape) || !shape.every(isLength)) {
    throw malformed(`expected sizes of 0 or more, got ${listText(shape)}`)
  }
  if (!Array.isArray(strides) || !strides.every(isLength)) {
    throw malformed(`expected strides of 0 or more, got ${listText(strides)}`)
  }
  if (shape.length > maxRank)
    throw malformed(`has ${shape.length} dimensions, more than the ${maxRank} of PyTorch`)
  if (shape.length !== strides.length) {
    throw malformed(`has ${shape.length} sizes, but ${strides.length} strides`)
  }
  const count = safeProduct(shape)
  let span = count === 0 ? 0 : 1
  if (count > 0) for (const [axis, size] of shape.entries()) span += (size - 1) * strides[axis]!
  const available = Math.floor((storage.numel * dtypeBytes[storage.dtype]) / dtypeBytes[dtype])
  if (!(offset + span <= available)) {
    throw malformed(
      `shape [${shape}] at offset ${offset} needs ${offset + span} elements, but storage ${storage.key} has ${available}`,
    )
  }
  return { dtype, shape, strides, offset, span, count }
}

/** Number of elements of a shape; throws if the number of bytes is not a safe integer. */
export function safeProduct(shape: readonly number[]): number {
  if (shape.includes(0)) return 0
  let count = 1
  for (const size of shape) {
    count *= size
    if (!Number.isSafeInteger(count * 8)) throw malformed(`has the impossible shape [${shape}]`)
  }
  return count
}

function listText(values: PickleValue): string {
  if (!Array.isArray(values)) return describe(values)
  return `[${values.slice(0, 8).map((value) => (typeof value === 'number' ? value : describe(value)))}]`
}

function isContiguous({ shape, strides }: View): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}

type Units = Uint8Array | Uint16Array | Uint32Array

/** Copies a strided view into row-major order. */
function gather({ dtype, shape, strides, count }: View, bytes: Uint8Array): Uint8Array {
  const size = dtypeBytes[dtype]
  const out = allocate(count * size)
  const source = asUnits(bytes, size)
  const target = asUnits(out, size)
  // 8-byte elements are copied as two 32-bit units: BigInts are slow, and float64 may
  // change the bits of a NaN.
  const unitsPerElement = size === 8 ? 2 : 1
  const inner = shape.at(-1)!
  const innerStride = strides.at(-1)!
  const index = new Array<number>(shape.length).fill(0)
  let row = 0
  for (let at = 0; at < count; at += inner) {
    for (let i = 0; i < inner; i++) {
      const from = (row + i * innerStride) * unitsPerElement
      const to = (at + i) * unitsPerElement
      for (let unit = 0; unit < unitsPerElement; unit++) target[to + unit] = source[from + unit]!
    }
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      row += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      row -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return out
}

function asUnits(bytes: Uint8Array, size: number): Units {
  if (size === 1) return bytes
  return size === 2 ? viewAs(bytes, Uint16Array) : viewAs(bytes, Uint32Array)
}
