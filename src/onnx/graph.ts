// A traced network: Limpid's ops with their shapes, before lowering to ONNX.

import type { DType, TensorData } from '../core/data.ts'
import type { Shape } from '../core/dims.ts'
import type { Op, OpAttrs } from '../core/ops.ts'

/** A tensor of the graph: an input (no producer, no data), a constant (data) or the result of a node. */
export interface Value {
  readonly shape: Shape
  readonly dtype: DType
  /** Name of a graph input or output, or the checkpoint key of a constant. */
  readonly name?: string | undefined
  readonly data?: TensorData | undefined
}

export interface NodeOf<K extends Op> {
  readonly op: K
  readonly attrs: OpAttrs[K]
  readonly inputs: readonly Value[]
  readonly output: Value
}

export type GraphNode = { [K in Op]: NodeOf<K> }[Op]

export interface Graph {
  readonly inputs: readonly Value[]
  /** Results with their names in the ONNX file. */
  readonly outputs: readonly { readonly name: string; readonly value: Value }[]
  /** In topological order. */
  readonly nodes: readonly GraphNode[]
}
