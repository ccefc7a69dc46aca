// Inference on ONNX Runtime in Node.

import { availableParallelism } from 'node:os'
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { DType, TensorData } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { NamedData, Session } from '../core/session.ts'
import { toOnnx } from '../onnx/compile.ts'
import { trace } from '../onnx/tracer.ts'
import type { LoadedModel } from '../registry/builders.ts'

const arrayTypes = {
  float32: Float32Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const

type RunnableDType = keyof typeof arrayTypes

function isRunnable(dtype: DType | string): dtype is RunnableDType {
  return dtype in arrayTypes
}

function toOrt(name: string, { dtype, shape, bytes }: TensorData): OrtTensor {
  if (!isRunnable(dtype)) {
    throw new RestoreError(
      'shape',
      `input ${name}: expected ${Object.keys(arrayTypes).join(', ')}, got ${dtype}`,
    )
  }
  const { BYTES_PER_ELEMENT } = arrayTypes[dtype]
  const aligned = bytes.byteOffset % BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes)
  const values = new arrayTypes[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / BYTES_PER_ELEMENT,
  )
  return new OrtTensor(dtype, values, shape)
}

function fromOrt(name: string, { type, data, dims }: OrtTensor): TensorData {
  if (!isRunnable(type) || !ArrayBuffer.isView(data)) {
    throw new RestoreError(
      'numeric',
      `output ${name}: expected ${Object.keys(arrayTypes).join(', ')}, got ${type}`,
    )
  }
  return { dtype: type, shape: dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
}

/** Opens an ONNX model on the CPU, one thread for each core. */
export async function onnxSession(model: Uint8Array): Promise<Session> {
  const session = await InferenceSession.create(model, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: availableParallelism(),
  })
  return {
    run: async (inputs) => {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, data]) => [name, toOrt(name, data)]),
      )
      const results = await session.run(feeds)
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => [name, fromOrt(name, tensor)]),
      )
    },
    close: () => session.release(),
  }
}

/** Runs a network at any input size, by a graph traced for the size at hand; the latest one is kept. */
export function tracedSession({ network, builder }: LoadedModel): Session {
  let sizes = ''
  let session: Session | undefined
  return {
    run: async (inputs: NamedData) => {
      const asked = JSON.stringify(Object.entries(inputs).map(([name, { shape }]) => [name, shape]))
      if (asked !== sizes || !session) {
        await session?.close()
        const traced = Object.entries(inputs).map(([name, { shape, dtype }]) => ({ name, shape, dtype }))
        session = await onnxSession(toOnnx(trace(traced, (tensors) => builder.forward(network, tensors))))
        sizes = asked
      }
      return session.run(inputs)
    },
    close: async () => {
      await session?.close()
      session = undefined
    },
  }
}
