// Rewrites a graph of float32 so that its products are computed in bfloat16, with a cast wherever the dtype changes.

import { isFloat } from '../core/data.ts'
import type { Op } from '../core/ops.ts'
import type { Graph, GraphNode, Value } from './graph.ts'
import { GraphIndex, type Rebuilder, rebuild } from './rewrite.ts'

/** Ops that gain by bfloat16. */
const products: ReadonlySet<Op> = new Set<Op>(['conv2d', 'matmul', 'linear'])

/** Ops with inputs that bfloat16 would ruin: positions in a picture. */
const exact: ReadonlySet<Op> = new Set<Op>(['gridSample'])

/**
 * Computes products in bfloat16 and what follows them, until something float32 is added: a picture keeps its
 * precision where a network adds a residual to it. Inputs and outputs of the graph stay as they are.
 */
export function inBfloat16(graph: Graph): Graph {
  const index = new GraphIndex(graph)
  const casts = { float32: new Map<Value, Value>(), bfloat16: new Map<Value, Value>() }
  const cast = (value: Value, dtype: keyof typeof casts, to: Rebuilder): Value => {
    if (value.dtype === dtype || !isFloat(value.dtype)) return value
    const result = casts[dtype].get(value) ?? to.emit('cast', [value], { dtype })
    casts[dtype].set(value, result)
    return result
  }
  return rebuild(graph, (node, to) => {
    const inputs = node.inputs.map(to.of)
    const dtype = dtypeFor(node, inputs)
    const result = to.emit(
      node.op,
      inputs.map((value) => cast(value, dtype, to)),
      node.attrs,
    )
    return index.isOutput(node.output) ? cast(result, 'float32', to) : result
  })
}

/** Dtype of a node's inputs; weights follow the maps they are combined with. */
function dtypeFor({ op }: GraphNode, inputs: readonly Value[]): 'float32' | 'bfloat16' {
  if (products.has(op)) return 'bfloat16'
  const maps = inputs.filter(({ data, dtype }) => !data && isFloat(dtype))
  const isReduced = maps.length > 0 && maps.every(({ dtype }) => dtype === 'bfloat16')
  return isReduced && !exact.has(op) ? 'bfloat16' : 'float32'
}
