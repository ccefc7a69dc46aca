// A session in a separate process. ONNX Runtime blocks its thread, cannot be interrupted and may crash its
// process; in a separate one, a run can be stopped at any moment, and a crash fails only that run.

import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { pathToFileURL } from 'node:url'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, RunOptions, Session } from '../../core/session.ts'
import { isSource, ownModule } from '../../data/packageFiles.ts'
import { aborted, SerialQueue, untilAborted } from '../jobs/serialQueue.ts'
import { type Frame, receiveFrames, sendFrame } from './frames.ts'
import type { Opened, Reply, Request, Setup } from './protocol.ts'
import { isOutOfMemory } from './runtimeErrors.ts'

/** Time for an aborted run to finish on its own, which saves reopening the network. */
const graceMs = 300

/** Arguments of the loader that runs TypeScript sources; the build needs none. */
function loaderArguments(): string[] {
  if (!isSource) return []
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
}

/** A running process and its pending reply, if any. */
class ComputeProcess {
  readonly #child: ChildProcess
  readonly #socket: Socket
  #pending: { resolve(frame: Frame<Reply>): void; reject(error: Error): void } | undefined
  #stderr = ''
  #isKilled = false
  isAlive = true

  constructor() {
    const program = ownModule(isSource ? 'worker/main' : 'bundle/worker/main')
    // Transparent huge pages make networks at full resolution, with maps of many megabytes, 7 % faster.
    const env = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1', ...process.env }
    this.#child = spawn(process.execPath, [...loaderArguments(), program], {
      env,
      stdio: ['overlapped', 'ignore', 'overlapped', 'overlapped'],
      windowsHide: true,
    })
    const socket = this.#child.stdio[3]
    if (!(socket instanceof Socket)) throw new TypeError('expected a socket to the compute process')
    this.#socket = socket
    receiveFrames<Reply>(this.#socket, (frame) => this.#settle()?.resolve(frame))
    // Stream errors only follow the end of the process, which is reported with its reason.
    for (const stream of this.#child.stdio) stream?.on('error', () => {})
    this.#child.stderr?.on('data', (text) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-2000)
    })
    this.#child.on('error', (error) => this.#end(`could not be started: ${error.message}`))
    this.#child.on('close', (status, signal) => this.#end(signal ?? `status ${status}`))
    this.#keepParentAlive(false)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Sends a request and awaits its reply; only one may be pending. */
  send(request: Request, tensors?: NamedData): Promise<Frame<Reply>> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#keepParentAlive(true)
      sendFrame(this.#socket, request, tensors)
    })
  }

  kill(): void {
    this.#isKilled = true
    this.isAlive = false
    this.#child.kill('SIGKILL')
  }

  #settle() {
    const pending = this.#pending
    this.#pending = undefined
    this.#keepParentAlive(false)
    return pending
  }

  #end(reason: string): void {
    this.isAlive = false
    this.#settle()?.reject(this.#isKilled ? aborted() : this.#failure(reason))
  }

  #failure(reason: string): RestoreError {
    const lastLine = this.#stderr.trim().split('\n').at(-1)?.trim() ?? ''
    // Linux kills a process that exhausts the memory, without a message.
    if (reason === 'SIGKILL' || isOutOfMemory(this.#stderr)) {
      const advice = 'use smaller tiles, or a machine with more memory'
      return new RestoreError('memory', `compute: the process ran out of memory (${reason}); ${advice}`)
    }
    const detail = lastLine === '' ? '' : `, last line of stderr: ${lastLine}`
    return new RestoreError(
      'crash',
      `compute: the process ended unexpectedly (${reason})${detail}; try again`,
    )
  }

  /** Keeps the parent alive while a reply is pending, and only then. */
  #keepParentAlive(isKept: boolean): void {
    for (const handle of [this.#child, ...this.#child.stdio]) {
      if (handle instanceof Socket || handle === this.#child) isKept ? handle.ref() : handle.unref()
    }
  }
}

let spare: ComputeProcess | undefined

/** Starts a process for the next session to use, so that it loads in parallel with other work. */
export function prestartProcess(): void {
  spare ??= new ComputeProcess()
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
  const compute = spare?.isAlive ? spare : new ComputeProcess()
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
