// Lowers each op to ONNX nodes (opset 20) with torch's semantics.

import { type DType, elementCount, float32Data, int64Data, isFloat, type TensorData } from '../core/data.ts'
import { type Dim, factorsOfDim, type Shape } from '../core/dims.ts'
import { RestoreError } from '../core/errors.ts'
import { onnxDataTypes } from '../core/onnxDataTypes.ts'
import type { PerOp } from '../core/ops.ts'
import type { Graph, GraphNode, Value } from './graph.ts'
import type { Attribute, OnnxModel, OnnxNode } from './write.ts'

const opset = 20

/** An operand with its name in the ONNX graph. */
interface Operand {
  readonly name: string
  readonly shape: Shape
  readonly dtype: DType
  readonly data: TensorData | undefined
}

/** Collects nodes and constants, and computes run-time sizes once. */
class Emitter {
  readonly nodes: OnnxNode[] = []
  readonly initializers = new Map<string, TensorData>()
  readonly #names = new Map<Value, string>()
  readonly #sharedConstants = new Map<string, string>()
  readonly #sizes = new Map<string, string>()
  readonly #inputs: readonly Value[]
  readonly #usedNames = new Set<string>()
  #count = 0

  constructor({ inputs, outputs }: Graph) {
    this.#inputs = inputs
    for (const { name } of [...inputs, ...outputs]) this.#reserve(name ?? 'input')
    for (const value of inputs) this.#names.set(value, value.name ?? 'input')
  }

  #reserve(name: string): void {
    if (this.#usedNames.has(name))
      throw new RestoreError(
        'trace',
        `graph: expected distinct names of inputs and outputs, got '${name}' twice`,
      )
    this.#usedNames.add(name)
  }

  #uniqueName(stem: string): string {
    let name: string
    do name = `${stem}_${this.#count++}`
    while (this.#usedNames.has(name))
    this.#usedNames.add(name)
    return name
  }

  emit(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const name = this.#uniqueName(opType)
    this.nodes.push({ opType, inputs, outputs: [name], attributes })
    return name
  }

  /** Indices that sort an axis in ascending order: TopK's second output, where lower indices come first among equals. */
  sortedIndices({ name, shape }: Operand, axis: number): string {
    const [values, indices] = [this.#uniqueName('TopK'), this.#uniqueName('TopK')]
    const inputs = [name, this.shape(shape.slice(axis, axis + 1))]
    this.nodes.push({ opType: 'TopK', inputs, outputs: [values, indices], attributes: { axis, largest: 0 } })
    return indices
  }

  bind(value: Value, name: string): void {
    this.#names.set(value, name)
  }

  operand(value: Value): Operand {
    const { shape, dtype, data } = value
    let name = this.#names.get(value)
    if (name === undefined) {
      if (!data)
        throw new RestoreError('trace', `expected a value computed before its use, got [${shape.join(' ')}]`)
      name = this.constant(data, value.name)
      this.#names.set(value, name)
    }
    return { name, shape, dtype, data }
  }

  constant(data: TensorData, name?: string): string {
    const isFree = name !== undefined && !this.#usedNames.has(name)
    const unique = isFree ? name : this.#uniqueName(name ?? 'constant')
    this.#usedNames.add(unique)
    this.initializers.set(unique, data)
    return unique
  }

  /** Stores a small constant once. */
  #shared(key: string, make: () => TensorData): string {
    const known = this.#sharedConstants.get(key)
    if (known !== undefined) return known
    const name = this.constant(make())
    this.#sharedConstants.set(key, name)
    return name
  }

  ints(values: readonly number[]): string {
    return this.#shared(`ints ${values}`, () => int64Data(values, [values.length]))
  }

  /** A tensor filled with one value. */
  filled(value: number, shape: readonly number[]): string {
    return this.#shared(`filled ${value} ${shape}`, () =>
      float32Data(new Float32Array(elementCount(shape)).fill(value), shape),
    )
  }

  /** A scalar in the dtype of the tensor that it is combined with. */
  scalar(value: number, dtype: DType): string {
    if (!isFloat(dtype)) {
      const int = this.#shared(`int ${value}`, () => int64Data([value], []))
      return dtype === 'int64' ? int : this.emit('Cast', [int], { to: onnxDataTypes[dtype] })
    }
    const double = () => new Uint8Array(Float64Array.of(value).buffer)
    if (dtype === 'float64')
      return this.#shared(`double ${value}`, () => ({ dtype, shape: [], bytes: double() }))
    const float = this.#shared(`float ${value}`, () => float32Data(Float32Array.of(value), []))
    return dtype === 'float32' ? float : this.emit('Cast', [float], { to: onnxDataTypes[dtype] })
  }

  /** A shape as an int64 vector, computed at run time if it has named sizes. */
  shape(shape: Shape): string {
    if (shape.every((size) => typeof size === 'number')) return this.ints(shape)
    return this.emit(
      'Concat',
      shape.map((size) => this.#size(size)),
      { axis: 0 },
    )
  }

  /** Target shape of a Reshape. 0 keeps a size and -1 infers it, so most named sizes need no computation. */
  reshapeTarget(from: Shape, to: Shape): string {
    const sizes = to.map((size, i) => (typeof size === 'string' && size === from[i] ? 0 : size))
    const named = sizes.filter((size) => typeof size === 'string')
    if (named.length > 1) return this.shape(to)
    return this.ints(sizes.map((size) => (typeof size === 'string' ? -1 : size)))
  }

  /** One size as an int64 vector of length 1. */
  #size(size: Dim): string {
    if (typeof size === 'number') return this.ints([size])
    const known = this.#sizes.get(size)
    if (known !== undefined) return known
    const { numerator, denominator, names } = factorsOfDim(size)
    let product = this.ints([numerator])
    for (const name of names) product = this.emit('Mul', [product, this.#inputSize(name)])
    if (denominator !== 1) product = this.emit('Div', [product, this.ints([denominator])])
    this.#sizes.set(size, product)
    return product
  }

  #inputSize(dim: string): string {
    const input = this.#inputs.find(({ shape }) => shape.includes(dim))
    if (!input)
      throw new RestoreError('trace', `expected the size '${dim}' in the shape of an input, found none`)
    const axis = this.ints([input.shape.indexOf(dim)])
    return this.emit('Gather', [this.emit('Shape', [this.operand(input).name]), axis], { axis: 0 })
  }
}

type Lower = (attrs: unknown, inputs: readonly Operand[], g: Emitter) => string

function at(inputs: readonly Operand[], index: number): Operand {
  const operand = inputs[index]
  if (!operand) throw new RestoreError('trace', `expected at least ${index + 1} inputs, got ${inputs.length}`)
  return operand
}

/** Lowers to an ONNX op with the same inputs and no attributes. */
function same(opType: string): Lower {
  return (_, inputs, g) =>
    g.emit(
      opType,
      inputs.map(({ name }) => name),
    )
}

/** Mean over the channels of an image. */
function channelMean({ name, shape }: Operand, channels: number, g: Emitter): string {
  // On CPU, a product with a row of 1/c is ten times faster than ReduceMean over an inner dimension.
  const row = g.filled(1 / channels, [1, channels])
  const pixels = g.emit('Reshape', [name, g.ints([0, channels, -1])])
  const [b = 1, , h = 1, w = 1] = shape
  return g.emit('Reshape', [g.emit('MatMul', [row, pixels]), g.shape([b, 1, h, w])])
}

function reduce(opType: string) {
  return (
    { dims, keepDim }: { dims: readonly number[]; keepDim: boolean },
    inputs: readonly Operand[],
    g: Emitter,
  ) =>
    dims.length === 0
      ? g.emit('Identity', [at(inputs, 0).name])
      : g.emit(opType, [at(inputs, 0).name, g.ints(dims)], { keepdims: keepDim ? 1 : 0 })
}

function pool(opType: string, attributes: Readonly<Record<string, Attribute>> = {}) {
  return (
    { kernel, stride, padding }: { kernel: number; stride: number; padding: number },
    inputs: readonly Operand[],
    g: Emitter,
  ) =>
    g.emit(opType, [at(inputs, 0).name], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
      ...attributes,
    })
}

function resize(attributes: Readonly<Record<string, Attribute>>) {
  return ({ factor }: { factor: number }, inputs: readonly Operand[], g: Emitter) => {
    const scales = g.constant(float32Data(Float32Array.of(1, 1, factor, factor), [4]))
    return g.emit('Resize', [at(inputs, 0).name, '', scales], attributes)
  }
}

const lowerings: PerOp<[inputs: readonly Operand[], g: Emitter], string> = {
  add: same('Add'),
  sub: same('Sub'),
  mul: same('Mul'),
  div: same('Div'),
  maximum: same('Max'),
  minimum: same('Min'),
  addScalar: ({ value }, x, g) => g.emit('Add', [at(x, 0).name, g.scalar(value, at(x, 0).dtype)]),
  mulScalar: ({ value }, x, g) => g.emit('Mul', [at(x, 0).name, g.scalar(value, at(x, 0).dtype)]),
  powScalar: ({ exponent }, x, g) => g.emit('Pow', [at(x, 0).name, g.scalar(exponent, at(x, 0).dtype)]),
  clamp: ({ min, max }, x, g) => {
    if (min === 0 && max === Number.POSITIVE_INFINITY) return g.emit('Relu', [at(x, 0).name])
    const bound = (value: number) => (Number.isFinite(value) ? g.scalar(value, at(x, 0).dtype) : '')
    return g.emit('Clip', [at(x, 0).name, bound(min), bound(max)])
  },
  neg: same('Neg'),
  abs: same('Abs'),
  exp: same('Exp'),
  log: same('Log'),
  sqrt: same('Sqrt'),
  rsqrt: (_, x, g) => g.emit('Reciprocal', [g.emit('Sqrt', [at(x, 0).name])]),
  sin: same('Sin'),
  cos: same('Cos'),
  tanh: same('Tanh'),
  sigmoid: same('Sigmoid'),
  relu: same('Relu'),
  leakyRelu: ({ negativeSlope }, x, g) =>
    g.emit('LeakyRelu', [at(x, 0).name], { alpha: { float: negativeSlope } }),
  prelu: (_, x, g) => {
    const { name, shape } = at(x, 1)
    const trailing = at(x, 0)
      .shape.slice(2)
      .map(() => 1)
    return g.emit('PRelu', [at(x, 0).name, g.emit('Reshape', [name, g.shape([...shape, ...trailing])])])
  },
  silu: (_, x, g) => g.emit('Mul', [at(x, 0).name, g.emit('Sigmoid', [at(x, 0).name])]),
  gelu: same('Gelu'),
  mish: (_, x, g) => g.emit('Mul', [at(x, 0).name, g.emit('Tanh', [g.emit('Softplus', [at(x, 0).name])])]),
  cast: ({ dtype }, x, g) => g.emit('Cast', [at(x, 0).name], { to: onnxDataTypes[dtype] }),
  matmul: same('MatMul'),
  linear: (_, x, g) => {
    const { name, shape } = at(x, 0)
    const [out = 1, into = 1] = at(x, 1).shape
    const isFlat = shape.length === 2
    // Gemm fuses the bias and a following activation; a Reshape costs nothing.
    const rows = isFlat ? name : g.emit('Reshape', [name, g.ints([-1, Number(into)])])
    const names = [rows, ...x.slice(1).map((operand) => operand.name)]
    const product = g.emit('Gemm', names, { transB: 1 })
    return isFlat ? product : g.emit('Reshape', [product, g.shape([...shape.slice(0, -1), out])])
  },
  conv2d: ({ stride, padding, groups, dilation = 1 }, x, g) =>
    g.emit(
      'Conv',
      x.map(({ name }) => name),
      {
        kernel_shape: at(x, 1).shape.slice(2).map(Number),
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
        dilations: [dilation, dilation],
        group: groups,
      },
    ),
  layerNorm: ({ eps }, x, g) => {
    const features = Number(at(x, 0).shape.at(-1))
    const scale = x[1]?.name ?? g.constant(float32Data(new Float32Array(features).fill(1), [features]))
    return g.emit('LayerNormalization', [at(x, 0).name, scale, ...(x[2] ? [x[2].name] : [])], {
      epsilon: { float: eps },
    })
  },
  softmax: ({ dim }, x, g) => g.emit('Softmax', [at(x, 0).name], { axis: dim }),
  logSoftmax: ({ dim }, x, g) => g.emit('LogSoftmax', [at(x, 0).name], { axis: dim }),
  sum: reduce('ReduceSum'),
  mean: (attrs, x, g) => {
    const { shape, dtype } = at(x, 0)
    const [, channels] = shape
    const isOverChannels = shape.length === 4 && attrs.dims.join() === '1' && attrs.keepDim
    return isOverChannels && typeof channels === 'number' && dtype === 'float32'
      ? channelMean(at(x, 0), channels, g)
      : reduce('ReduceMean')(attrs, x, g)
  },
  amax: reduce('ReduceMax'),
  argmax: ({ dim, keepDim }, x, g) =>
    g.emit('ArgMax', [at(x, 0).name], { axis: dim, keepdims: keepDim ? 1 : 0 }),
  argsort: ({ dim }, x, g) => g.sortedIndices(at(x, 0), dim),
  maxPool2d: pool('MaxPool'),
  avgPool2d: pool('AveragePool', { count_include_pad: 1 }),
  pixelShuffle: ({ factor }, x, g) =>
    g.emit('DepthToSpace', [at(x, 0).name], { blocksize: factor, mode: 'CRD' }),
  upsampleNearest: resize({
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  }),
  upsampleBilinear: resize({ mode: 'linear', coordinate_transformation_mode: 'half_pixel' }),
  gridSample: (_, x, g) =>
    g.emit('GridSample', [at(x, 0).name, at(x, 1).name], {
      mode: 'linear',
      padding_mode: 'border',
      align_corners: 0,
    }),
  reshape: ({ shape }, x, g) => g.emit('Reshape', [at(x, 0).name, g.reshapeTarget(at(x, 0).shape, shape)]),
  permute: ({ dims }, x, g) => g.emit('Transpose', [at(x, 0).name], { perm: dims }),
  expand: ({ shape }, x, g) => g.emit('Expand', [at(x, 0).name, g.shape(shape)]),
  slice: ({ dim, start, end, step }, x, g) =>
    g.emit('Slice', [at(x, 0).name, g.ints([start]), g.ints([end]), g.ints([dim]), g.ints([step])]),
  cat: ({ dim }, x, g) =>
    g.emit(
      'Concat',
      x.map(({ name }) => name),
      { axis: dim },
    ),
  pad: ({ padding, mode, value }, x, g) => {
    const rank = at(x, 0).shape.length
    const side = (offset: number) =>
      Array.from({ length: rank }, (_, i) => padding[2 * (rank - 1 - i) + offset] ?? 0)
    const pads = g.ints([...side(0), ...side(1)])
    const onnxMode = mode === 'replicate' ? 'edge' : mode
    return g.emit(
      'Pad',
      [at(x, 0).name, pads, ...(mode === 'constant' ? [g.scalar(value, at(x, 0).dtype)] : [])],
      {
        mode: onnxMode,
      },
    )
  },
  embedding: (_, x, g) => g.emit('Gather', [at(x, 0).name, at(x, 1).name], { axis: 0 }),
  gather: ({ dim }, x, g) => g.emit('GatherElements', [at(x, 0).name, at(x, 1).name], { axis: dim }),
}

function lowerNode(node: GraphNode, g: Emitter): string {
  const inputs = node.inputs.map((value) => g.operand(value))
  const lowering = lowerings[node.op] as Lower
  // A reshape's attribute may contain -1; its output shape does not.
  const attrs = node.op === 'reshape' ? { shape: node.output.shape } : node.attrs
  return lowering(attrs, inputs, g)
}

/** Lowers a graph to an ONNX model; outputs keep their names. */
export function lower(graph: Graph, metadata: Readonly<Record<string, string>>): OnnxModel {
  const g = new Emitter(graph)
  for (const node of graph.nodes) g.bind(node.output, lowerNode(node, g))
  const outputs = graph.outputs.map(({ name, value }) => {
    g.nodes.push({ opType: 'Identity', inputs: [g.operand(value).name], outputs: [name], attributes: {} })
    return { name, dtype: value.dtype, shape: value.shape }
  })
  const inputs = graph.inputs.map(({ name = 'input', dtype, shape }) => ({ name, dtype, shape }))
  return { opset, nodes: g.nodes, initializers: g.initializers, inputs, outputs, metadata }
}
