// Inference with ONNX Runtime, shared by Node and browsers.

import type { InferenceSession, TensorConstructor } from 'onnxruntime-common'
import { type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, Session } from '../../core/session.ts'
import { toOnnx } from '../../onnx/compile.ts'
import type { Graph } from '../../onnx/graph.ts'
import { trace } from '../../onnx/tracer.ts'
import type { LoadedModel } from '../../registry/loadModel.ts'
import { SerialQueue } from '../jobs/serialQueue.ts'

/** Interface common to onnxruntime-node and onnxruntime-web. */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>
  }
  readonly Tensor: TensorConstructor
}

const arrayTypes = {
  float32: Float32Array,
  // Its bits.
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const

type RunnableDType = keyof typeof arrayTypes
type RunnableArray = InstanceType<(typeof arrayTypes)[RunnableDType]>

function isRunnable(dtype: string): dtype is RunnableDType {
  return dtype in arrayTypes
}

/** Opens an ONNX model. */
export async function openOnnx(
  runtime: OnnxRuntime,
  model: Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<Session> {
  const session = await runtime.InferenceSession.create(model, options)
  const toRuntime = (name: string, { dtype, shape, bytes }: TensorData) => {
    if (!isRunnable(dtype)) {
      throw new RestoreError(
        'shape',
        `input ${name}: expected ${Object.keys(arrayTypes).join(', ')}, got ${dtype}`,
      )
    }
    return new runtime.Tensor(dtype, viewAs<RunnableArray>(bytes, arrayTypes[dtype]), shape)
  }
  return {
    run: async (inputs) => {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, data]) => [name, toRuntime(name, data)]),
      )
      const results = await session.run(feeds)
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => [name, fromRuntime(name, tensor)]),
      )
    },
    close: () => session.release(),
  }
}

function fromRuntime(
  name: string,
  { type, data, dims }: InferenceSession.OnnxValueMapType[string],
): TensorData {
  if (!isRunnable(type) || !ArrayBuffer.isView(data)) {
    throw new RestoreError(
      'numeric',
      `output ${name}: expected ${Object.keys(arrayTypes).join(', ')}, got ${type}`,
    )
  }
  return { dtype: type, shape: dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
}

/**
 * Graphs kept open, for example for portrait and landscape; each holds the weights and the memory of a run.
 */
const maxOpenGraphs = 2

/** Opens a session that runs a network at any input size, with an ONNX model written for each size. */
export function tracedSession(
  model: Pick<LoadedModel, 'forward'>,
  open: (onnx: Uint8Array) => Promise<Session>,
): Session {
  return sessionPerSize(model, (graph) => open(toOnnx(graph)))
}

/**
 * Opens a session that runs a network at any input size, with a graph traced for each size. Recently used
 * graphs stay open. Calls are queued, so that none closes the graph of another.
 */
export function sessionPerSize(
  { forward }: Pick<LoadedModel, 'forward'>,
  open: (graph: Graph) => Promise<Session>,
): Session {
  // Least recently used first.
  const sessions = new Map<string, Session>()
  const queue = new SerialQueue()

  const closeOldest = async () => {
    const [first] = sessions
    if (!first) return
    sessions.delete(first[0])
    await first[1].close()
  }
  const sessionFor = async (inputs: NamedData): Promise<Session> => {
    const traced = Object.entries(inputs).map(([name, { shape, dtype }]) => ({ name, shape, dtype }))
    const sizes = JSON.stringify(traced)
    const known = sessions.get(sizes)
    sessions.delete(sizes)
    if (!known && sessions.size >= maxOpenGraphs) await closeOldest()
    const session = known ?? (await open(trace(traced, forward)))
    sessions.set(sizes, session)
    return session
  }
  const close = async () => {
    while (sessions.size > 0) await closeOldest()
  }
  return {
    run: (inputs, options) => queue.run(async () => (await sessionFor(inputs)).run(inputs, options)),
    close: () => queue.run(close),
  }
}
