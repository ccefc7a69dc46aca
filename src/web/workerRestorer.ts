// The page's side of a restorer in a worker: sends pictures to the worker and receives results.

import { RestoreError } from '../core/errors.ts'
import type { Image } from '../data/image.ts'
import type { License } from '../models/modelCard.ts'
import { closed } from '../runtime/jobs/serialQueue.ts'
import type { RawInput } from '../runtime/pictures/pictureTypes.ts'
import { CallChannel, type WorkerLike } from './channel/callChannel.ts'
import { absoluteUrl } from './pageUrl.ts'
import type { RunOptions, WebRestorerOptions } from './webRestorer.ts'
import type { WebResult } from './webResult.ts'
import { type RestorerFacts, receivedResult, type WorkerCalls, type WorkerEvent } from './workerProtocol.ts'

/** Options of {@link createWorkerRestorer}. */
export interface WorkerRestorerOptions extends Omit<WebRestorerOptions, 'runtime'> {
  /** Folder of ONNX Runtime's `.mjs` and `.wasm` files, if the bundler does not place them beside the worker. */
  readonly wasmPaths?: string | URL | undefined
  /** Threads of WebAssembly. @default all cores where the page is isolated, up to 8, else 1 */
  readonly threads?: number | undefined
}

type Receivers = Pick<RunOptions, 'onProgress' | 'onTile'>

/** Hands events to those who asked for them. */
export function eventReceiver({ onProgress, onTile }: Receivers): (event: WorkerEvent) => void {
  return (event) => (event.kind === 'progress' ? onProgress?.(event.event) : onTile?.(event.tile))
}

/** Restores pictures in a worker until `close`; concurrent calls are queued. */
export class WorkerRestorer implements AsyncDisposable {
  readonly #channel: CallChannel<WorkerCalls>
  #facts: RestorerFacts | undefined

  private constructor(worker: WorkerLike) {
    const failed = (reason: string) => new RestoreError('crash', `worker: failed (${reason}); open it again`)
    this.#channel = new CallChannel(worker, failed)
  }

  /** Opens a restorer, as {@link createWorkerRestorer} does. */
  static async open(
    worker: WorkerLike,
    { signal, onProgress, wasmPaths, threads, weights, guide, ...options }: WorkerRestorerOptions,
  ): Promise<WorkerRestorer> {
    const restorer = new WorkerRestorer(worker)
    const sent = {
      setup: { wasmPaths: wasmPaths === undefined ? undefined : absoluteUrl(wasmPaths), threads },
      options: { ...options, weights: sendable(weights), guide: guide && sendable(guide) },
    }
    try {
      const onEvent = eventReceiver({ onProgress })
      restorer.#facts = await restorer.#channel.call('open', sent, { signal, onEvent })
    } catch (error) {
      await restorer.close()
      throw error
    }
    return restorer
  }

  /** Device in use: 'cpu' or 'webgpu'. */
  get device(): string {
    return this.#opened.device
  }

  /** License of the weights. */
  get license(): License {
    return this.#opened.license
  }

  /** Output side divided by input side. */
  get scale(): number {
    return this.#opened.scale
  }

  /**
   * Restores a file, ImageData or samples of any size. Samples are copied to the worker, and moved from it.
   * @throws RestoreError for this picture alone: 'input', 'usage', 'memory', 'aborted'
   */
  async run(
    input: Blob | RawInput,
    { signal, onProgress, onTile, ...options }: RunOptions = {},
  ): Promise<WebResult> {
    const sent = { input, options, sendsTiles: onTile !== undefined }
    const receivers = { signal, onEvent: eventReceiver({ onProgress, onTile }) }
    return receivedResult(await this.#channel.call('run', sent, receivers))
  }

  /** Restores planes [c h w] for further processing, neither clamped nor rounded. */
  runPlanes(image: Image, { signal, onProgress, onTile: _, ...options }: RunOptions = {}): Promise<Image> {
    return this.#channel.call(
      'runPlanes',
      { image, options },
      { signal, onEvent: eventReceiver({ onProgress }) },
    )
  }

  /** Ends the worker; pictures that are not done are rejected. */
  async close(): Promise<void> {
    this.#channel.close(closed())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #opened(): RestorerFacts {
    if (this.#facts) return this.#facts
    throw closed()
  }
}

/**
 * Opens a network in a worker, so that the page responds while a picture is restored. The restorer takes the
 * worker over and ends it when it is closed.
 * @throws RestoreError 'usage', 'input', 'checkpoint', 'environment', 'crash', 'aborted'
 * @example
 * const worker = new Worker(new URL('limpid/web/worker', import.meta.url), { type: 'module' })
 * const restorer = await createWorkerRestorer(worker, { weights: '/light-photo.safetensors' })
 * const result = await restorer.run(file)
 */
export function createWorkerRestorer(
  worker: WorkerLike,
  options: WorkerRestorerOptions,
): Promise<WorkerRestorer> {
  return WorkerRestorer.open(worker, options)
}

/** Weights in a form that can be sent: a URL is relative to the page, not to the worker. */
export function sendable(
  weights: WebRestorerOptions['weights'],
): Exclude<WebRestorerOptions['weights'], URL> {
  return typeof weights === 'string' || weights instanceof URL ? absoluteUrl(weights) : weights
}
