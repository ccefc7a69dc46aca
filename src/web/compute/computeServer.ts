// The worker that runs graphs, and nothing else, so that it can be ended at any moment: a lost graphics device or a
// crash costs the tile at hand.

import { RestoreError } from '../../core/errors.ts'
import type { NamedData, Session } from '../../core/session.ts'
import { type OnnxRuntime, openOnnx } from '../../runtime/session/onnxSession.ts'
import { serveCalls, type WorkerScope } from '../channel/serveCalls.ts'
import { type Device, type GraphOptions, runtimeOptions } from './sessionHost.ts'
import { graphicsCard } from './webgpuAdapter.ts'

/** The module `onnxruntime-web`, or a part of it such as `onnxruntime-web/wasm`. */
export interface WebRuntime extends OnnxRuntime {
  readonly env: {
    readonly wasm: { wasmPaths?: unknown; numThreads?: number }
    /** Its device, once a graph is open on it. */
    readonly webgpu?: { readonly device?: unknown }
  }
}

/**
 * Builds of ONNX Runtime, of which the one that suits the device is loaded. The build with WebGPU is twice as large,
 * and takes 1.4 times as long on the CPU.
 */
export interface RuntimeBuilds {
  /** `() => import('onnxruntime-web/webgpu')`: where a graphics card is found, or WebGPU is requested. */
  readonly webgpu: () => Promise<WebRuntime>
  /** `() => import('onnxruntime-web/wasm')`: everywhere else. */
  readonly wasm: () => Promise<WebRuntime>
}

interface LosableDevice {
  readonly lost?: Promise<{ readonly message: string; readonly reason: string }>
}

/** How ONNX Runtime is set up before its first graph. */
export interface RuntimeSetup {
  readonly wasmPaths: string | undefined
  readonly threads: number
  /** Device that is requested: 'auto', 'webgpu' or 'cpu'. */
  readonly device: string | undefined
}

/** Calls of the worker, with what they send and receive. */
export interface ComputeCalls {
  readonly start: { readonly sent: RuntimeSetup; readonly received: undefined; readonly event: never }
  readonly open: {
    readonly sent: { readonly onnx: Uint8Array; readonly device: Device; readonly options: GraphOptions }
    /** Number of the session. */
    readonly received: number
    readonly event: never
  }
  readonly run: {
    readonly sent: { readonly session: number; readonly inputs: NamedData }
    readonly received: NamedData
    readonly event: never
  }
  readonly close: { readonly sent: number; readonly received: undefined; readonly event: never }
}

/** Name of the worker, by which its script knows that it only computes. */
export const computeWorkerName = 'limpid-compute'

/** Loads the build that suits a setup, and sets it up before it opens anything. */
export async function setUpRuntime(
  runtime: WebRuntime | RuntimeBuilds,
  { wasmPaths, threads, device }: RuntimeSetup,
): Promise<WebRuntime> {
  const loaded = 'env' in runtime ? runtime : await buildFor(runtime, device)
  if (wasmPaths !== undefined) loaded.env.wasm.wasmPaths = wasmPaths
  loaded.env.wasm.numThreads = threads
  return loaded
}

async function buildFor({ webgpu, wasm }: RuntimeBuilds, device: string | undefined): Promise<WebRuntime> {
  const isOnCard = device === 'webgpu' || (device !== 'cpu' && (await graphicsCard()) !== undefined)
  return isOnCard ? webgpu() : wasm()
}

/** Answers a {@link WorkerHost} with sessions on a runtime. */
export function serveCompute(runtimes: WebRuntime | RuntimeBuilds, scope: WorkerScope): void {
  let started: Promise<WebRuntime> | undefined
  const sessions = new Map<number, Session>()
  let count = 0
  let lost: Promise<never> | undefined
  const unlessLost = <T>(result: Promise<T>): Promise<T> => (lost ? Promise.race([result, lost]) : result)

  serveCalls<ComputeCalls>(scope, {
    start: async (setup) => {
      started = setUpRuntime(runtimes, setup)
      await started
      return undefined
    },
    open: async ({ onnx, device, options }) => {
      if (!started) throw new RestoreError('crash', 'compute: expected the call start first, got open')
      const runtime = await started
      const session = await openOnnx(runtime, onnx, runtimeOptions(device, options))
      const gpu =
        device === 'webgpu' ? ((await runtime.env.webgpu?.device) as LosableDevice | undefined) : undefined
      if (gpu) lost ??= rejectionBy(gpu)
      sessions.set(++count, session)
      return count
    },
    run: async ({ session, inputs }) => {
      const open = sessions.get(session)
      if (!open) throw new RestoreError('crash', `compute: expected an open graph, got number ${session}`)
      return unlessLost(open.run(inputs))
    },
    close: async (session) => {
      await sessions.get(session)?.close()
      sessions.delete(session)
      return undefined
    },
  })
}

/** Rejects once the device of WebGPU is lost; ONNX Runtime's own runs may then wait for ever. */
function rejectionBy(device: LosableDevice): Promise<never> | undefined {
  const loss = device.lost?.then(({ message, reason }): never => {
    throw new RestoreError('crash', `webgpu: the graphics device was lost (${message || reason})`)
  })
  // A loss between two runs is reported by the next.
  loss?.catch(() => {})
  return loss
}
