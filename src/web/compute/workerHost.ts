// Runs graphs in a worker of their own, and keeps restorations going when it fails: the worker restarts, the run is
// repeated once, and then the CPU takes over from WebGPU. Tiles that are done stay done, since they are kept here.

import { RestoreError } from '../../core/errors.ts'
import type { NamedData, Session } from '../../core/session.ts'
import { aborted, checkAborted, closed, SerialQueue } from '../../runtime/jobs/serialQueue.ts'
import { failureOf } from '../../runtime/session/runtimeErrors.ts'
import { CallChannel, type WorkerLike } from '../channel/callChannel.ts'
import type { ComputeCalls, RuntimeSetup } from './computeServer.ts'
import type { Device, GraphOptions, SessionHost } from './sessionHost.ts'

/** Graphs open at a time; each holds the weights and the memory of a run. */
const maxOpen = 2

/** Runs after which the worker is replaced: its memory never shrinks, and some browsers leak with every run. */
const runsPerWorker = 400

/** How {@link WorkerHost} treats its worker. */
export interface HostOptions extends RuntimeSetup {
  readonly start: () => WorkerLike
  /** Time without a run after which the worker ends, which frees its memory. @default 30 s */
  readonly idleMs?: number
  /** Time that a canceled run may take to end by itself. @default 1 s */
  readonly cancelMs?: number
}

/** A graph, open in the worker or not. */
interface Graph {
  readonly onnx: Uint8Array
  readonly device: Device
  readonly options: GraphOptions
}

/** A running worker. */
interface Running {
  readonly channel: CallChannel<ComputeCalls>
  /** Numbers of open graphs, the least recently used first. */
  readonly open: Map<Graph, number>
  runs: number
}

/** Opens graphs in a worker that is started when it is needed. */
export class WorkerHost implements SessionHost {
  readonly #options: HostOptions
  readonly #queue = new SerialQueue()
  #running: Running | undefined
  #idle: ReturnType<typeof setTimeout> | undefined
  #hasGpuFailed = false
  #notes: string[] = []
  #isClosed = false

  constructor(options: HostOptions) {
    this.#options = options
  }

  async open(onnx: Uint8Array, device: Device, options: GraphOptions = {}): Promise<Session> {
    const graph = { onnx, device, options }
    // Reports a graph that cannot be opened now rather than with the first tile.
    await this.#queue.run(() => this.#persist(graph, (running) => this.#numberOf(graph, running)))
    return {
      run: (inputs, { signal } = {}) => this.#queue.run(() => this.#run(graph, inputs, signal), signal),
      close: () => this.#queue.run(() => this.#closeGraph(graph)),
    }
  }

  deviceFor(device: Device): Device {
    return this.#hasGpuFailed ? 'cpu' : device
  }

  takeNotes(): readonly string[] {
    const notes = this.#notes
    this.#notes = []
    return notes
  }

  /** Ends the worker; runs that follow are refused. */
  close(): void {
    this.#isClosed = true
    this.#end(closed())
  }

  #run(graph: Graph, inputs: NamedData, signal: AbortSignal | undefined): Promise<NamedData> {
    return this.#persist(graph, async (running) => {
      checkAborted(signal)
      const session = await this.#numberOf(graph, running)
      running.runs++
      return this.#unlessCanceled(running.channel.call('run', { session, inputs }), signal)
    })
  }

  /** Repeats an action after a crash: once in a new worker, and once more on the CPU instead of WebGPU. */
  async #persist<T>(graph: Graph, action: (running: Running) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle)
    try {
      for (let failures = 0; ; failures++) {
        const device = this.deviceFor(graph.device)
        try {
          return await action(await this.#start())
        } catch (error) {
          const failure = failureOf(error)
          if (failure.code === 'aborted') throw error
          const isRefusal = !(error instanceof RestoreError)
          if (isRefusal && graph.options.mayRefuse) throw error
          // Memory that ran out stays taken; a worker that crashed is gone.
          if (failure.code === 'memory' || failure.code === 'crash') this.#end(failure)
          const isFinal = device === 'cpu' && (failures > 0 || isRefusal)
          if (failure.code !== 'crash' || isFinal || graph.options.isTrial || this.#isClosed) throw error
          if (failures > 0) this.#giveUpGpu(failure)
        }
      }
    } finally {
      this.#rest()
    }
  }

  #giveUpGpu({ message }: RestoreError): void {
    this.#hasGpuFailed = true
    this.#notes.push(`the graphics card failed (${message}), so the processor computed the rest`)
  }

  async #start(): Promise<Running> {
    if (this.#isClosed) throw closed()
    if (this.#running && this.#running.runs >= runsPerWorker) this.#end(closed())
    if (this.#running) return this.#running
    const { start, wasmPaths, threads, device } = this.#options
    const failed = (reason: string) => new RestoreError('crash', `compute: the worker failed (${reason})`)
    const channel = new CallChannel<ComputeCalls>(start(), failed)
    this.#running = { channel, open: new Map(), runs: 0 }
    await channel.call('start', { wasmPaths, threads, device })
    return this.#running
  }

  /** Number of an open graph, which is opened if it is not. */
  async #numberOf(graph: Graph, { channel, open }: Running): Promise<number> {
    const known = open.get(graph)
    open.delete(graph)
    if (known === undefined && open.size >= maxOpen) {
      const [[oldest, number]] = open as unknown as Iterable<[Graph, number]> & [[Graph, number]]
      open.delete(oldest)
      await channel.call('close', number)
    }
    const { onnx, options } = graph
    const number =
      known ?? (await channel.call('open', { onnx, device: this.deviceFor(graph.device), options }))
    open.set(graph, number)
    return number
  }

  async #closeGraph(graph: Graph): Promise<void> {
    const number = this.#running?.open.get(graph)
    this.#running?.open.delete(graph)
    if (number !== undefined) await this.#running?.channel.call('close', number)
  }

  /** Gives a canceled run some time to end, and then ends the worker. */
  async #unlessCanceled<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (!signal) return result
    const { cancelMs = 1000 } = this.#options
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      const cancel = () => {
        timer = setTimeout(() => {
          this.#end(aborted())
          reject(aborted())
        }, cancelMs)
      }
      if (signal.aborted) cancel()
      else signal.addEventListener('abort', cancel, { once: true })
      const stop = () => {
        signal.removeEventListener('abort', cancel)
        clearTimeout(timer)
      }
      result.then(stop, stop)
    })
    return Promise.race([result, late])
  }

  #end(error: RestoreError): void {
    clearTimeout(this.#idle)
    const running = this.#running
    this.#running = undefined
    running?.channel.close(error)
  }

  #rest(): void {
    const { idleMs = 30_000 } = this.#options
    if (this.#running) this.#idle = setTimeout(() => this.#end(closed()), idleMs)
  }
}
