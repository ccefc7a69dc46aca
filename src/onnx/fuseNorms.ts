// Rewrites a graph for libtorch: a norm over channels, written as means and products, becomes its one fused kernel.

import type { Graph, GraphNode, NodeOf, Value } from './graph.ts'
import { GraphIndex, rebuild, removeDeadNodes } from './rewrite.ts'

const toRows = [0, 2, 3, 1]
const toChannels = [0, 3, 1, 2]

/**
 * Replaces (x − mean) · rsqrt(mean((x − mean)²) + eps) over the channels of [b c h w], as `centerChannels` writes it, by a
 * LayerNorm of the rows [b h w c], which are contiguous in channels-last memory.
 */
export function fuseNorms(graph: Graph): Graph {
  const index = new GraphIndex(graph)
  const rebuilt = rebuild(graph, (node, to) => {
    const norm = channelNorm(node, index)
    if (!norm) return undefined
    const rows = to.emit('permute', [to.of(norm.x)], { dims: toRows })
    return to.emit('permute', [to.emit('layerNorm', [rows], { eps: norm.eps })], { dims: toChannels })
  })
  return removeDeadNodes(rebuilt)
}

function channelNorm(node: GraphNode, index: GraphIndex): { x: Value; eps: number } | undefined {
  const producer = (value: Value | undefined) => value && index.producer(value)
  const [centered, inverseDeviation] = node.inputs
  const root = producer(inverseDeviation)
  const shifted = root?.op === 'rsqrt' ? producer(root.inputs[0]) : undefined
  const difference = producer(centered)
  if (node.op !== 'mul' || shifted?.op !== 'addScalar' || difference?.op !== 'sub') return undefined
  const variance = producer(shifted.inputs[0])
  const mean = producer(difference.inputs[1])
  const [x] = difference.inputs
  if (!x || !isChannelMean(variance) || !isChannelMean(mean) || mean.inputs[0] !== x) return undefined
  const square = producer(variance.inputs[0])
  const isSquare = square?.op === 'mul' && square.inputs.every((value) => value === centered)
  return isSquare ? { x, eps: shifted.attrs.value } : undefined
}

function isChannelMean(node: GraphNode | undefined): node is NodeOf<'mean'> {
  if (node?.op !== 'mean' || node.inputs[0]?.shape.length !== 4) return false
  const { dims, keepDim } = node.attrs
  return keepDim && dims.length === 1 && dims[0] === 1
}
