// The worker's side of restoring in a worker. It reads pictures and blends tiles, while a second worker of the same
// script computes: what fails there is started again without losing the picture.

import { RestoreError } from '../core/errors.ts'
import type { WorkerLike } from './channel/callChannel.ts'
import { type CallContext, serveCalls, type WorkerScope } from './channel/serveCalls.ts'
import {
  computeWorkerName,
  type RuntimeBuilds,
  type RuntimeSetup,
  serveCompute,
  setUpRuntime,
  type WebRuntime,
} from './compute/computeServer.ts'
import { hostInThread, type SessionHost } from './compute/sessionHost.ts'
import { WorkerHost } from './compute/workerHost.ts'
import { PhotoEngine } from './engine/photoEngine.ts'
import type { EngineSettings } from './engineTypes.ts'
import type { Decoders } from './files/readPicture.ts'
import { defaultMemoryBytes, defaultThreads, type WebPlatform } from './platform.ts'
import { checkRestorerOptions, WebRestorer } from './webRestorer.ts'
import { sentResult, type WorkerCalls, type WorkerEvent, type WorkerSetup } from './workerProtocol.ts'

/** The scope of the worker's script. */
declare const self: WorkerScope & { readonly name?: string }
declare const location: { readonly href: string } | undefined

/** Options of {@link serveRestorer}. */
export interface ServeOptions {
  /** Decoders of formats that browsers lack. */
  readonly decoders?: Decoders | undefined
  /** Where calls arrive. @default the worker's own scope */
  readonly scope?: WorkerScope | undefined
}

type WorkerClass = new (
  url: string,
  options: { readonly type: 'module' | 'classic'; readonly name: string },
) => WorkerLike

/** Whether the script runs as a module: `importScripts` then throws. */
function isModule(): boolean {
  try {
    const importScripts: (() => void) | undefined = Reflect.get(globalThis, 'importScripts')
    importScripts?.()
    return importScripts === undefined
  } catch {
    return true
  }
}

/** A host in a worker of this script; in this thread where workers start none. */
async function hostOf(
  runtime: WebRuntime | RuntimeBuilds,
  setup: RuntimeSetup,
  isWorker: boolean,
): Promise<SessionHost> {
  const Worker: WorkerClass | undefined = Reflect.get(globalThis, 'Worker')
  if (!isWorker || !Worker || location === undefined) return hostInThread(await setUpRuntime(runtime, setup))
  const type = isModule() ? 'module' : 'classic'
  const start = () => new Worker(location.href, { type, name: computeWorkerName })
  return new WorkerHost({ start, ...setup })
}

/**
 * Answers a page's `createWorkerRestorer` and `createEngine` on `runtime`: a module of ONNX Runtime, or the builds to
 * choose from by the device. Call it once, at the top of the worker's script: the script is started a second time to
 * compute. `limpid/web/worker` is a worker that does so with both builds.
 */
export function serveRestorer(runtime: WebRuntime | RuntimeBuilds, options: ServeOptions = {}): void {
  const { decoders, scope = self } = options
  const isWorker = options.scope === undefined
  if (isWorker && self.name === computeWorkerName) {
    serveCompute(runtime, scope)
    return
  }
  let restorer: WebRestorer | undefined
  let engine: PhotoEngine | undefined
  const platformOf = async (
    { wasmPaths, threads = defaultThreads() }: WorkerSetup,
    { device, memoryBytes = defaultMemoryBytes() }: Pick<EngineSettings, 'device' | 'memoryBytes'>,
  ): Promise<WebPlatform> => {
    const host = await hostOf(runtime, { wasmPaths, threads, device }, isWorker)
    return { host, memoryBytes, threads, decoders }
  }
  const opened = <T>(one: T | undefined, call: string): T => {
    if (one) return one
    throw new RestoreError('usage', `worker: expected the call ${call} first, got none`)
  }

  serveCalls<WorkerCalls>(scope, {
    open: async ({ options, setup }, context) => {
      checkRestorerOptions(options)
      const platform = await platformOf(setup, { device: options.device })
      restorer = await WebRestorer.open({ ...options, ...receivers(context, false) }, platform)
      const { device, license, scale } = restorer
      return { device, license, scale }
    },
    run: async ({ input, options, sendsTiles }, context) =>
      sentResult(
        await opened(restorer, 'open').run(input, { ...options, ...receivers(context, sendsTiles) }),
      ),
    runPlanes: ({ image, options }, context) =>
      opened(restorer, 'open').runPlanes(image, { ...options, ...receivers(context, false) }),
    startEngine: async ({ settings, setup }) => {
      engine = new PhotoEngine(await platformOf(setup, settings), settings)
      return undefined
    },
    plan: ({ picture, request }, context) =>
      opened(engine, 'startEngine').plan(picture, { ...request, ...receivers(context, false) }),
    repair: async ({ picture, request, sendsTiles }, context) =>
      sentResult(
        await opened(engine, 'startEngine').run(picture, { ...request, ...receivers(context, sendsTiles) }),
      ),
    convert: ({ input, request }) => opened(engine, 'startEngine').convert(input, request),
    facts: () => opened(engine, 'startEngine').facts,
  })
}

/** Options that report to the page. */
function receivers({ signal, onEvent }: CallContext<WorkerEvent>, sendsTiles: boolean) {
  return {
    signal,
    onProgress: (event: Extract<WorkerEvent, { kind: 'progress' }>['event']) =>
      onEvent({ kind: 'progress', event }),
    ...(sendsTiles
      ? { onTile: (tile: Extract<WorkerEvent, { kind: 'tile' }>['tile']) => onEvent({ kind: 'tile', tile }) }
      : {}),
  }
}
