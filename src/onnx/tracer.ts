// A backend that records a network's ops: its tensors are values of a graph.

import type { DType } from '../core/data.ts'
import { productOfDims, type Shape } from '../core/dims.ts'
import { dtypeOf } from '../core/dtypes.ts'
import { RestoreError } from '../core/errors.ts'
import type { Op, OpAttrs } from '../core/ops.ts'
import { type Backend, Tensor } from '../core/tensor.ts'
import type { Graph, GraphNode, Value } from './graph.ts'

export interface TraceInput {
  readonly name: string
  /** Named dimensions ('h') produce a graph for any size. */
  readonly shape: Shape
  readonly dtype?: DType
}

class Tracer implements Backend {
  readonly precedence = 2
  readonly nodes: GraphNode[] = []
  readonly #constants = new Map<Tensor, Value>()

  run<K extends Op>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K], shape: Shape): Tensor {
    const values = inputs.map((tensor) => this.valueOf(tensor))
    const dtype = dtypeOf(
      op,
      attrs,
      values.map((value) => value.dtype),
    )
    if (op === 'cast' && dtype === values[0]?.dtype) return inputs[0] ?? fail('cast without an input')
    const output: Value = { shape, dtype }
    this.nodes.push({ op, attrs, inputs: values, output } as GraphNode)
    return new Tensor(this, output, shape)
  }

  dtypeOf(value: unknown): DType {
    return (value as Value).dtype
  }

  read(value: unknown): never {
    const { shape } = value as Value
    return fail(
      `expected a tensor with values, got a traced one [${shape.join(' ')}]; a network cannot depend on values`,
    )
  }

  /** Value of a tensor; each weight becomes one constant, named by its checkpoint key. */
  valueOf(tensor: Tensor): Value {
    if (tensor.backend === this) return tensor.value as Value
    const known = this.#constants.get(tensor)
    if (known) return known
    const data = tensor.read()
    const value: Value = { shape: tensor.shape, dtype: data.dtype, name: tensor.key, data }
    this.#constants.set(tensor, value)
    return value
  }
}

function fail(message: string): never {
  throw new RestoreError('trace', message)
}

/** Runs `forward` on traced inputs and returns the graph of its named outputs. */
export function trace(
  inputs: readonly TraceInput[],
  forward: (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>,
): Graph {
  const tracer = new Tracer()
  const values = inputs.map(({ name, shape, dtype = 'float32' }): Value => ({ name, shape, dtype }))
  for (const value of values) {
    if (productOfDims(value.shape) === 0)
      fail(`input ${value.name}: expected a size above zero, got [${value.shape.join(' ')}]`)
  }
  const outputs = forward(
    Object.fromEntries(values.map((value) => [value.name, new Tensor(tracer, value, value.shape)])),
  )
  return {
    inputs: values,
    outputs: Object.entries(outputs).map(([name, tensor]) => ({ name, value: tracer.valueOf(tensor) })),
    nodes: tracer.nodes,
  }
}
