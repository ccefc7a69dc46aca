// The shape rule of every op, one table for all backends; the conformance tests check it against libtorch.
// Wrong shapes are rejected here, before a backend is called.

import {
  type Dim,
  divideDims,
  fixedDim,
  formatShape,
  multiplyDims,
  productOfDims,
  type Shape,
  sameShape,
} from './dims.ts'
import { RestoreError } from './errors.ts'
import type { Op, OpAttrs, PerOp } from './ops.ts'

function fail(message: string): never {
  throw new RestoreError('shape', message)
}

/** torch's broadcasting of two shapes. */
export function broadcast(op: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a
  const rank = Math.max(a.length, b.length)
  const out: Dim[] = []
  for (let i = 0; i < rank; i++) {
    const x = a[i - rank + a.length] ?? 1
    const y = b[i - rank + b.length] ?? 1
    if (x !== y && x !== 1 && y !== 1) {
      fail(`${op}: expected shapes that broadcast, got ${formatShape(a)} and ${formatShape(b)}`)
    }
    out.push(x === 1 ? y : x)
  }
  return out
}

function input(op: Op, shapes: readonly Shape[], index: number): Shape {
  return shapes[index] ?? fail(`${op}: expected at least ${index + 1} inputs, got ${shapes.length}`)
}

const same =
  (op: Op) =>
  (_: unknown, shapes: readonly Shape[]): Shape =>
    input(op, shapes, 0)

const broadcasting =
  (op: Op) =>
  (_: unknown, shapes: readonly Shape[]): Shape =>
    broadcast(op, input(op, shapes, 0), input(op, shapes, 1))

function checkDim(op: Op, shape: Shape, dim: number): void {
  if (!Number.isInteger(dim) || dim < 0 || dim >= shape.length) {
    fail(`${op}: expected a dimension of ${formatShape(shape)}, got ${dim}`)
  }
}

const alongDim =
  (op: Op) =>
  ({ dim }: { readonly dim: number }, shapes: readonly Shape[]): Shape => {
    checkDim(op, input(op, shapes, 0), dim)
    return input(op, shapes, 0)
  }

const reduction =
  (op: Op) =>
  ({ dims, keepDim }: OpAttrs['sum'], shapes: readonly Shape[]): Shape => {
    const x = input(op, shapes, 0)
    for (const dim of dims) checkDim(op, x, dim)
    // torch reduces all dimensions for an empty list, which reads like none.
    if (dims.length === 0 && x.length > 0) fail(`${op}: expected dimensions of ${formatShape(x)}, got none`)
    if (keepDim) return x.map((size, i) => (dims.includes(i) ? 1 : size))
    return x.filter((_, i) => !dims.includes(i))
  }

function image(op: Op, shapes: readonly Shape[]): readonly [Dim, Dim, Dim, Dim] {
  const x = input(op, shapes, 0)
  const [b, c, h, w] = x
  if (x.length !== 4 || b === undefined || c === undefined || h === undefined || w === undefined) {
    fail(`${op}: expected an input [b c h w], got ${formatShape(x)}`)
  }
  return [b, c, h, w]
}

/** Size after a sliding window: floor((size + 2 padding − kernel) / stride) + 1. */
function windowed(op: Op, size: Dim, kernel: number, stride: number, padding: number): Dim {
  if (typeof size === 'number') {
    const out = Math.floor((size + 2 * padding - kernel) / stride) + 1
    if (out < 1)
      fail(`${op}: expected an image of at least ${kernel - 2 * padding} pixels per side, got ${size}`)
    return out
  }
  // Exact for a named size that is a multiple of the stride.
  const keepsSize = Math.floor((2 * padding - kernel) / stride) + 1 === 0
  const out = keepsSize ? divideDims(size, stride) : undefined
  return out ?? fixedDim(op, size)
}

const pooled =
  (op: Op) =>
  ({ kernel, stride, padding }: OpAttrs['maxPool2d'], shapes: readonly Shape[]): Shape => {
    const [b, c, h, w] = image(op, shapes)
    if (padding * 2 > kernel)
      fail(`${op}: expected a padding of at most half the kernel ${kernel}, got ${padding}`)
    return [b, c, windowed(op, h, kernel, stride, padding), windowed(op, w, kernel, stride, padding)]
  }

const upsampled =
  (op: Op) =>
  ({ factor }: { readonly factor: number }, shapes: readonly Shape[]): Shape => {
    const [b, c, h, w] = image(op, shapes)
    return [b, c, multiplyDims(h, factor), multiplyDims(w, factor)]
  }

function conv2d(
  { stride, padding, groups, dilation = 1 }: OpAttrs['conv2d'],
  shapes: readonly Shape[],
): Shape {
  const [b, c, h, w] = image('conv2d', shapes)
  const weight = input('conv2d', shapes, 1)
  const [out, perGroup, kh, kw] = weight
  const fits = weight.length === 4 && typeof c === 'number' && typeof out === 'number' && out % groups === 0
  if (!fits || perGroup !== c / groups || typeof kh !== 'number' || typeof kw !== 'number') {
    const expected = typeof c === 'number' ? c / groups : c
    fail(
      `conv2d: expected a weight [o ${expected} k k] for an input ${formatShape(input('conv2d', shapes, 0))} in ${groups} group(s), got ${formatShape(weight)}`,
    )
  }
  const bias = shapes[2]
  if (bias && !(bias.length === 1 && bias[0] === out))
    fail(`conv2d: expected a bias [${out}], got ${formatShape(bias)}`)
  const side = (size: Dim, kernel: number) =>
    windowed('conv2d', size, (kernel - 1) * dilation + 1, stride, padding)
  return [b, out, side(h, kh), side(w, kw)]
}

function linear(_: unknown, shapes: readonly Shape[]): Shape {
  const x = input('linear', shapes, 0)
  const weight = input('linear', shapes, 1)
  const [out, features] = weight
  if (weight.length !== 2 || out === undefined || x.length === 0 || x[x.length - 1] !== features) {
    fail(
      `linear: expected a weight [o ${x[x.length - 1]}] for an input ${formatShape(x)}, got ${formatShape(weight)}`,
    )
  }
  const bias = shapes[2]
  if (bias && !(bias.length === 1 && bias[0] === out))
    fail(`linear: expected a bias [${out}], got ${formatShape(bias)}`)
  return [...x.slice(0, -1), out]
}

function matmul(_: unknown, shapes: readonly Shape[]): Shape {
  const a = input('matmul', shapes, 0)
  const b = input('matmul', shapes, 1)
  const rows = a[a.length - 2]
  const columns = b[b.length - 1]
  if (rows === undefined || columns === undefined || b.length < 2 || a[a.length - 1] !== b[b.length - 2]) {
    fail(`matmul: expected [… n k] and [… k m], got ${formatShape(a)} and ${formatShape(b)}`)
  }
  return [...broadcast('matmul', a.slice(0, -2), b.slice(0, -2)), rows, columns]
}

function prelu(_: unknown, shapes: readonly Shape[]): Shape {
  const x = input('prelu', shapes, 0)
  const slope = input('prelu', shapes, 1)
  if (slope.length !== 1 || slope[0] !== x[1])
    fail(`prelu: expected a slope [${x[1]}] for an input ${formatShape(x)}, got ${formatShape(slope)}`)
  return x
}

function layerNorm(_: unknown, shapes: readonly Shape[]): Shape {
  const x = input('layerNorm', shapes, 0)
  const features = x[x.length - 1]
  if (features === undefined) fail('layerNorm: expected at least one dimension, got a scalar')
  for (const affine of shapes.slice(1)) {
    if (affine.length !== 1 || affine[0] !== features) {
      fail(
        `layerNorm: expected weight and bias [${features}] for an input ${formatShape(x)}, got ${formatShape(affine)}`,
      )
    }
  }
  return x
}

function reshape({ shape }: OpAttrs['reshape'], shapes: readonly Shape[]): Shape {
  const x = input('reshape', shapes, 0)
  const count = productOfDims(x)
  const unknown = shape.indexOf(-1)
  if (unknown < 0) {
    if (productOfDims(shape) !== count)
      fail(`reshape: expected ${count} elements as in ${formatShape(x)}, got ${formatShape(shape)}`)
    return shape
  }
  const rest = divideDims(count, productOfDims(shape.filter((_, i) => i !== unknown)))
  if (rest === undefined || shape.indexOf(-1, unknown + 1) >= 0) {
    fail(`reshape: expected sizes that divide ${formatShape(x)}, got ${formatShape(shape)}`)
  }
  return shape.map((size, i) => (i === unknown ? rest : size))
}

function permute({ dims }: OpAttrs['permute'], shapes: readonly Shape[]): Shape {
  const x = input('permute', shapes, 0)
  const out = dims.map(
    (dim) => x[dim] ?? fail(`permute: expected dimensions of ${formatShape(x)}, got (${dims})`),
  )
  if (out.length !== x.length || new Set(dims).size !== dims.length) {
    fail(`permute: expected every dimension of ${formatShape(x)} once, got (${dims})`)
  }
  return out
}

function expand({ shape }: OpAttrs['expand'], shapes: readonly Shape[]): Shape {
  const x = input('expand', shapes, 0)
  const offset = shape.length - x.length
  const fits = offset >= 0 && x.every((size, i) => size === 1 || size === shape[i + offset])
  if (!fits) fail(`expand: expected sizes of 1 where ${formatShape(x)} grows, got ${formatShape(shape)}`)
  return shape
}

function slice({ dim, start, end, step }: OpAttrs['slice'], shapes: readonly Shape[]): Shape {
  const x = input('slice', shapes, 0)
  checkDim('slice', x, dim)
  const size = fixedDim('slice', x[dim] ?? 0)
  if (!(start >= 0 && start <= end && end <= size && step >= 1)) {
    fail(
      `slice: expected 0 ≤ start ≤ end ≤ ${size} and step ≥ 1 in dimension ${dim} of ${formatShape(x)}, got ${start}:${end}:${step}`,
    )
  }
  return x.map((length, i) => (i === dim ? Math.ceil((end - start) / step) : length))
}

function cat({ dim }: OpAttrs['cat'], shapes: readonly Shape[]): Shape {
  const first = input('cat', shapes, 0)
  checkDim('cat', first, dim)
  let total = 0
  for (const shape of shapes) {
    const matches = shape.length === first.length && shape.every((size, i) => i === dim || size === first[i])
    if (!matches)
      fail(`cat: expected equal shapes except in dimension ${dim}, got ${shapes.map(formatShape).join(', ')}`)
    total += fixedDim('cat', shape[dim] ?? 0)
  }
  return first.map((size, i) => (i === dim ? total : size))
}

function pad({ padding, mode }: OpAttrs['pad'], shapes: readonly Shape[]): Shape {
  const x = input('pad', shapes, 0)
  if (padding.length % 2 !== 0 || padding.length / 2 > x.length) {
    fail(`pad: expected (before, after) for at most ${x.length} dimensions, got (${padding})`)
  }
  return x.map((size, i) => {
    const at = 2 * (x.length - 1 - i)
    const before = padding[at] ?? 0
    const after = padding[at + 1] ?? 0
    if (before === 0 && after === 0) return size
    const length = fixedDim('pad', size)
    if (mode === 'reflect' && Math.max(before, after) >= length) {
      fail(`pad: expected reflected padding below the size ${length}, got ${Math.max(before, after)}`)
    }
    return length + before + after
  })
}

function pixelShuffle({ factor }: OpAttrs['pixelShuffle'], shapes: readonly Shape[]): Shape {
  const [b, c, h, w] = image('pixelShuffle', shapes)
  const out = divideDims(c, factor * factor)
  if (out === undefined) fail(`pixelShuffle: expected channels divisible by ${factor * factor}, got ${c}`)
  return [b, out, multiplyDims(h, factor), multiplyDims(w, factor)]
}

function gridSample(_: unknown, shapes: readonly Shape[]): Shape {
  const [b, c] = image('gridSample', shapes)
  const grid = input('gridSample', shapes, 1)
  const [batch, h, w, coordinates] = grid
  if (grid.length !== 4 || batch !== b || h === undefined || w === undefined || coordinates !== 2)
    fail(`gridSample: expected a grid [${b} h w 2], got ${formatShape(grid)}`)
  return [b, c, h, w]
}

function embedding(_: unknown, shapes: readonly Shape[]): Shape {
  const weight = input('embedding', shapes, 0)
  const [, features] = weight
  if (weight.length !== 2 || features === undefined)
    fail(`embedding: expected a weight [entries d], got ${formatShape(weight)}`)
  return [...input('embedding', shapes, 1), features]
}

function gather({ dim }: OpAttrs['gather'], shapes: readonly Shape[]): Shape {
  const x = input('gather', shapes, 0)
  const index = input('gather', shapes, 1)
  checkDim('gather', x, dim)
  if (index.length !== x.length)
    fail(`gather: expected an index of rank ${x.length}, got ${formatShape(index)}`)
  return index
}

export const shapeOf: PerOp<[inputs: readonly Shape[]], Shape> = {
  add: broadcasting('add'),
  sub: broadcasting('sub'),
  mul: broadcasting('mul'),
  div: broadcasting('div'),
  maximum: broadcasting('maximum'),
  minimum: broadcasting('minimum'),
  addScalar: same('addScalar'),
  mulScalar: same('mulScalar'),
  powScalar: same('powScalar'),
  clamp: same('clamp'),
  neg: same('neg'),
  abs: same('abs'),
  exp: same('exp'),
  log: same('log'),
  sqrt: same('sqrt'),
  rsqrt: same('rsqrt'),
  sin: same('sin'),
  cos: same('cos'),
  tanh: same('tanh'),
  sigmoid: same('sigmoid'),
  relu: same('relu'),
  leakyRelu: same('leakyRelu'),
  prelu,
  silu: same('silu'),
  gelu: same('gelu'),
  mish: same('mish'),
  cast: same('cast'),
  matmul,
  linear,
  conv2d,
  layerNorm,
  softmax: alongDim('softmax'),
  logSoftmax: alongDim('logSoftmax'),
  sum: reduction('sum'),
  mean: reduction('mean'),
  amax: reduction('amax'),
  argmax: ({ dim, keepDim }, shapes) => reduction('argmax')({ dims: [dim], keepDim }, shapes),
  argsort: alongDim('argsort'),
  maxPool2d: pooled('maxPool2d'),
  avgPool2d: pooled('avgPool2d'),
  pixelShuffle,
  upsampleNearest: upsampled('upsampleNearest'),
  upsampleBilinear: upsampled('upsampleBilinear'),
  gridSample,
  reshape,
  permute,
  expand,
  slice,
  cat,
  pad,
  embedding,
  gather,
}
