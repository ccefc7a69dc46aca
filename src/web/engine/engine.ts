// The page's side of the engine: one worker that restores photos by any task, started when it is needed and again when
// it fails.

import type { OverrideRequest } from '../../auto/plan/overrides.ts'
import type { Plan } from '../../auto/plan/plan.ts'
import { RestoreError } from '../../core/errors.ts'
import { checkOptions } from '../../core/options.ts'
import { closed } from '../../runtime/jobs/serialQueue.ts'
import { defaultCard, isAuto, tasksOf } from '../../runtime/modelChoice.ts'
import type { RawInput } from '../../runtime/pictures/pictureTypes.ts'
import { CallChannel, type CallOptions, type WorkerLike } from '../channel/callChannel.ts'
import {
  type Converted,
  type ConvertRequest,
  type EngineFacts,
  type EngineRequest,
  type EngineSettings,
  engineRules,
  type SentInput,
} from '../engineTypes.ts'
import { absoluteUrl } from '../pageUrl.ts'
import { isPackaged, type WeightsFile, weightsFiles } from '../store/weightsFiles.ts'
import { WeightsStore } from '../store/weightsStore.ts'
import type { WebResult } from '../webResult.ts'
import { receivedResult, type WorkerCalls, type WorkerEvent } from '../workerProtocol.ts'
import { eventReceiver, sendable } from '../workerRestorer.ts'

/** Options of {@link createEngine}. */
export interface EngineOptions extends EngineSettings {
  /** Starts the worker, which runs `limpid/web/worker` or calls `serveRestorer`. */
  readonly worker: () => WorkerLike
  /** Folder of ONNX Runtime's `.mjs` and `.wasm` files, if the bundler does not place them beside the worker. */
  readonly wasmPaths?: string | URL | undefined
  /** Threads of WebAssembly. @default all cores where the page is isolated, up to 8, else 1 */
  readonly threads?: number | undefined
}

/** Options of {@link Engine.plan}. */
export type PlanRequest = OverrideRequest &
  Pick<EngineRequest, 'strength' | 'page' | 'name' | 'guide' | 'signal' | 'onProgress'>

/** A file of weights, and whether this browser keeps it. */
export interface NeededWeights extends WeightsFile {
  readonly isKept: boolean
}

/** Time that a worker may take to answer after a cancel. */
const answerMs = 4000

/** Restores photos by any task until `close`; calls are queued. */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions
  /** Weights that this browser keeps. */
  readonly weights = new WeightsStore()
  readonly #ids = new WeakMap<object, number>()
  #lastId = 0
  #channel: Promise<CallChannel<WorkerCalls>> | undefined
  #isClosed = false

  /** Creates an engine, as {@link createEngine} does. @internal */
  constructor(options: EngineOptions) {
    this.#options = options
  }

  /**
   * Looks at a picture and tells what task 'auto' would do, and why.
   * @throws RestoreError 'usage', 'input', 'aborted'
   */
  plan(input: Blob | RawInput, { signal, onProgress, ...request }: PlanRequest = {}): Promise<Plan> {
    const sent = {
      picture: this.#sent(input),
      request: { ...request, guide: request.guide && sendable(request.guide) },
    }
    return this.#call('plan', sent, { signal, onEvent: eventReceiver({ onProgress }) })
  }

  /**
   * Restores a picture, or a region of it.
   * @throws RestoreError for this picture alone: 'input', 'usage', 'checkpoint', 'memory', 'crash', 'aborted'
   */
  async run(input: Blob | RawInput, request: EngineRequest = {}): Promise<WebResult> {
    checkOptions('run', request, engineRules)
    const { signal, onProgress, onTile, weights, guide, ...rest } = request
    const sent = {
      picture: this.#sent(input),
      request: { ...rest, weights: weights && sendable(weights), guide: guide && sendable(guide) },
      sendsTiles: onTile !== undefined,
    }
    const onEvent = eventReceiver({ onProgress, onTile })
    return receivedResult(await this.#call('repair', sent, { signal, onEvent }))
  }

  /**
   * Converts a file to PNG without loss, for a page whose browser cannot show it: the worker may have decoders that the browser lacks.
   * @throws RestoreError 'input', 'crash'
   */
  convert(input: Blob, request: ConvertRequest = {}): Promise<Converted> {
    return this.#call('convert', { input, request }, {})
  }

  /** Files that a task or model needs, with their sizes, before they are fetched. */
  async neededWeights({
    task,
    model,
    scale,
  }: Pick<EngineRequest, 'task' | 'model' | 'scale'>): Promise<readonly NeededWeights[]> {
    const tasks = tasksOf(task)
    const models = model === undefined ? modelsOf(tasks, scale) : [model]
    const kept = new Set((await this.weights.list()).map(({ sha256 }) => sha256))
    const files = models.flatMap((one) => weightsFiles(one, this.#settings))
    return files.map((file) => ({ ...file, isKept: file.sha256 !== undefined && kept.has(file.sha256) }))
  }

  /** What the worker computes with. */
  facts(): Promise<EngineFacts> {
    return this.#call('facts', undefined, {})
  }

  /** Ends the worker; pictures that are not done are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#restart(closed())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #settings(): EngineSettings {
    const { weightsFolder = '/weights/', modelsFolder = '/models/', device, memoryBytes } = this.#options
    const folders = { weightsFolder: absoluteUrl(weightsFolder), modelsFolder: absoluteUrl(modelsFolder) }
    return { ...folders, device, memoryBytes }
  }

  /** A picture under its number: the worker still knows one that it has just read. */
  #sent(input: Blob | RawInput): SentInput {
    const known = this.#ids.get(input)
    const id = known ?? ++this.#lastId
    this.#ids.set(input, id)
    return { id, input }
  }

  async #start(): Promise<CallChannel<WorkerCalls>> {
    const { worker, wasmPaths, threads } = this.#options
    const failed = (reason: string) => new RestoreError('crash', `worker: failed (${reason})`)
    const channel = new CallChannel<WorkerCalls>(worker(), failed)
    const setup = { wasmPaths: wasmPaths === undefined ? undefined : absoluteUrl(wasmPaths), threads }
    await channel.call('startEngine', { settings: this.#settings, setup })
    return channel
  }

  /** Calls the worker; one that crashed is started again, and the call repeated once. */
  async #call<K extends keyof WorkerCalls & string>(
    kind: K,
    sent: WorkerCalls[K]['sent'],
    options: CallOptions<WorkerEvent>,
  ): Promise<WorkerCalls[K]['received']> {
    for (let failures = 0; ; failures++) {
      if (this.#isClosed) throw closed()
      this.#channel ??= this.#start()
      const starting = this.#channel
      try {
        const channel = await starting
        return await channel.call(kind, sent, options)
      } catch (error) {
        const isCrash = error instanceof RestoreError && error.code === 'crash'
        if (options.signal?.aborted) this.#checkAnswer(starting)
        else if (isCrash && this.#channel === starting) await this.#restart(error)
        if (!isCrash || failures > 0 || this.#isClosed) throw error
      }
    }
  }

  /** Ends a worker that does not answer after a cancel. */
  #checkAnswer(starting: Promise<CallChannel<WorkerCalls>>): void {
    const error = new RestoreError('crash', 'worker: did not answer after a cancel')
    const timer = setTimeout(() => this.#channel === starting && this.#restart(error), answerMs)
    starting
      .then((channel) => channel.call('facts', undefined))
      .catch(() => {})
      .finally(() => clearTimeout(timer))
  }

  async #restart(error: RestoreError): Promise<void> {
    const channel = this.#channel
    this.#channel = undefined
    await channel?.then(
      (one) => one.close(error),
      () => {},
    )
  }
}

/** Default models of tasks; that of 'auto' looks, and others follow where a picture needs them. */
function modelsOf(tasks: readonly string[], scale: number | undefined): readonly string[] {
  if (isAuto({ task: tasks[0] })) return ['light-inspect'].filter(isPackaged)
  const scaleOf = (task: string) => (tasks.length === 1 || task === 'upscale' ? scale : undefined)
  return [...new Set(tasks.map((task) => defaultCard(task, scaleOf(task)).id))]
}

/**
 * Creates an engine: a worker that restores photos by any task, with weights fetched from the page's own origin when
 * they are needed. It starts with the first picture.
 * @example
 * const worker = () => new Worker(new URL('limpid/web/worker', import.meta.url), { type: 'module' })
 * const engine = createEngine({ worker })
 * const result = await engine.run(file, { task: 'photo', onTile: (tile) => draw(tile) })
 */
export function createEngine(options: EngineOptions): Engine {
  return new Engine(options)
}
