// Inference on ONNX Runtime in Node.

import { availableParallelism } from 'node:os'
import * as runtime from 'onnxruntime-node'
import type { Session } from '../core/session.ts'
import type { LoadedModel } from '../registry/builders.ts'
import { openOnnx, tracedSession } from './session.ts'

/** Opens an ONNX model on the CPU, one thread for each core. */
export function onnxSession(model: Uint8Array): Promise<Session> {
  return openOnnx(runtime, model, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    // A memory pattern is planned in the first run and allocated beside it in the second: a fifth more at the peak.
    enableMemPattern: false,
    intraOpNumThreads: availableParallelism(),
  })
}

/** Runs a loaded network on ONNX Runtime, at any input size. */
export function nodeSession(model: LoadedModel): Session {
  return tracedSession(model, onnxSession)
}
