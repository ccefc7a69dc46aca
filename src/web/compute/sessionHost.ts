// What opens and runs graphs for a restorer: ONNX Runtime in this thread, or in a worker.

import type { Session } from '../../core/session.ts'
import { SerialQueue } from '../../runtime/jobs/serialQueue.ts'
import { type OnnxRuntime, openOnnx } from '../../runtime/session/onnxSession.ts'

/** A device of ONNX Runtime in browsers: WebAssembly is 'cpu'. */
export type Device = 'webgpu' | 'cpu'

/** How a graph is opened. */
export interface GraphOptions {
  /** Whether inputs that the graph refuses are tried on purpose, and no errors for the console. */
  readonly mayRefuse?: boolean
  /** Whether the graph is there to find out if the device works: failures are reported, not mended. */
  readonly isTrial?: boolean
}

/** Opens graphs, and runs one at a time: ONNX Runtime's WebAssembly supports no more. */
export interface SessionHost {
  open(onnx: Uint8Array, device: Device, options?: GraphOptions): Promise<Session>
  /** The device that computes for a requested one: the CPU once WebGPU has failed. */
  deviceFor(device: Device): Device
  /** What happened since the last call, as sentences. */
  takeNotes(): readonly string[]
}

/** Options of ONNX Runtime for a graph on a device. */
export function runtimeOptions(device: Device, { mayRefuse = false }: GraphOptions) {
  return {
    executionProviders: [device],
    graphOptimizationLevel: 'all',
    ...(mayRefuse ? { logSeverityLevel: 4 as const } : {}),
  } as const
}

/** All restorers of a thread share a queue, and so a host for each runtime. */
const hosts = new WeakMap<OnnxRuntime, SessionHost>()

/** The host that runs graphs in this thread. */
export function hostInThread(runtime: OnnxRuntime): SessionHost {
  const known = hosts.get(runtime)
  if (known) return known
  const queue = new SerialQueue()
  const host: SessionHost = {
    open: async (onnx, device, options = {}) => {
      const session = await queue.run(() => openOnnx(runtime, onnx, runtimeOptions(device, options)))
      return {
        run: (inputs) => queue.run(() => session.run(inputs)),
        close: () => queue.run(() => session.close()),
      }
    },
    deviceFor: (device) => device,
    takeNotes: () => [],
  }
  hosts.set(runtime, host)
  return host
}
