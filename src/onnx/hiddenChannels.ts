// The hidden channels of a block: the values between the dense convolutions that make a number of channels and those
// that use it up, with only work on single channels in between (depth-wise convolutions, activations, gates).
// What happens to one such channel is no concern of the others, so they may be padded; what happens to a row, only of those around it,
// so they may be computed in bands of rows.

import type { Op } from '../core/ops.ts'
import type { Graph, GraphNode, NodeOf, Value } from './graph.ts'
import { GraphIndex } from './rewrite.ts'

type Conv = NodeOf<'conv2d'>

export interface HiddenChannels {
  readonly channels: number
  /** Dense convolutions whose outputs are these channels. */
  readonly sources: ReadonlySet<Conv>
  /** Nodes that work on every channel by itself. */
  readonly inner: ReadonlySet<GraphNode>
  /** Dense convolutions whose input these channels are. */
  readonly sinks: ReadonlySet<Conv>
}

/** Activations with f(0) = 0 and gates: zero channels stay zero. */
const keepsZero: ReadonlySet<Op> = new Set<Op>([
  'add',
  'sub',
  'mul',
  'mulScalar',
  'neg',
  'abs',
  'tanh',
  'relu',
  'leakyRelu',
  'silu',
  'gelu',
])

function hasConstantWeights(node: Conv): boolean {
  return node.inputs.slice(1).every((value) => value.data !== undefined)
}

export function isDense(node: GraphNode | undefined): node is Conv {
  return node?.op === 'conv2d' && node.attrs.groups === 1 && hasConstantWeights(node)
}

/** One filter for each channel. */
export function isDepthwise(node: GraphNode | undefined): node is Conv {
  if (node?.op !== 'conv2d' || !hasConstantWeights(node)) return false
  const { groups } = node.attrs
  return groups > 1 && groups === node.inputs[0]?.shape[1] && groups === node.output.shape[1]
}

function isChannelwise(node: GraphNode, channels: number): boolean {
  if (isDepthwise(node)) return true
  return (
    keepsZero.has(node.op) &&
    node.inputs.every((value) => !value.data && value.shape.length === 4 && value.shape[1] === channels)
  )
}

/** The hidden channels around every depth-wise convolution, where nothing but dense convolutions bounds them. */
export function findHiddenChannels(graph: Graph): readonly HiddenChannels[] {
  const index = new GraphIndex(graph)
  const found: HiddenChannels[] = []
  const seen = new Set<GraphNode>()
  for (const node of graph.nodes) {
    if (seen.has(node) || !isDepthwise(node)) continue
    const hidden = explore(node, index)
    seen.add(node)
    if (!hidden) continue
    found.push(hidden)
    for (const inner of hidden.inner) seen.add(inner)
  }
  return found
}

function explore(start: Conv, index: GraphIndex): HiddenChannels | undefined {
  const channels = start.attrs.groups
  const sources = new Set<Conv>()
  const sinks = new Set<Conv>()
  const inner = new Set<GraphNode>()
  const values = new Set<Value>([start.output])
  const addInner = (node: GraphNode) => {
    inner.add(node)
    values.add(node.output)
    for (const value of isDepthwise(node) ? node.inputs.slice(0, 1) : node.inputs) values.add(value)
  }
  // A set grows while it is iterated, and visits what is added.
  for (const value of values) {
    const producer = index.producer(value)
    if (!producer || index.isOutput(value)) return undefined
    if (isDense(producer)) sources.add(producer)
    else if (isChannelwise(producer, channels)) addInner(producer)
    else return undefined
    for (const user of index.users(value)) {
      if (isDense(user)) sinks.add(user)
      else if (isChannelwise(user, channels)) addInner(user)
      else return undefined
    }
  }
  return { channels, sources, inner, sinks }
}
