// Tensor: one class with torch's semantics, computed by the backend that holds the values.
// Traced tensors take precedence over eager ones, so a network called with a traced input records itself.

import type { DType, TensorData } from './data.ts'
import { type Dim, fixedDim, formatShape, type Shape } from './dims.ts'
import { RestoreError } from './errors.ts'
import type { Op, OpAttrs, PadMode } from './ops.ts'
import { shapeOf } from './shapes.ts'

/** Computes or records ops. Shapes have been checked: `shape` is the shape of the result. */
export interface Backend {
  /**
   * The highest precedence among an op's inputs selects the backend that runs it: host 0, torch 1, tracer 2.
   */
  readonly precedence: number
  run<K extends Op>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K], shape: Shape): Tensor
  dtypeOf(value: unknown): DType
  /**
   * Splits into parts of `length` in one op, whose gradient is one concatenation; slices would pad each
   * part's gradient.
   */
  chunk?(tensor: Tensor, length: number, dim: number): readonly Tensor[]
  /** Frees the tensors that `body` created, except its result; absent if the backend has nothing to free. */
  scoped?(body: () => Tensor): Tensor
  /** Copies the values to host memory; a traced tensor has none. */
  read(value: unknown): TensorData
}

/** Maps the names of a pattern such as 'b c h w' to sizes. */
export type Axes<Pattern extends string> = Pattern extends `${infer Head} ${infer Tail}`
  ? { readonly [K in Head]: Dim } & Axes<Tail>
  : { readonly [K in Pattern]: Dim }

const none = {}

/**
 * A tensor of any backend, with torch’s operations under camelCase names. Operations return new tensors.
 *
 * @throws RestoreError `shape` if the shapes of an operation do not fit
 */
export class Tensor {
  readonly backend: Backend
  /** The backend's own representation. */
  readonly value: unknown
  readonly shape: Shape
  /** Checkpoint key, used in messages and as the name in an exported graph. */
  key: string | undefined
  /** False for buffers such as running means, which are loaded and saved but never optimized. */
  isTrainable = false

  constructor(backend: Backend, value: unknown, shape: Shape) {
    this.backend = backend
    this.value = value
    this.shape = shape
  }

  get dtype(): DType {
    return this.backend.dtypeOf(this.value)
  }

  /** Copies the values to host memory. */
  read(): TensorData {
    return this.backend.read(this.value)
  }

  /** Sizes by name; checks the rank: `const { b, c } = x.axes('b c h w')`. */
  axes<Pattern extends string>(pattern: Pattern): Axes<Pattern> {
    const names = pattern.split(' ')
    if (names.length !== this.shape.length) {
      throw new RestoreError(
        'shape',
        `axes: expected a tensor [${pattern}], got ${formatShape(this.shape)}${labels([this])}`,
      )
    }
    return Object.fromEntries(names.map((name, i) => [name, this.shape[i]])) as Axes<Pattern>
  }

  /** Size of one dimension (negative counts from the end); throws if it is not a number. */
  size(dim: number): number {
    return this.#fixedSize('size', dim)
  }

  add(other: Tensor | number): Tensor {
    return typeof other === 'number'
      ? run('addScalar', [this], { value: other })
      : run('add', [this, other], none)
  }
  sub(other: Tensor | number): Tensor {
    return typeof other === 'number'
      ? run('addScalar', [this], { value: -other })
      : run('sub', [this, other], none)
  }
  mul(other: Tensor | number): Tensor {
    return typeof other === 'number'
      ? run('mulScalar', [this], { value: other })
      : run('mul', [this, other], none)
  }
  div(other: Tensor | number): Tensor {
    return typeof other === 'number'
      ? run('mulScalar', [this], { value: 1 / other })
      : run('div', [this, other], none)
  }
  maximum(other: Tensor): Tensor {
    return run('maximum', [this, other], none)
  }
  minimum(other: Tensor): Tensor {
    return run('minimum', [this, other], none)
  }
  pow(exponent: number): Tensor {
    return run('powScalar', [this], { exponent })
  }
  clamp(min: number, max = Number.POSITIVE_INFINITY): Tensor {
    return run('clamp', [this], { min, max })
  }
  neg(): Tensor {
    return run('neg', [this], none)
  }
  abs(): Tensor {
    return run('abs', [this], none)
  }
  exp(): Tensor {
    return run('exp', [this], none)
  }
  log(): Tensor {
    return run('log', [this], none)
  }
  sqrt(): Tensor {
    return run('sqrt', [this], none)
  }
  /** 1 / sqrt(x). */
  rsqrt(): Tensor {
    return run('rsqrt', [this], none)
  }
  sin(): Tensor {
    return run('sin', [this], none)
  }
  cos(): Tensor {
    return run('cos', [this], none)
  }
  tanh(): Tensor {
    return run('tanh', [this], none)
  }
  sigmoid(): Tensor {
    return run('sigmoid', [this], none)
  }
  relu(): Tensor {
    return run('relu', [this], none)
  }
  leakyRelu(negativeSlope: number): Tensor {
    return run('leakyRelu', [this], { negativeSlope })
  }
  /** Leaky ReLU with a slope [c] for each index of dimension 1. */
  prelu(slope: Tensor): Tensor {
    return run('prelu', [this, slope], none)
  }
  /** x · sigmoid(x). */
  silu(): Tensor {
    return run('silu', [this], none)
  }
  /** The exact GELU, x/2 · (1 + erf(x/√2)). */
  gelu(): Tensor {
    return run('gelu', [this], none)
  }
  /** x · tanh(ln(1 + eˣ)). */
  mish(): Tensor {
    return run('mish', [this], none)
  }
  cast(dtype: DType): Tensor {
    return run('cast', [this], { dtype })
  }

  /** [… n k] · [… k m] -> [… n m]. */
  matmul(other: Tensor): Tensor {
    return run('matmul', [this, other], none)
  }
  /** [… i] -> [… o] with weight [o i] and bias [o]. */
  linear(weight: Tensor, bias?: Tensor): Tensor {
    return run('linear', bias ? [this, weight, bias] : [this, weight], none)
  }
  /** [b i h w] -> [b o h' w'] with weight [o i/groups k k] and bias [o]; zero padding. */
  conv2d(
    weight: Tensor,
    bias: Tensor | undefined,
    { stride = 1, padding = 0, groups = 1, dilation = 1 } = {},
  ): Tensor {
    const attrs = { stride, padding, groups, ...(dilation === 1 ? {} : { dilation }) }
    return run('conv2d', bias ? [this, weight, bias] : [this, weight], attrs)
  }
  /** Normalizes over the last dimension, with biased variance. */
  layerNorm(affine: { weight: Tensor; bias: Tensor } | undefined, eps: number): Tensor {
    return run('layerNorm', affine ? [this, affine.weight, affine.bias] : [this], { eps })
  }
  softmax(dim: number): Tensor {
    return run('softmax', [this], { dim: this.#dim('softmax', dim) })
  }
  logSoftmax(dim: number): Tensor {
    return run('logSoftmax', [this], { dim: this.#dim('logSoftmax', dim) })
  }

  sum(dims?: readonly number[], { keepDim = false } = {}): Tensor {
    return run('sum', [this], { dims: this.#dims('sum', dims), keepDim })
  }
  mean(dims?: readonly number[], { keepDim = false } = {}): Tensor {
    return run('mean', [this], { dims: this.#dims('mean', dims), keepDim })
  }
  amax(dims?: readonly number[], { keepDim = false } = {}): Tensor {
    return run('amax', [this], { dims: this.#dims('amax', dims), keepDim })
  }
  /** Index (int64) of the first largest element. */
  argmax(dim: number, { keepDim = false } = {}): Tensor {
    return run('argmax', [this], { dim: this.#dim('argmax', dim), keepDim })
  }

  /** Indices (int64) that sort a dimension in ascending order; equal elements keep their order. */
  argsort(dim: number): Tensor {
    return run('argsort', [this], { dim: this.#dim('argsort', dim) })
  }

  maxPool2d(kernel: number, { stride = kernel, padding = 0 } = {}): Tensor {
    return run('maxPool2d', [this], { kernel, stride, padding })
  }
  /** Padding counts as zeros. */
  avgPool2d(kernel: number, { stride = kernel, padding = 0 } = {}): Tensor {
    return run('avgPool2d', [this], { kernel, stride, padding })
  }
  /** [b c·f² h w] -> [b c h·f w·f]. */
  pixelShuffle(factor: number): Tensor {
    return run('pixelShuffle', [this], { factor })
  }
  upsampleNearest(factor: number): Tensor {
    return run('upsampleNearest', [this], { factor })
  }
  /** Bilinear upsampling with align_corners=False. */
  upsampleBilinear(factor: number): Tensor {
    return run('upsampleBilinear', [this], { factor })
  }
  /**
   * Samples [b c h w] bilinearly at positions [b h' w' 2] of (x, y), where −1 and 1 are the borders of the
   * image; outside, the border pixels repeat.
   */
  gridSample(grid: Tensor): Tensor {
    return run('gridSample', [this, grid], none)
  }

  /** One size may be -1. */
  reshape(shape: Shape): Tensor {
    return run('reshape', [this], { shape })
  }
  permute(dims: readonly number[]): Tensor {
    return run('permute', [this], { dims: dims.map((dim) => this.#dim('permute', dim)) })
  }
  transpose(a: number, b: number): Tensor {
    const dims = this.shape.map((_, i) => i)
    const x = this.#dim('transpose', a)
    const y = this.#dim('transpose', b)
    dims[x] = y
    dims[y] = x
    return run('permute', [this], { dims })
  }
  expand(shape: Shape): Tensor {
    return run('expand', [this], { shape })
  }
  /** Elements start, start + step, … below end; negative indices count from the end of the dimension. */
  slice(dim: number, start: number, end?: number, step = 1): Tensor {
    const at = this.#dim('slice', dim)
    const size = this.#fixedSize('slice', at)
    const fromEnd = (index: number) => (index < 0 ? index + size : index)
    return run('slice', [this], { dim: at, start: fromEnd(start), end: fromEnd(end ?? size), step })
  }
  /** Splits into equal parts along a dimension. */
  chunk(parts: 2, dim: number): readonly [Tensor, Tensor]
  chunk(parts: 3, dim: number): readonly [Tensor, Tensor, Tensor]
  chunk(parts: 4, dim: number): readonly [Tensor, Tensor, Tensor, Tensor]
  chunk(parts: number, dim: number): readonly Tensor[]
  chunk(parts: number, dim: number): readonly Tensor[] {
    const at = this.#dim('chunk', dim)
    const size = this.#fixedSize('chunk', at)
    if (size % parts !== 0) {
      throw new RestoreError(
        'shape',
        `chunk: expected dimension ${dim} divisible by ${parts}, got ${formatShape(this.shape)}`,
      )
    }
    const length = size / parts
    return (
      this.backend.chunk?.(this, length, at) ??
      Array.from({ length: parts }, (_, i) => this.slice(at, i * length, (i + 1) * length))
    )
  }
  /** Pads like torch's F.pad: (before, after) for each dimension, last dimension first. */
  pad(padding: readonly number[], mode: PadMode = 'constant', value = 0): Tensor {
    return run('pad', [this], { padding, mode, value })
  }
  /** Looks up rows of this weight [entries d]: ids [… ] -> [… d]. */
  embedding(ids: Tensor): Tensor {
    return run('embedding', [this, ids], none)
  }
  gather(dim: number, index: Tensor): Tensor {
    return run('gather', [this, index], { dim: this.#dim('gather', dim) })
  }

  #fixedSize(op: string, dim: number): number {
    return fixedDim(op, this.shape[this.#dim(op, dim)] ?? 0)
  }

  #dim(op: string, dim: number): number {
    const rank = this.shape.length
    if (!Number.isInteger(dim) || dim < -rank || dim >= rank) {
      throw new RestoreError(
        'shape',
        `${op}: expected a dimension of ${formatShape(this.shape)}, got ${dim}${labels([this])}`,
      )
    }
    return dim < 0 ? dim + rank : dim
  }

  #dims(op: string, dims: readonly number[] | undefined): readonly number[] {
    return dims ? dims.map((dim) => this.#dim(op, dim)) : this.shape.map((_, i) => i)
  }
}

/** Joins tensors along a dimension. */
export function cat(tensors: readonly [Tensor, ...Tensor[]], dim: number): Tensor {
  const rank = tensors[0].shape.length
  return run('cat', tensors, { dim: dim < 0 ? dim + rank : dim })
}

/** Runs a block of a network and frees the intermediate results that autograd does not keep. */
export function scoped(x: Tensor, body: () => Tensor): Tensor {
  return x.backend.scoped ? x.backend.scoped(body) : body()
}

/** Dispatches an op to its backend and adds checkpoint keys to error messages. */
export function run<K extends Op>(op: K, inputs: readonly [Tensor, ...Tensor[]], attrs: OpAttrs[K]): Tensor {
  if (!Object.hasOwn(shapeOf, op))
    throw new RestoreError('usage', `${op}: expected an op listed in core/ops.ts, got an unknown one`)
  let backend = inputs[0].backend
  const shapes: Shape[] = []
  for (const tensor of inputs) {
    shapes.push(tensor.shape)
    if (tensor.backend.precedence > backend.precedence) backend = tensor.backend
  }
  try {
    return backend.run(op, inputs, attrs, shapeOf[op](attrs, shapes))
  } catch (error) {
    const named = labels(inputs)
    if (!(error instanceof RestoreError) || named === '' || error.message.includes('(key ')) throw error
    throw new RestoreError(error.code, error.message + named, { cause: error })
  }
}

function labels(tensors: readonly Tensor[]): string {
  const keys = tensors.flatMap((tensor) => tensor.key ?? [])
  return keys.length === 0 ? '' : ` (key ${keys.join(', ')})`
}
