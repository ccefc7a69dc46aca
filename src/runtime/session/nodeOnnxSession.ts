// Inference on ONNX Runtime in Node, on the thread that calls: for a process that has nothing else to do.

import { availableParallelism } from 'node:os'
import * as runtime from 'onnxruntime-node'
import type { Session } from '../../core/session.ts'
import type { LoadedModel } from '../../registry/loadModel.ts'
import { openOnnx, tracedSession } from './onnxSession.ts'

export interface OnnxOptions {
  /** An execution provider of ONNX Runtime. */
  readonly provider?: 'cpu' | 'cuda' | 'webgpu'
  readonly deviceIndex?: number
  readonly threads?: number
  /**
   * Values below 1e-38 count as zero, as a processor takes far longer for each. It holds for the thread that calls as well, and for
   * whatever else runs on it, so it is for a process that does nothing else.
   */
  readonly flushesDenormals?: boolean
}

/** Opens an ONNX model, on the CPU and with one thread for each core unless told otherwise; nothing takes the place of a device. */
export function onnxSession(
  model: Uint8Array,
  {
    provider = 'cpu',
    deviceIndex = 0,
    threads = availableParallelism(),
    flushesDenormals = false,
  }: OnnxOptions = {},
): Promise<Session> {
  return openOnnx(runtime, model, {
    executionProviders: [provider === 'cuda' ? { name: provider, deviceId: deviceIndex } : provider],
    graphOptimizationLevel: 'all',
    // A memory pattern is planned in the first run and allocated beside it in the second: a fifth more at the peak.
    enableMemPattern: false,
    intraOpNumThreads: threads,
    extra: { session: { set_denormal_as_zero: flushesDenormals ? '1' : '0' } },
  })
}

/** Runs a loaded network on ONNX Runtime, at any input size. */
export function nodeSession(model: Pick<LoadedModel, 'forward'>, options?: OnnxOptions): Session {
  return tracedSession(model, (onnx) => onnxSession(onnx, options))
}
