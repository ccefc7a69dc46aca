// Finds the hidden channels of a block: the values between the dense convolutions that
// produce a number of channels and those that consume them, with only channelwise work
// in between (depth-wise convolutions, activations, gates).
// Channels are independent of one another, so they can be padded; rows depend only on
// nearby rows, so they can be computed in bands.

import type { Op } from '../core/ops.ts'
import type { Graph, GraphNode, NodeOf, Value } from './graph.ts'
import { GraphIndex } from './rewrite.ts'

type Conv = NodeOf<'conv2d'>

export interface HiddenChannels {
  readonly channels: number
  /** Dense convolutions that produce these channels. */
  readonly sources: ReadonlySet<Conv>
  /** Channelwise nodes in between. */
  readonly inner: ReadonlySet<GraphNode>
  /** Dense convolutions that consume these channels. */
  readonly sinks: ReadonlySet<Conv>
}

/** Gates and activations with f(0) = 0, which keep zero channels zero. */
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

/** Whether a node is a convolution with one filter per channel. */
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

/**
 * Finds the hidden channels around every depth-wise convolution that are bounded by dense convolutions only.
 */
export function findHiddenChannels(graph: Graph): readonly HiddenChannels[] {
  const index = new GraphIndex(graph)
  const found: HiddenChannels[] = []
  const visited = new Set<GraphNode>()
  for (const node of graph.nodes) {
    if (visited.has(node) || !isDepthwise(node)) continue
    const hidden = explore(node, index)
    visited.add(node)
    if (!hidden) continue
    found.push(hidden)
    for (const inner of hidden.inner) visited.add(inner)
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
  // Iteration over a Set also visits values added meanwhile.
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
