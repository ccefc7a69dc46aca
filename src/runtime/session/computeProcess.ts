// A session in a separate process. ONNX Runtime blocks its thread, cannot be interrupted and may crash its
// process; in a separate one, a run can be stopped at any moment, and a crash fails only that run.

import { RestoreError } from '../../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../../core/session.ts'
import { aborted, SerialQueue, untilAborted } from '../jobs/serialQueue.ts'
import type { Frame } from './frames.ts'
import type { Opened, Reply, Request, Setup } from './protocol.ts'
import { type Program, WorkerProcess } from './workerProcess.ts'

/** Time for an aborted run to finish on its own, which saves reopening the network. */
const graceMs = 300

type ComputeProcess = WorkerProcess<Reply>

const program: Program = {
  name: 'compute',
  module: 'worker/main',
  memoryAdvice: 'use smaller tiles, or a machine with more memory',
}

let spare: ComputeProcess | undefined

/** Starts a process for the next session to use, so that it loads in parallel with other work. */
export function prestartProcess(): void {
  try {
    spare ??= new WorkerProcess(program)
  } catch {
    // The session that needs a process reports the reason.
  }
}

/** A network in a separate process; after a crash or an abort, the next run restarts it. */
export class ProcessSession implements Session {
  readonly #setup: Setup
  #compute: ComputeProcess | undefined
  readonly #queue = new SerialQueue()
  #isClosed = false
  /** Facts about the opened weights. */
  readonly opened: Opened

  private constructor(setup: Setup, compute: ComputeProcess, opened: Opened) {
    this.#setup = setup
    this.#compute = compute
    this.opened = opened
  }

  /**
   * Starts a process that opens the network.
   * @throws RestoreError for weights or a device that do not work
   */
  static async open(setup: Setup, { signal }: RunOptions = {}): Promise<ProcessSession> {
    const { compute, opened } = await start(setup, signal)
    return new ProcessSession(setup, compute, opened)
  }

  /** Process id; undefined while none runs. */
  get pid(): number | undefined {
    return this.#compute?.isAlive ? this.#compute.pid : undefined
  }

  /** Returns a session of a part of the network, which ends with this one. */
  part(name: string): Pick<Session, 'run'> {
    return { run: (inputs, options) => this.#enqueue({ type: 'run', part: name }, inputs, options) }
  }

  run(inputs: NamedData, options?: RunOptions): Promise<NamedData> {
    return this.#enqueue({ type: 'run' }, inputs, options)
  }

  #enqueue(request: Request, inputs: NamedData, { signal }: RunOptions = {}): Promise<NamedData> {
    return this.#queue.run(() => this.#run(request, inputs, signal), signal)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#compute?.kill()
    await this.#queue.run(async () => {})
  }

  async #run(request: Request, inputs: NamedData, signal: AbortSignal | undefined): Promise<NamedData> {
    if (this.#isClosed) throw new RestoreError('usage', 'restore: expected an open session, got a closed one')
    if (!this.#compute?.isAlive) this.#compute = (await start(this.#setup, signal)).compute
    if (this.#isClosed) {
      this.#compute.kill()
      throw aborted()
    }
    const { message, tensors } = await exchange(this.#compute, request, { signal, tensors: inputs })
    if (message.type === 'result') return tensors
    throw unexpected(message)
  }
}

/** Starts a process and opens the network in it. */
async function start(
  setup: Setup,
  signal: AbortSignal | undefined,
): Promise<{ readonly compute: ComputeProcess; readonly opened: Opened }> {
  const compute = spare?.isAlive ? spare : new WorkerProcess<Reply>(program)
  spare = undefined
  try {
    const { message } = await untilAborted(exchange(compute, { type: 'open', setup }, { signal }), signal)
    if (message.type === 'opened') return { compute, opened: message.opened }
    throw unexpected(message)
  } catch (error) {
    compute.kill()
    throw error
  }
}

interface ExchangeOptions extends RunOptions {
  readonly tensors?: NamedData
}

/**
 * Sends a request and awaits its reply; after an abort the process has `graceMs` to reply before it is
 * killed.
 */
async function exchange(
  compute: ComputeProcess,
  request: Request,
  { signal, tensors }: ExchangeOptions,
): Promise<Frame<Reply>> {
  let timer: NodeJS.Timeout | undefined
  const onAbort = () => {
    timer = setTimeout(() => compute.kill(), graceMs)
  }
  signal?.addEventListener('abort', onAbort)
  try {
    return await compute.send(request, tensors)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function unexpected(reply: Reply): Error {
  if (reply.type === 'error') return new RestoreError(reply.code, reply.message)
  return new TypeError(`expected another reply from the compute process, got ${reply.type}`)
}
