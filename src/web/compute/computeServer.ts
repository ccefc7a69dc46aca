// The worker that runs graphs, and nothing else, so that it can be ended at any moment: a lost graphics device or a
// crash costs the tile at hand.

import { RestoreError } from '../../core/errors.ts'
import type { NamedData, Session } from '../../core/session.ts'
import { type OnnxRuntime, openOnnx } from '../../runtime/session/onnxSession.ts'
import { serveCalls, type WorkerScope } from '../channel/serveCalls.ts'
import { type Device, type GraphOptions, runtimeOptions } from './sessionHost.ts'

/** The module `onnxruntime-web`, or a part of it such as `onnxruntime-web/wasm`. */
export interface WebRuntime extends OnnxRuntime {
  readonly env: {
    readonly wasm: { wasmPaths?: unknown; numThreads?: number }
    /** Its device, once a graph is open on it. */
    readonly webgpu?: { readonly device?: unknown }
  }
}

interface LosableDevice {
  readonly lost?: Promise<{ readonly message: string; readonly reason: string }>
}

/** How ONNX Runtime is set up before its first graph. */
export interface RuntimeSetup {
  readonly wasmPaths: string | undefined
  readonly threads: number
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

/** Applies a setup to a runtime that has opened nothing yet. */
export function setUpRuntime({ env }: WebRuntime, { wasmPaths, threads }: RuntimeSetup): void {
  if (wasmPaths !== undefined) env.wasm.wasmPaths = wasmPaths
  env.wasm.numThreads = threads
}

/** Answers a {@link WorkerHost} with sessions on `runtime`. */
export function serveCompute(runtime: WebRuntime, scope: WorkerScope): void {
  const sessions = new Map<number, Session>()
  let count = 0
  let lost: Promise<never> | undefined
  const unlessLost = <T>(result: Promise<T>): Promise<T> => (lost ? Promise.race([result, lost]) : result)

  serveCalls<ComputeCalls>(scope, {
    start: (setup) => {
      setUpRuntime(runtime, setup)
      return undefined
    },
    open: async ({ onnx, device, options }) => {
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
