// Tools for graph rewrites: producers and users of a value, node-by-node rebuilding,
// slicing and padding of constants.

import { dtypeBytes, elementCount } from '../core/data.ts'
import { dtypeOf } from '../core/dtypes.ts'
import type { Op, OpAttrs } from '../core/ops.ts'
import { shapeOf } from '../core/shapes.ts'
import type { Graph, GraphNode, Value } from './graph.ts'

/** Producers, users and outputs of a graph. */
export class GraphIndex {
  readonly #producers = new Map<Value, GraphNode>()
  readonly #users = new Map<Value, GraphNode[]>()
  readonly #outputs: ReadonlySet<Value>

  constructor(graph: Graph) {
    this.#outputs = new Set(graph.outputs.map(({ value }) => value))
    for (const node of graph.nodes) {
      this.#producers.set(node.output, node)
      for (const value of new Set(node.inputs)) {
        const users = this.#users.get(value)
        if (users) users.push(node)
        else this.#users.set(value, [node])
      }
    }
  }

  producer(value: Value): GraphNode | undefined {
    return this.#producers.get(value)
  }

  users(value: Value): readonly GraphNode[] {
    return this.#users.get(value) ?? []
  }

  isOutput(value: Value): boolean {
    return this.#outputs.has(value)
  }
}

/** Emits the nodes that replace a node, from values of the new graph. */
export interface Rebuilder {
  /** Maps a value of the old graph to the new one. */
  of(value: Value): Value
  emit<K extends Op>(op: K, inputs: readonly Value[], attrs: OpAttrs[K]): Value
}

/** Copies a graph; `visit` returns the replacement of a node, or undefined to keep it. */
export function rebuild(graph: Graph, visit: (node: GraphNode, to: Rebuilder) => Value | undefined): Graph {
  const nodes: GraphNode[] = []
  const replaced = new Map<Value, Value>()
  const to: Rebuilder = {
    of: (value) => replaced.get(value) ?? value,
    emit: (op, inputs, attrs) => {
      const shape = shapeOf[op](
        attrs,
        inputs.map((value) => value.shape),
      )
      const dtype = dtypeOf(
        op,
        attrs,
        inputs.map((value) => value.dtype),
      )
      const output: Value = { shape, dtype }
      nodes.push({ op, attrs, inputs, output } as GraphNode)
      return output
    },
  }
  for (const node of graph.nodes) {
    const value = visit(node, to)
    if (value) replaced.set(node.output, value)
    else nodes.push({ ...node, inputs: node.inputs.map(to.of) })
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: to.of(value) }))
  return { inputs: graph.inputs, outputs, nodes }
}

/** Removes nodes on which no output depends. */
export function removeDeadNodes(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map(({ value }) => value))
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!needed.has(node.output)) return false
    for (const value of node.inputs) needed.add(value)
    return true
  })
  return nodes.length === graph.nodes.length ? graph : { ...graph, nodes: nodes.reverse() }
}

/** Slices a constant along one dimension, without a copy if the slice is contiguous. */
export function sliceConstant(value: Value, dim: number, start: number, end: number): Value {
  const { data, outer, inner, row } = rows(value, dim)
  const length = (end - start) * inner
  const cut = (i: number) => data.bytes.subarray(i * row + start * inner, i * row + start * inner + length)
  const bytes = outer === 1 ? cut(0) : new Uint8Array(outer * length)
  if (outer > 1) for (let i = 0; i < outer; i++) bytes.set(cut(i), i * length)
  return constantLike(value, resized(data.shape, dim, end - start), bytes, `[${start}:${end}]`)
}

/** Pads a constant with zeros at the end of one dimension. */
export function padConstant(value: Value, dim: number, size: number): Value {
  const { data, outer, inner, row } = rows(value, dim)
  const bytes = new Uint8Array(outer * size * inner)
  for (let i = 0; i < outer; i++) bytes.set(data.bytes.subarray(i * row, (i + 1) * row), i * size * inner)
  return constantLike(value, resized(data.shape, dim, size), bytes, '')
}

function rows(value: Value, dim: number) {
  const { data } = value
  if (!data) throw new TypeError('expected a constant') // isDense or isDepthwise guarantees it
  const inner = elementCount(data.shape.slice(dim + 1)) * dtypeBytes[data.dtype]
  return { data, outer: elementCount(data.shape.slice(0, dim)), inner, row: inner * (data.shape[dim] ?? 1) }
}

function resized(shape: readonly number[], dim: number, size: number): readonly number[] {
  return shape.map((length, i) => (i === dim ? size : length))
}

function constantLike(value: Value, shape: readonly number[], bytes: Uint8Array, suffix: string): Value {
  const name = value.name === undefined ? undefined : value.name + suffix
  return { shape, dtype: value.dtype, name, data: { dtype: value.dtype, shape, bytes } }
}
