// Tensors in plain host memory: weights read from a file, and the algebra on weights alone (such as folding a
// norm into a convolution). All other computation needs libtorch or a trace.

import {
  type DType,
  dtypeBytes,
  elementCount,
  float32Data,
  int64Data,
  type TensorData,
  viewAs,
} from './data.ts'
import { fixedShape, type Shape } from './dims.ts'
import { RestoreError } from './errors.ts'
import type { Op, OpAttrs } from './ops.ts'
import { type Backend, Tensor } from './tensor.ts'

type Values = Float32Array<ArrayBufferLike>
type HostOp<K extends Op> = (
  attrs: OpAttrs[K],
  inputs: readonly HostInput[],
  shape: readonly number[],
) => Values

interface HostInput {
  readonly values: Values
  readonly shape: readonly number[]
}

/** The data behind a host tensor. */
export function hostData(tensor: Tensor): TensorData {
  if (tensor.backend !== hostBackend)
    throw new RestoreError('shape', 'hostData: expected a tensor in host memory')
  return tensor.value as TensorData
}

/** Wraps values in host memory in a Tensor, without a copy. */
export function hostTensor(data: TensorData): Tensor {
  return new Tensor(hostBackend, data, data.shape)
}

const constants = new WeakSet<Tensor>()

/** A tensor that is in no checkpoint, such as an attention mask; every backend reads it from host memory. */
export function constant(values: Float32Array, shape: readonly number[]): Tensor {
  return constantOf(float32Data(values, shape))
}

/** Like `constant`, for indices (int64). */
export function constantIndices(values: readonly number[], shape: readonly number[]): Tensor {
  return constantOf(int64Data(values, shape))
}

function constantOf(data: TensorData): Tensor {
  const tensor = hostTensor(data)
  constants.add(tensor)
  return tensor
}

export function isConstant(tensor: Tensor): boolean {
  return constants.has(tensor)
}

function floats(op: Op, tensor: Tensor): Values {
  const { dtype, bytes } = tensor.read()
  // Rows of a weight are fewer than the integers that float32 holds.
  if (op === 'embedding' && dtype === 'int64') return Float32Array.from(viewAs(bytes, BigInt64Array), Number)
  if (dtype !== 'float32')
    throw new RestoreError('shape', `${op}: expected float32 in host memory, got ${dtype}; cast it first`)
  return viewAs(bytes, Float32Array)
}

/** Offset of each row of `shape`, in row-major order, within an operand that broadcasts to it. */
function broadcastOffsets(shape: readonly number[], operand: readonly number[]): Int32Array {
  const lead = shape.length - operand.length
  const inner = shape[shape.length - 1] ?? 1
  const offsets = new Int32Array(elementCount(shape) / Math.max(inner, 1))
  const steps: number[] = shape.map(() => 0)
  for (let i = operand.length - 1, step = 1; i >= 0; i--) {
    const size = operand[i] ?? 1
    steps[i + lead] = size === 1 ? 0 : step
    step *= size
  }
  const index = shape.map(() => 0)
  let offset = 0
  for (let row = 0; row < offsets.length; row++) {
    offsets[row] = offset
    for (let i = shape.length - 2; i >= 0; i--) {
      index[i] = (index[i] ?? 0) + 1
      offset += steps[i] ?? 0
      if ((index[i] ?? 0) < (shape[i] ?? 1)) break
      offset -= (index[i] ?? 0) * (steps[i] ?? 0)
      index[i] = 0
    }
  }
  return offsets
}

/** Drops the trailing dimensions in which the first shape has size 1, so that the innermost loop is long. */
function trimmed(first: readonly number[], ...others: readonly (readonly number[])[]): (readonly number[])[] {
  let trailing = 0
  while (trailing < first.length && first[first.length - 1 - trailing] === 1) trailing++
  return [first, ...others].map((shape) => shape.slice(0, Math.max(shape.length - trailing, 0)))
}

/** Computes one row of a broadcast operation: n results from `at`, operands from i and j in steps 0 or 1. */
type Row = (
  out: Values,
  at: number,
  n: number,
  a: Values,
  i: number,
  stepA: number,
  b: Values,
  j: number,
  stepB: number,
) => void

// One loop per operation: a shared loop that calls a function for every element takes five times as long.
const addRow: Row = (out, at, n, a, i, stepA, b, j, stepB) => {
  for (const end = at + n; at < end; at++, i += stepA, j += stepB) out[at] = a[i]! + b[j]!
}
const subRow: Row = (out, at, n, a, i, stepA, b, j, stepB) => {
  for (const end = at + n; at < end; at++, i += stepA, j += stepB) out[at] = a[i]! - b[j]!
}
const mulRow: Row = (out, at, n, a, i, stepA, b, j, stepB) => {
  for (const end = at + n; at < end; at++, i += stepA, j += stepB) out[at] = a[i]! * b[j]!
}
const divRow: Row = (out, at, n, a, i, stepA, b, j, stepB) => {
  for (const end = at + n; at < end; at++, i += stepA, j += stepB) out[at] = a[i]! / b[j]!
}

function binary(computeRow: Row) {
  return (_: unknown, [a, b]: readonly HostInput[], shape: readonly number[]): Values => {
    if (!a || !b) throw new RestoreError('shape', 'expected two inputs')
    const out = new Float32Array(elementCount(shape))
    const [outer = [], left = [], right = []] = trimmed(shape, a.shape, b.shape)
    const inner = outer[outer.length - 1] ?? 1
    const rowsA = broadcastOffsets(outer, left)
    const rowsB = broadcastOffsets(outer, right)
    const stepA = left[left.length - 1] === inner ? 1 : 0
    const stepB = right[right.length - 1] === inner ? 1 : 0
    for (let row = 0; row < rowsA.length; row++) {
      computeRow(out, row * inner, inner, a.values, rowsA[row] ?? 0, stepA, b.values, rowsB[row] ?? 0, stepB)
    }
    return out
  }
}

function unary<K extends Op>(compute: (x: number, attrs: OpAttrs[K]) => number): HostOp<K> {
  return (attrs, [x]) => {
    const out = new Float32Array(x?.values.length ?? 0)
    for (let i = 0; i < out.length; i++) out[i] = compute(x?.values[i] as number, attrs)
    return out
  }
}

/** Reads the input in the order of the strides; returns a view if the input already has that order. */
function strided(x: Values, shape: readonly number[], strides: readonly number[], start = 0): Values {
  const [sizes, steps] = merged(shape, strides)
  const rank = sizes.length
  const count = elementCount(shape)
  if (rank < 2 && (steps[0] ?? 1) === 1) return x.subarray(start, start + count)
  const out = new Float32Array(count)
  const index = new Array<number>(rank).fill(0)
  const inner = sizes[rank - 1] ?? 1
  const step = steps[rank - 1] ?? 1
  for (let at = 0, offset = start; at < out.length; ) {
    if (step === 1) {
      out.set(x.subarray(offset, offset + inner), at)
      at += inner
    } else for (let k = 0, from = offset; k < inner; k++, at++, from += step) out[at] = x[from]!
    for (let i = rank - 2; i >= 0; i--) {
      index[i] = (index[i] ?? 0) + 1
      offset += steps[i] ?? 0
      if ((index[i] ?? 0) < (sizes[i] ?? 1)) break
      offset -= (index[i] ?? 0) * (steps[i] ?? 0)
      index[i] = 0
    }
  }
  return out
}

/** Reduces the dimensions of a strided read: drops those of size 1 and merges contiguous ones. */
function merged(shape: readonly number[], strides: readonly number[]): readonly [number[], number[]] {
  const sizes: number[] = []
  const steps: number[] = []
  for (const [i, size] of shape.entries()) {
    const step = strides[i] ?? 0
    const last = sizes.length - 1
    if (size === 1) continue
    if (last >= 0 && steps[last] === step * size) {
      sizes[last] = sizes[last]! * size
      steps[last] = step
    } else {
      sizes.push(size)
      steps.push(step)
    }
  }
  return [sizes, steps]
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (shape[i + 1] ?? 1)
  return strides
}

function only(inputs: readonly HostInput[]): HostInput {
  const [x] = inputs
  if (!x) throw new RestoreError('shape', 'expected an input')
  return x
}

function sum({ dims }: OpAttrs['sum'], inputs: readonly HostInput[], shape: readonly number[]): Values {
  const x = only(inputs)
  const [all = [], kept = []] = trimmed(
    x.shape,
    x.shape.map((size, i) => (dims.includes(i) ? 1 : size)),
  )
  const rows = broadcastOffsets(all, kept)
  const inner = all[all.length - 1] ?? 1
  const step = kept[kept.length - 1] === inner ? 1 : 0
  const out = new Float64Array(elementCount(shape))
  for (let row = 0, at = 0; row < rows.length; row++) {
    for (let k = 0, to = rows[row] ?? 0; k < inner; k++, at++, to += step) out[to] = out[to]! + x.values[at]!
  }
  return Float32Array.from(out)
}

function matmul(_: unknown, [a, b]: readonly HostInput[], shape: readonly number[]): Values {
  if (!a || !b) throw new RestoreError('shape', 'expected two inputs')
  const [n = 1, m = 1] = shape.slice(-2)
  const k = a.shape[a.shape.length - 1] ?? 1
  const batch = shape.slice(0, -2)
  const offsetsA = broadcastOffsets([...batch, 1], [...a.shape.slice(0, -2), 1])
  const offsetsB = broadcastOffsets([...batch, 1], [...b.shape.slice(0, -2), 1])
  const out = new Float32Array(elementCount(shape))
  const left = a.values
  const right = b.values
  for (let g = 0; g < offsetsA.length; g++) {
    const fromA = (offsetsA[g] ?? 0) * n * k
    const fromB = (offsetsB[g] ?? 0) * k * m
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        let total = 0
        for (let p = fromA + i * k, q = fromB + j, end = p + k; p < end; p++, q += m)
          total += left[p]! * right[q]!
        out[(g * n + i) * m + j] = total
      }
    }
  }
  return out
}

function cat({ dim }: OpAttrs['cat'], inputs: readonly HostInput[], shape: readonly number[]): Values {
  const out = new Float32Array(elementCount(shape))
  const outer = elementCount(shape.slice(0, dim))
  let at = 0
  for (let row = 0; row < outer; row++) {
    for (const { values, shape: part } of inputs) {
      const length = elementCount(part.slice(dim))
      out.set(values.subarray(row * length, (row + 1) * length), at)
      at += length
    }
  }
  return out
}

function embedding(_: unknown, [weight, ids]: readonly HostInput[], shape: readonly number[]): Values {
  if (!weight || !ids) throw new RestoreError('shape', 'expected two inputs')
  const [rows = 0, width = 0] = weight.shape
  const out = new Float32Array(elementCount(shape))
  ids.values.forEach((id, at) => {
    if (!(id >= 0 && id < rows))
      throw new RestoreError('shape', `embedding: expected ids below ${rows}, got ${id}`)
    out.set(weight.values.subarray(id * width, (id + 1) * width), at * width)
  })
  return out
}

const hostOps: { readonly [K in Op]?: HostOp<K> } = {
  add: binary(addRow),
  sub: binary(subRow),
  mul: binary(mulRow),
  div: binary(divRow),
  addScalar: unary((x, { value }) => x + value),
  mulScalar: unary((x, { value }) => x * value),
  powScalar: unary((x, { exponent }) => x ** exponent),
  clamp: unary((x, { min, max }) => Math.min(Math.max(x, min), max)),
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  sum,
  mean: (attrs, inputs, shape) => {
    const total = sum(attrs, inputs, shape)
    const count = only(inputs).values.length / total.length
    return total.map((value) => value / count)
  },
  matmul,
  cat,
  embedding,
  reshape: (_, inputs) => only(inputs).values,
  permute: ({ dims }, inputs, shape) => {
    const strides = stridesOf(only(inputs).shape)
    return strided(
      only(inputs).values,
      shape,
      dims.map((dim) => strides[dim] ?? 0),
    )
  },
  expand: (_, inputs, shape) => {
    const x = only(inputs)
    const strides = stridesOf(x.shape).map((stride, i) => (x.shape[i] === 1 ? 0 : stride))
    return strided(x.values, shape, [...new Array<number>(shape.length - strides.length).fill(0), ...strides])
  },
  slice: ({ dim, start, step }, inputs, shape) => {
    const x = only(inputs)
    const strides = stridesOf(x.shape)
    const first = start * (strides[dim] ?? 0)
    return strided(
      x.values,
      shape,
      strides.map((stride, i) => (i === dim ? stride * step : stride)),
      first,
    )
  },
}

/** Whether an op can be computed on weights in host memory, for constant folding. */
export function isHostOp(op: Op): boolean {
  return hostOps[op] !== undefined
}

class HostBackend implements Backend {
  readonly precedence = 0

  run<K extends Op>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K], shape: Shape): Tensor {
    const compute = hostOps[op]
    if (!compute) {
      throw new RestoreError(
        'usage',
        `${op}: tensors are in host memory; move the model and its input to libtorch, or trace it`,
      )
    }
    const operands = inputs.map((tensor) => ({
      values: floats(op, tensor),
      shape: fixedShape(op, tensor.shape),
    }))
    const size = fixedShape(op, shape)
    return hostTensor(float32Data(compute(attrs, operands, size), size))
  }

  dtypeOf(value: unknown): DType {
    return (value as TensorData).dtype
  }

  read(value: unknown): TensorData {
    const data = value as TensorData
    if (data.bytes.length !== elementCount(data.shape) * dtypeBytes[data.dtype]) {
      throw new RestoreError(
        'checkpoint',
        `tensor [${data.shape.join(' ')}]: expected values, got none; load the network's weights first`,
      )
    }
    return data
  }
}

export const hostBackend: Backend = new HostBackend()
