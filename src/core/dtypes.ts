// The dtype rule of every op in a graph. libtorch promotes dtypes and ONNX does not: ops on which the two
// would differ are rejected here, so that a network gives the same result eagerly and traced.

import { type DType, isFloat } from './data.ts'
import { RestoreError } from './errors.ts'
import type { Op, OpAttrs } from './ops.ts'

/**
 * Dtypes that an op accepts. 'numbers' excludes bool; 'int64 or floats' excludes small integers, which
 * torch's sum widens.
 */
type Kind = 'anything' | 'numbers' | 'int64 or floats' | 'floats'

const operands: Readonly<Record<Op, Kind>> = {
  add: 'numbers',
  sub: 'numbers',
  mul: 'numbers',
  div: 'floats',
  maximum: 'numbers',
  minimum: 'numbers',
  addScalar: 'numbers',
  mulScalar: 'numbers',
  powScalar: 'numbers',
  clamp: 'numbers',
  neg: 'numbers',
  abs: 'numbers',
  exp: 'floats',
  log: 'floats',
  sqrt: 'floats',
  rsqrt: 'floats',
  sin: 'floats',
  cos: 'floats',
  tanh: 'floats',
  sigmoid: 'floats',
  relu: 'numbers',
  leakyRelu: 'floats',
  prelu: 'floats',
  silu: 'floats',
  gelu: 'floats',
  mish: 'floats',
  cast: 'anything',
  matmul: 'numbers',
  linear: 'numbers',
  conv2d: 'floats',
  layerNorm: 'floats',
  softmax: 'floats',
  logSoftmax: 'floats',
  sum: 'int64 or floats',
  mean: 'floats',
  amax: 'numbers',
  argmax: 'numbers',
  argsort: 'numbers',
  maxPool2d: 'floats',
  avgPool2d: 'floats',
  pixelShuffle: 'anything',
  upsampleNearest: 'floats',
  upsampleBilinear: 'floats',
  gridSample: 'floats',
  reshape: 'anything',
  permute: 'anything',
  expand: 'anything',
  slice: 'anything',
  cat: 'anything',
  pad: 'anything',
  embedding: 'anything',
  gather: 'anything',
}

function isKind(kind: Kind, dtype: DType): boolean {
  if (kind === 'anything' || isFloat(dtype)) return true
  if (kind === 'numbers') return dtype !== 'bool'
  return kind === 'int64 or floats' && dtype === 'int64'
}

/** Scalar attributes that are combined with the elements of a tensor. */
const scalars: { readonly [K in Op]?: (attrs: OpAttrs[K]) => readonly number[] } = {
  addScalar: ({ value }) => [value],
  mulScalar: ({ value }) => [value],
  powScalar: ({ exponent }) => [exponent],
  clamp: ({ min, max }) => [min, max].filter((bound) => Math.abs(bound) !== Number.POSITIVE_INFINITY),
  pad: ({ value }) => [value],
}

function fail(op: Op, expected: string, got: string, remedy: string): never {
  throw new RestoreError('trace', `${op}: expected ${expected}, got ${got}; ${remedy}`)
}

function checkIds(op: Op, ids: DType | undefined): void {
  if (ids !== 'int64') fail(op, 'int64 for the second input', String(ids), "cast it first: .cast('int64')")
}

/** Dtype of an op's result in a graph. Throws for dtypes that torch would promote. */
export function dtypeOf<K extends Op>(op: K, attrs: OpAttrs[K], dtypes: readonly DType[]): DType {
  const [first = 'float32', ...others] = dtypes
  if (op === 'embedding' || op === 'gather') checkIds(op, others[0])
  else if (others.some((dtype) => dtype !== first))
    fail(op, 'inputs of one dtype', dtypes.join(', '), 'cast them to one first')

  const kind = operands[op]
  if (!isKind(kind, first))
    fail(op, kind, first, `cast it first: .cast('${kind === 'floats' ? 'float32' : 'int64'}')`)
  if (!isFloat(first)) {
    for (const value of scalars[op]?.(attrs) ?? []) {
      const staysInteger = Number.isInteger(value) && !(op === 'powScalar' && value < 0)
      if (!staysInteger)
        fail(
          op,
          `a number whose result fits ${first}`,
          String(value),
          "cast the tensor first: .cast('float32')",
        )
    }
  }
  if (op === 'argmax' || op === 'argsort') return 'int64'
  return op === 'cast' ? (attrs as OpAttrs['cast']).dtype : first
}
