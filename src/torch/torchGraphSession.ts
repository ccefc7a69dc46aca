// Inference on libtorch from a traced graph. Beside an eager network it computes what depends on weights alone once, and
// keeps maps channels-last, which oneDNN computes without reordering them for every convolution.

import type { Handle } from '../../native/addon.ts'
import { loadAddon as addon } from '../../native/load.ts'
import type { TensorData } from '../core/data.ts'
import type { NamedData, Session } from '../core/session.ts'
import type { Graph, GraphNode, Value } from '../onnx/graph.ts'
import { noGrad } from './backend.ts'
import { call, operator } from './ops.ts'

const contiguous = operator('contiguous')

/**
 * Opens a session of a graph on the CPU.
 * @throws RestoreError 'environment' if the addon is not built
 */
export function torchGraphSession(graph: Graph): Session {
  const { constants, steps } = prepare(graph)
  const run = (inputs: NamedData): NamedData => {
    const values = new Map<Value, Handle>()
    for (const value of graph.inputs) values.set(value, upload(inputs[value.name ?? ''] as TensorData))
    for (const { node, lastUsed } of steps) {
      values.set(
        node.output,
        evaluate(node, (value) => constants.get(value) ?? values.get(value)),
      )
      for (const value of lastUsed) {
        const handle = values.get(value)
        if (handle) addon().release(handle)
      }
    }
    const results = graph.outputs.map(({ name, value }) => {
      const { dtype, shape } = value
      const handle = constants.get(value) ?? values.get(value)
      return [name, { dtype, shape: shape as readonly number[], bytes: addon().toBytes(handle as Handle) }]
    })
    return Object.fromEntries(results)
  }
  return {
    run: async (inputs) =>
      noGrad(() => {
        addon().scopeBegin()
        try {
          return run(inputs)
        } finally {
          addon().scopeEnd([])
        }
      }),
    close: async () => {
      for (const handle of constants.values()) addon().release(handle)
      constants.clear()
    },
  }
}

/** A node to run, and the values that no later one needs. */
interface Step {
  readonly node: GraphNode
  readonly lastUsed: readonly Value[]
}

/** Uploads the weights, and runs what depends on nothing else; keeps of both what the other nodes and the outputs use. */
function prepare(graph: Graph): { readonly constants: Map<Value, Handle>; readonly steps: readonly Step[] } {
  const constants = new Map<Value, Handle>()
  const nodes: GraphNode[] = []
  for (const node of graph.nodes) {
    for (const value of node.inputs)
      if (value.data && !constants.has(value)) constants.set(value, upload(value.data))
    if (node.inputs.every((value) => constants.has(value)))
      constants.set(
        node.output,
        evaluate(node, (value) => constants.get(value)),
      )
    else nodes.push(node)
  }
  // Weights that were cast or folded would stay for as long as the session.
  const used = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ value }) => value)])
  for (const [value, handle] of constants) {
    if (used.has(value)) continue
    addon().release(handle)
    constants.delete(value)
  }
  const kept = new Set<Value>(graph.outputs.map(({ value }) => value))
  const steps = nodes.toReversed().map((node): Step => {
    const lastUsed = [...new Set(node.inputs)].filter((value) => !constants.has(value) && !kept.has(value))
    for (const value of lastUsed) kept.add(value)
    return { node, lastUsed }
  })
  return { constants, steps: steps.reverse() }
}

/** Runs a node; all but its result is freed. */
function evaluate({ op, attrs, inputs }: GraphNode, handleOf: (value: Value) => Handle | undefined): Handle {
  addon().scopeBegin()
  let kept: readonly Handle[] = []
  try {
    const [first, ...others] = inputs.map((value) => handleOf(value) as Handle)
    const x = op === 'conv2d' ? contiguous(first as Handle, 'channels_last') : (first as Handle)
    const run = call[op] as (attrs: unknown, inputs: readonly Handle[]) => Handle
    const result = run(attrs, [x, ...others])
    kept = [result]
    return result
  } finally {
    addon().scopeEnd(kept)
  }
}

function upload({ bytes, shape, dtype }: TensorData): Handle {
  return addon().fromBytes(bytes, shape, dtype, 'cpu')
}
