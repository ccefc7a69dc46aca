// Inference with ONNX Runtime in Node, on the calling thread: for a dedicated process.

import { availableParallelism } from 'node:os'
import * as runtime from 'onnxruntime-node'
import type { Session } from '../../core/session.ts'
import type { LoadedModel } from '../../registry/loadModel.ts'
import { openOnnx, tracedSession } from './onnxSession.ts'

/** Options of {@link onnxSession}. */
export interface OnnxOptions {
  /** Execution provider of ONNX Runtime; there is no fallback. @default 'cpu' */
  readonly provider?: 'cpu' | 'cuda' | 'webgpu'
  /** Index of the CUDA device. @default 0 */
  readonly deviceIndex?: number
  /** @default one per core */
  readonly threads?: number
  /**
   * Treats values below 1e-38, which CPUs process slowly, as zero. This also affects everything else on the
   * calling thread, so use it only in a dedicated process. @default false
   */
  readonly flushesDenormals?: boolean
}

/** Opens an ONNX model. @throws if the provider does not work */
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
    // The memory pattern of the first run would be allocated on top in the second, for a fifth more peak
    // memory.
    enableMemPattern: false,
    intraOpNumThreads: threads,
    extra: { session: { set_denormal_as_zero: flushesDenormals ? '1' : '0' } },
  })
}

/** Opens a session that runs a loaded network with ONNX Runtime, at any input size. */
export function nodeSession(model: Pick<LoadedModel, 'forward'>, options?: OnnxOptions): Session {
  return tracedSession(model, (onnx) => onnxSession(onnx, options))
}
