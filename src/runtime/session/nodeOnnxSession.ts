// Inference with ONNX Runtime in Node, on the calling thread: for a dedicated process.

import { isMainThread } from 'node:worker_threads'
import { RestoreError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import { notInstalled } from '../../data/optionalPackage.ts'
import { availableCores } from '../../files/cores.ts'
import type { LoadedModel } from '../../registry/loadModel.ts'
import { type OnnxRuntime, openOnnx, tracedSession } from './onnxSession.ts'

/** Options of {@link onnxSession}. */
export interface OnnxOptions {
  /** Execution provider of ONNX Runtime; there is no fallback. @default 'cpu' */
  readonly provider?: 'cpu' | 'cuda' | 'webgpu'
  /** Index of the CUDA device. @default 0 */
  readonly deviceIndex?: number
  /** Most threads to use; more than one per core would only wait for one another. @default one per core */
  readonly threads?: number
  /**
   * Treats values below 1e-38, which CPUs process slowly, as zero. This also affects everything else on the
   * calling thread, so use it only in a dedicated process. @default false
   */
  readonly flushesDenormals?: boolean
  /** Files of weights beside the model, by the path that it states. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[]
}

/**
 * Turns off the telemetry of ONNX Runtime, which starts with the first session of a process, writes into the home and
 * temporary folders and looks up a server.
 * @throws RestoreError 'environment' in a worker thread, which cannot change the environment of its process
 */
function disableTelemetry(): void {
  const variable = 'ORT_DISABLE_TELEMETRY'
  if (process.env[variable] === '1') return
  if (!isMainThread)
    throw new RestoreError(
      'environment',
      `${variable}: expected 1 before a worker thread opens an ONNX session, as ONNX Runtime would send telemetry, got ${process.env[variable] ?? 'nothing'}; set process.env.${variable} = '1' before starting the worker, or use createRestorer`,
    )
  process.env[variable] = '1'
}

/**
 * Microseconds for which a thread without work keeps its core. As fast as ONNX Runtime's own 1,000 where nothing else
 * runs; beside other programs that much waiting costs a third of the time.
 */
const spinUs = 50

let runtime: Promise<OnnxRuntime> | undefined

/** Loads ONNX Runtime. @throws RestoreError 'environment' if it is not installed for this platform */
export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  runtime ??= import('onnxruntime-node').catch((error: unknown) => {
    throw notInstalled('onnxruntime-node', error)
  })
  return runtime
}

/**
 * Opens an ONNX model, with the telemetry of ONNX Runtime off.
 * @throws RestoreError 'environment' without ONNX Runtime, or in a worker thread that was started without
 * ORT_DISABLE_TELEMETRY=1; whatever ONNX Runtime throws if the provider does not work
 */
export async function onnxSession(
  model: Uint8Array,
  {
    provider = 'cpu',
    deviceIndex = 0,
    threads = availableCores(),
    flushesDenormals = false,
    externalData = [],
  }: OnnxOptions = {},
): Promise<Session> {
  disableTelemetry()
  return openOnnx(await loadOnnxRuntime(), model, {
    executionProviders: [provider === 'cuda' ? { name: provider, deviceId: deviceIndex } : provider],
    graphOptimizationLevel: 'all',
    // The memory pattern of the first run would be allocated on top in the second, for a fifth more peak
    // memory.
    enableMemPattern: false,
    intraOpNumThreads: Math.min(threads, availableCores()),
    externalData,
    extra: {
      session: {
        set_denormal_as_zero: flushesDenormals ? '1' : '0',
        intra_op: { spin_duration_us: String(spinUs) },
      },
    },
  })
}

/** Opens a session that runs a loaded network with ONNX Runtime, at any input size. */
export function nodeSession(model: Pick<LoadedModel, 'forward'>, options?: OnnxOptions): Session {
  return tracedSession(model, (onnx) => onnxSession(onnx, options))
}
